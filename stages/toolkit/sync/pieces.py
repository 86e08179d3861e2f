"""Find the pieces of a subtitle file that moved together: one speed for all, and an offset for each.

The input is a list of cues with a time in the file and a time in the film. A subtitle that was made for another cut has
one offset before a missing scene and another offset after it; one that was made for another frame rate has another
speed. A few cues have a wrong time, and must not make a piece of their own: a change of offset and back costs more than
three wrong cues. This is a Potts model, solved exactly over the offsets that occur, by Viterbi's algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_RATES = (24_000 / 1001, 24.0, 25.0)
SPEEDS = tuple(one / other for one in _RATES for other in _RATES if one != other)
"""The factors between the usual frame rates: a file that was made at one rate and is shown at another has one."""

_FARTHEST_MS = 1_500.0  # the cost of a cue grows with its distance from its piece up to here
_CHANGE_MS = 1.7 * _FARTHEST_MS  # the cost of a change of offset
_KNOWN_SPEED_MS, _OTHER_SPEED_MS = 300.0, 2_000.0  # the cost of a speed that is not 1: noise alone must not gain it
_BIN_MS = 100.0  # the distance of the offsets that are tried
_MOST_OFFSETS = 200
_LAGS = (3, 6, 12, 25, 50, 100)  # in points: pairs at these distances give the slopes
_SHORTEST_LAG_MS = 15_000
_SPEED_RANGE = (0.85, 1.18)
_MAD_TO_SIGMA = 1.4826  # standard deviation of normal errors, by their median absolute deviation


class Point(NamedTuple):
    """A cue with its number, its time in the file and its time in the film. `weight` says how sure the latter is, from
    0 to 1."""

    cue: int
    file_ms: float
    film_ms: float
    weight: float = 1.0


@dataclass(frozen=True)
class Piece:
    """Cues from number `first` to `last`. Their time in the film is `speed` times their time in the file plus
    `offset_ms`. `spread_ms` is the standard deviation of single cues from that, without outliers."""

    first: int
    last: int
    speed: float
    offset_ms: float
    spread_ms: float

    def film_ms(self, file_ms: float) -> float:
        """Return the time in the film of a time in the file."""
        return self.speed * file_ms + self.offset_ms


def find_pieces(points: Sequence[Point]) -> list[Piece]:
    """Return the pieces in the order of the cues. `points` must be in that order."""
    if not points:
        return []
    times = np.array([point.file_ms for point in points])
    film = np.array([point.film_ms for point in points])
    weights = np.array([point.weight for point in points])
    best: tuple[float, float, NDArray[np.int64]] | None = None
    for speed, speed_cost in _speeds(times, film):
        offsets = film - speed * times
        cost, labels = _segment(offsets, weights)
        if best is None or cost + speed_cost < best[0]:
            best = cost + speed_cost, speed, labels
    assert best is not None
    _, speed, labels = best
    return list(_pieces(points, speed, film - speed * times, weights, labels))


def _speeds(times: NDArray[np.float64], film: NDArray[np.float64]) -> Iterator[tuple[float, float]]:
    """Yield the speeds to try, each with its cost: 1, those between usual frame rates, and the median slope between
    points at some distance (the Theil-Sen estimator), which a few jumps do not change."""
    yield 1.0, 0.0
    slopes = [
        (film[lag:] - film[:-lag])[far] / (times[lag:] - times[:-lag])[far]
        for lag in _LAGS
        if lag < len(times) and (far := times[lag:] - times[:-lag] > _SHORTEST_LAG_MS).any()
    ]
    if not slopes:
        return
    for speed in SPEEDS:
        yield speed, _KNOWN_SPEED_MS
    found = float(np.median(np.concatenate(slopes)))
    if _SPEED_RANGE[0] < found < _SPEED_RANGE[1]:
        yield found, _OTHER_SPEED_MS


def _segment(offsets: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, NDArray[np.int64]]:
    """Return the cost of the best segmentation, and for each point the number of its offset."""
    states = _candidates(offsets)
    costs = weights[:, None] * np.minimum(np.abs(offsets[:, None] - states[None, :]), _FARTHEST_MS)
    total = costs[0].copy()
    come_from = np.zeros(costs.shape, dtype=np.int64)
    stay = np.arange(len(states))
    for row in range(1, len(costs)):
        cheapest = int(total.argmin())
        changed = total[cheapest] + _CHANGE_MS < total
        come_from[row] = np.where(changed, cheapest, stay)
        total = np.where(changed, total[cheapest] + _CHANGE_MS, total) + costs[row]
    labels = np.zeros(len(costs), dtype=np.int64)
    labels[-1] = int(total.argmin())
    for row in range(len(costs) - 1, 0, -1):
        labels[row - 1] = come_from[row, labels[row]]
    return float(total.min()), labels


def _candidates(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the offsets that occur, the most frequent first, one for each `_BIN_MS`."""
    bins, counts = np.unique(np.round(offsets / _BIN_MS), return_counts=True)
    kept = bins[np.argsort(-counts, kind="stable")[:_MOST_OFFSETS]]
    return np.array([np.median(offsets[np.round(offsets / _BIN_MS) == one]) for one in kept])


def _pieces(
    points: Sequence[Point],
    speed: float,
    offsets: NDArray[np.float64],
    weights: NDArray[np.float64],
    labels: NDArray[np.int64],
) -> Iterator[Piece]:
    for _, group in groupby(range(len(points)), key=lambda row: labels[row]):
        rows = list(group)
        middle = _weighted_median(offsets[rows], weights[rows])
        spread = _MAD_TO_SIGMA * _weighted_median(np.abs(offsets[rows] - middle), weights[rows])
        agreeing = [row for row in rows if abs(offsets[row] - middle) < _FARTHEST_MS]
        yield Piece(points[agreeing[0]].cue, points[agreeing[-1]].cue, speed, middle, spread)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    summed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(summed, summed[-1] / 2)])
