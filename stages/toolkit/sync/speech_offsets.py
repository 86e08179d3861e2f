"""Find the offsets of a subtitle file by the times alone, where its words are of another language than those heard.

A cue should be shown while people speak, and should begin with the speech. For every cue and every offset there is a
rating of that; Viterbi's algorithm finds the offsets with the best sum, where each change costs. alass does that with
overlaps alone (Kärner, "Automatic synchronisation of subtitles", 2019). The beginnings are more exact, and the names
and numbers that are the same in both languages are surer.

The same search in the film played backwards says how good a sum chance gives: a subtitle of another film gives no
better one. 1,500 cues and two hours take 3 s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from shared.documents.speech import Region
from stages.toolkit.sync.cue_words import CueText
from stages.toolkit.sync.pieces import SPEEDS, Piece

_BIN_MS = 100
_FARTHEST_MS = 600_000  # the offsets tried, beyond what the lengths differ by
_NEAR_BINS = 4  # so far from the beginning of speech, a cue still begins near it
_ONSET_WEIGHT, _ANCHOR_WEIGHT = 1.0, 1.5
_CHANGE = 5.0  # in ratings; a cue that fits has 1 to 2, one of a wrong offset 0 on average
_BACK = 3 * _CHANGE  # where a part of the film stands before the one that the file has before it
_SPEED_PRICE = 0.03  # of the sum of ratings: what another speed must gain
_ENOUGH_CUES = 400  # tell the speed
_MOST_HEARD = 4  # a word heard more often says little about where
_ANCHOR_LETTERS = 5
_REFINED_MS, _STEP_MS, _KERNEL_MS = 800, 20, 150
# What a fit needs. Subtitles of the film had 0.38 to 0.69 and 3 to 6 times chance, others 0.08 to 0.41 and 0.9 to 1.5.
_LEAST_RATING, _CHANCE = 0.3, 1.8
# Of few cues, chance alone has more, and one search says little about how much: of 240 other films 1 was better.
_FEW_CUES, _CHANCE_OF_ONE, _CHANCE_OF_FEW = 20, 1.9, 1.4

Floats = NDArray[np.float32]
HeardAt = tuple[str, int]
"""A word as it is matched, and when it was heard, in milliseconds."""


@dataclass(frozen=True)
class SpeechFit:
    """The pieces of so many cues, and the sum of their ratings by cue beside that which chance gives."""

    pieces: tuple[Piece, ...]
    rating: float
    chance: float
    cues: int = 0

    @property
    def is_proven(self) -> bool:
        """Tell whether chance does not explain it."""
        if self.pieces and 0 < self.cues < _FEW_CUES:
            least = _CHANCE_OF_ONE / math.sqrt(self.cues)
            return self.rating > max(least, _CHANCE_OF_FEW * self.chance)
        return bool(self.pieces) and self.rating > max(_LEAST_RATING, _CHANCE * self.chance)


def find_by_speech(
    cues: Sequence[CueText], speech: Sequence[Region], duration_ms: int, heard: Iterable[HeardAt] = ()
) -> SpeechFit:
    """Return the pieces of cues, which are in order of time, in a film with this speech."""
    if not cues or not speech:
        return SpeechFit((), 0.0, 0.0)
    film = _Film(speech, duration_ms, tuple(heard))
    backwards = _Film([Region(start_ms=duration_ms - one.end_ms, end_ms=duration_ms - one.start_ms)
                       for one in reversed(speech)], duration_ms, ())  # fmt: skip
    some = cues[:: 1 + len(cues) // _ENOUGH_CUES]
    speed = max((film.search(some, speed) for speed in (1.0, *SPEEDS)), key=lambda found: found.worth).speed
    best = film.search(cues, speed)
    chance = max(backwards.search(cues, one).worth for one in {1.0, speed})
    pieces = tuple(film.refined(cues, piece) for piece in best.pieces())
    return SpeechFit(pieces, best.worth / len(cues), chance / len(cues), len(cues))


@dataclass(frozen=True)
class _Found:
    """The best offsets at one speed, a number of bins for each cue."""

    speed: float
    offsets: NDArray[np.int64]
    total: float

    @property
    def worth(self) -> float:
        return self.total * (1.0 if self.speed == 1.0 else 1.0 - _SPEED_PRICE)

    def pieces(self) -> list[Piece]:
        found = []
        for offset, group in groupby(range(len(self.offsets)), key=lambda number: int(self.offsets[number])):
            numbers = list(group)
            found.append(Piece(numbers[0], numbers[-1], self.speed, float(offset * _BIN_MS), 0.0))
        return found


class _Film:
    """A film's speech as arrays over its time."""

    def __init__(self, speech: Sequence[Region], duration_ms: int, heard: Sequence[HeardAt]) -> None:
        self._duration_ms = duration_ms
        self._starts = np.array([region.start_ms for region in speech])
        size = duration_ms // _BIN_MS + 1
        covered = np.zeros(size + 1, dtype=np.float32)
        for region in speech:
            covered[region.start_ms // _BIN_MS : max(region.end_ms // _BIN_MS, region.start_ms // _BIN_MS + 1)] = 1.0
        self._share = float(covered[:size].mean())
        near = np.zeros(size, dtype=np.float32)
        for start in self._starts // _BIN_MS:
            for step in range(-_NEAR_BINS, _NEAR_BINS + 1):
                if 0 <= start + step < size:
                    near[start + step] = max(near[start + step], 1.0 - abs(step) / (_NEAR_BINS + 1))
        self._near = near - near.mean()
        self._spoken = np.concatenate([[0.0], np.cumsum(covered[:size] - self._share)]).astype(np.float32)
        self._heard: dict[str, list[int]] = {}
        for word, at_ms in heard:
            self._heard.setdefault(word, []).append(at_ms)

    def search(self, cues: Sequence[CueText], speed: float) -> _Found:
        """Return the best offsets at a speed."""
        spans = [(round(cue.start_ms * speed), round(cue.end_ms * speed)) for cue in cues]
        reach = _FARTHEST_MS + abs(self._duration_ms - spans[-1][1])
        first, last = -spans[-1][1], self._duration_ms - spans[0][0]
        offsets = np.arange(max(first, -reach) // _BIN_MS, min(last, reach) // _BIN_MS + 1)
        totals = np.zeros((len(cues), len(offsets)), dtype=np.float32)
        totals[0] = self._rating(cues[0], spans[0], offsets)
        for number in range(1, len(cues)):
            before = totals[number - 1]
            best = np.maximum(_reached(before, _gap(spans, number)) - _CHANGE, before.max() - _BACK)
            totals[number] = np.maximum(before, best) + self._rating(cues[number], spans[number], offsets)
        at = int(totals[-1].argmax())
        chosen = np.full(len(cues), offsets[at], dtype=np.int64)
        for number in range(len(cues) - 1, 0, -1):
            at = _before(totals[number - 1], at, _gap(spans, number))
            chosen[number - 1] = offsets[at]
        return _Found(speed, chosen, float(totals[-1].max()))

    def _rating(self, cue: CueText, span: tuple[int, int], offsets: NDArray[np.int64]) -> Floats:
        """Return how well a cue fits at each offset: 0 on average."""
        size = len(self._near)
        start, end = span[0] // _BIN_MS, max(span[1] // _BIN_MS, span[0] // _BIN_MS + 1)
        low, high = np.clip(offsets + start, 0, size), np.clip(offsets + end, 0, size)
        inside = (self._spoken[high] - self._spoken[low]) - self._share * ((end - start) - (high - low))
        at = np.clip(offsets + start, 0, size - 1)
        onset = np.where((offsets + start >= 0) & (offsets + start < size), self._near[at], 0.0)
        rating: Floats = (inside / (end - start) + _ONSET_WEIGHT * onset).astype(np.float32)
        for word in set(cue.words):
            times = self._heard.get(word, ())
            if (len(word) < _ANCHOR_LETTERS and not word.isdigit()) or not 0 < len(times) <= _MOST_HEARD:
                continue
            for at_ms in times:
                first, last = at_ms // _BIN_MS - end - _NEAR_BINS, at_ms // _BIN_MS - start + _NEAR_BINS
                rating[(offsets >= first) & (offsets <= last)] += _ANCHOR_WEIGHT / len(times)
        return rating

    def refined(self, cues: Sequence[CueText], piece: Piece) -> Piece:
        """Return a piece moved by so little that most of its cues begin with speech."""
        starts = np.array([piece.film_ms(cue.start_ms) for cue in cues[piece.first : piece.last + 1]])
        at = np.clip(np.searchsorted(self._starts, starts), 1, max(1, len(self._starts) - 1))
        after, before = self._starts[np.minimum(at, len(self._starts) - 1)] - starts, self._starts[at - 1] - starts
        distances = np.concatenate([before, after])
        steps = np.arange(-_REFINED_MS, _REFINED_MS + 1, _STEP_MS)
        weights = np.exp(-(((steps[:, None] - distances[None, :]) / _KERNEL_MS) ** 2)).sum(axis=1)
        # Of two that fit alike, the smaller step is taken.
        best = int((weights - np.abs(steps) * 1e-6).argmax())
        return Piece(piece.first, piece.last, piece.speed, piece.offset_ms + float(steps[best]), piece.spread_ms)


def _gap(spans: Sequence[tuple[int, int]], number: int) -> int:
    """Return how many bins after the cue before it a cue begins."""
    return max(0, (spans[number][0] - spans[number - 1][0]) // _BIN_MS)


def _reached(before: Floats, gap: int) -> Floats:
    """Return for each offset the best sum of those from which a cue so long after stays behind the one before it."""
    highest: Floats = np.maximum.accumulate(before)
    return np.concatenate([highest[gap:], np.full(min(gap, len(before)), highest[-1], dtype=np.float32)])


def _before(before: Floats, at: int, gap: int) -> int:
    """Return the offset, by its place, that the cue before one with the offset at `at` has."""
    reached = before[: at + gap + 1]
    best = int(reached.argmax())
    anywhere = int(before.argmax())
    choices = ((before[at], at), (before[best] - _CHANGE, best), (before[anywhere] - _BACK, anywhere))
    return max(choices, key=lambda choice: float(choice[0]))[1]
