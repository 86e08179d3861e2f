"""Find the offsets of a subtitle file where its words are of another language than those heard.

For every cue and every offset there is a rating of how well it fits (`film_speech.py`). Viterbi's algorithm finds the
offsets with the best sum, where each change costs. alass does that with overlaps alone (Kärner, "Automatic
synchronisation of subtitles", 2019).

The same search in the film played backwards says how good a sum chance gives: a subtitle of another film gives no
better one. Where a part stands elsewhere in the film and is too short to be found there, its ratings tell that it does
not stand where it was put.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np
from numpy.typing import NDArray

from shared.documents.speech import Region
from stages.toolkit.sync.cue_words import CueText, SaidWord
from stages.toolkit.sync.film_speech import BIN_MS, FilmSpeech, Floats
from stages.toolkit.sync.pieces import SPEEDS, Piece

# The offsets tried, beyond what the lengths differ by: to find the speed, and to find parts in another order.
_FARTHEST_MS, _FARTHEST_PART_MS = 600_000, 1_800_000
_CHANGE = 5.0  # in ratings; a cue that fits has 1 to 2, one of a wrong offset 0 on average
_BACK = 3 * _CHANGE  # where a part of the film stands before the one that the file has before it
_SPEED_PRICE, _ODD_SPEED_PRICE = 0.03, 0.08  # of the sum of ratings: what another speed must gain
_ENOUGH_CUES = 400  # tell the speed
_REFINED_MS, _STEP_MS, _KERNEL_MS = 800, 20, 150
# What a fit needs: to be better than chance by a factor, and by so much that it is no accident of few cues. Those of
# the film had 1.32 and more, and 1.1 and more; of 176 of others none had more than 1.3 and 0.87 at once.
_CHANCE, _ABOVE_CHANCE = 1.3, 1.0
_PERHAPS = 0.5  # above chance: with less, other films are as likely
_MOST_DOUBTFUL = 0.25  # of the cues: parts in wrong places made it 0.28 to 0.36, right places of all 0 to 0.07
_WIDEST_SPEED = 0.06  # the speeds that are tried, on either side of 1
_WIDEST_STEP = 0.002
_SPEED_ERROR_BINS = 2.0  # by which the first or the last cue is off at the nearest speed that is tried
_MOST_SPEEDS = 3
_AROUND, _DOUBTFUL = 5, (0.4, 0.6)  # cues on either side; of the upper quartile of the ratings around a cue


@dataclass(frozen=True)
class SpeechFit:
    """The pieces of so many cues, and the sum of their ratings by cue beside that which chance gives. Cues that are
    `doubtful` fit no better where they were put than anywhere else."""

    pieces: tuple[Piece, ...]
    rating: float
    chance: float
    cues: int = 0
    doubtful: frozenset[int] = frozenset()

    @property
    def doubt(self) -> float:
        """Return the share of the cues that are doubtful."""
        return len(self.doubtful) / max(1, self.cues)

    @property
    def is_better_than_chance(self) -> bool:
        """Tell whether chance does not explain the rating."""
        return bool(self.pieces) and self.rating > _CHANCE * self.chance and self._above_chance > _ABOVE_CHANCE

    @property
    def is_proven(self) -> bool:
        """Tell whether chance explains neither the rating nor that of a large part of the cues."""
        return self.is_better_than_chance and self.doubt < _MOST_DOUBTFUL

    @property
    def may_be_proven(self) -> bool:
        """Tell whether more evidence may prove what this does not."""
        return bool(self.pieces) and self._above_chance > _PERHAPS

    @property
    def _above_chance(self) -> float:
        """Return by how much it is better than chance, in units in which accidents are as likely with any number of
        cues."""
        return (self.rating - self.chance) * math.sqrt(self.cues)


def find_by_speech(
    cues: Sequence[CueText], speech: Sequence[Region], duration_ms: int, said: Sequence[SaidWord] = ()
) -> SpeechFit:
    """Return the pieces of cues, which are in order of time, in a film with this speech."""
    if not cues or not speech:
        return SpeechFit((), 0.0, 0.0)
    film = FilmSpeech(speech, duration_ms, said)
    best = _best(film, cues)
    chance = _best(FilmSpeech(*_backwards(speech, duration_ms, said)), cues)
    pieces = tuple(_refined(film, cues, piece) for piece in best.pieces())
    count = len(cues)
    return SpeechFit(pieces, best.worth / count, chance.worth / count, count, best.doubtful(chance))


def _backwards(
    speech: Sequence[Region], duration_ms: int, said: Sequence[SaidWord]
) -> tuple[list[Region], int, list[SaidWord]]:
    """Return the film played backwards, without its words' letters but with their lengths."""
    regions = [Region(start_ms=duration_ms - one.end_ms, end_ms=duration_ms - one.start_ms) for one in reversed(speech)]
    words = []
    for number in range(len(said) - 1, -1, -1):
        word, before = said[number], said[number - 1] if number else None
        closes, asks = (before.closes, before.asks) if before else (True, False)
        text = "\0" * len(word.text)
        words.append(SaidWord(text, duration_ms - word.end_ms, duration_ms - word.start_ms, closes, asks))
    return regions, duration_ms, words


def _best(film: FilmSpeech, cues: Sequence[CueText]) -> _Found:
    """Return the best offsets at the best speed."""
    some = cues[:: 1 + len(cues) // _ENOUGH_CUES]
    speeds = dict.fromkeys((1.0, *_likely_speeds(film, cues)))
    speed = max((_search(film, some, speed, _FARTHEST_MS) for speed in speeds), key=lambda found: found.worth).speed
    return _search(film, cues, speed, _FARTHEST_PART_MS)


def _likely_speeds(film: FilmSpeech, cues: Sequence[CueText]) -> list[float]:
    """Return the speeds at which most cues begin with speech at one offset: the highest peaks of the correlations of
    both, as ffsubsync computes them for a few speeds."""
    starts = np.array([cue.start_ms for cue in cues]) / BIN_MS
    starts = starts - starts.mean()
    reach = max(1.0, abs(starts[0]), abs(starts[-1]))
    size = 1 << int(2 * reach * (1 + _WIDEST_SPEED) + 2 + film.size).bit_length()
    spectrum = np.conj(np.fft.rfft(film.opens, size))

    def height(speed: float) -> float:
        places = np.rint(starts * speed + reach * (1 + _WIDEST_SPEED)).astype(np.int64)
        counted = np.fft.rfft(np.bincount(places, minlength=size))
        return float(np.fft.irfft(counted * spectrum, size).max())

    step = min(_WIDEST_STEP, _SPEED_ERROR_BINS / reach)
    odd = 1.0 + step * np.arange(-int(_WIDEST_SPEED / step), int(_WIDEST_SPEED / step) + 1)
    heights = np.array([height(speed) for speed in odd])
    is_peak = (heights >= np.append(heights[1:], 0.0)) & (heights >= np.insert(heights[:-1], 0, 0.0))
    peaks = sorted(zip(heights[is_peak], odd[is_peak], strict=True), reverse=True)[:_MOST_SPEEDS]
    return [*sorted(SPEEDS, key=height)[-_MOST_SPEEDS:], *(float(speed) for _, speed in peaks)]


@dataclass(frozen=True)
class _Found:
    """The best offsets at one speed, a number of bins for each cue, and how well each cue fits there."""

    speed: float
    offsets: NDArray[np.int64]
    ratings: NDArray[np.float64]
    total: float

    @property
    def worth(self) -> float:
        price = 0.0 if self.speed == 1.0 else _SPEED_PRICE if self.speed in SPEEDS else _ODD_SPEED_PRICE
        return self.total * (1.0 - price)

    def around(self) -> NDArray[np.float64]:
        """Return the mean rating around each cue."""
        sums = np.concatenate([[0.0], np.cumsum(self.ratings)])
        at = np.arange(len(self.ratings))
        low, high = np.maximum(at - _AROUND, 0), np.minimum(at + _AROUND + 1, len(at))
        means: NDArray[np.float64] = (sums[high] - sums[low]) / (high - low)
        return means

    def doubtful(self, by_chance: _Found) -> frozenset[int]:
        """Return the cues around which the ratings are as most of them are by chance, or far below those of the film's
        better part: single ones vary, but a part that does not stand where it was put has no more."""
        around = self.around()
        good = np.quantile(around, 0.75)
        least = np.clip(np.quantile(by_chance.around(), 0.75), _DOUBTFUL[0] * good, _DOUBTFUL[1] * good)
        return frozenset(int(number) for number in np.flatnonzero(around < least))

    def pieces(self) -> list[Piece]:
        found = []
        for offset, group in groupby(range(len(self.offsets)), key=lambda number: int(self.offsets[number])):
            numbers = list(group)
            found.append(Piece(numbers[0], numbers[-1], self.speed, float(offset * BIN_MS), 0.0))
        return found


def _search(film: FilmSpeech, cues: Sequence[CueText], speed: float, farthest_ms: int) -> _Found:
    """Return the best offsets at a speed."""
    spans = [(round(cue.start_ms * speed), round(cue.end_ms * speed)) for cue in cues]
    reach = farthest_ms + abs(film.duration_ms - spans[-1][1])
    first, last = -spans[-1][1], film.duration_ms - spans[0][0]
    offsets = range(int(max(first, -reach) // BIN_MS), int(min(last, reach) // BIN_MS) + 1)
    paces = [cue.letters / (end - start) for cue, (start, end) in zip(cues, spans, strict=True) if end > start]
    per_letter = film.letters_per_ms / (median(pace for pace in paces if pace) if any(paces) else 1.0)
    totals = np.zeros((len(cues), len(offsets)), dtype=np.float32)
    totals[0] = film.rating(cues[0], spans[0], offsets, per_letter)
    for number in range(1, len(cues)):
        before = totals[number - 1]
        best = np.maximum(_reached(before, _gap(spans, number)) - _CHANGE, before.max() - _BACK)
        totals[number] = np.maximum(before, best) + film.rating(cues[number], spans[number], offsets, per_letter)
    at = int(totals[-1].argmax())
    chosen = np.full(len(cues), offsets[at], dtype=np.int64)
    ratings = np.zeros(len(cues))
    for number in range(len(cues) - 1, 0, -1):
        sum_before, previous = _before(totals[number - 1], at, _gap(spans, number))
        ratings[number] = totals[number][at] - sum_before
        chosen[number - 1], at = offsets[previous], previous
    ratings[0] = totals[0][at]
    return _Found(speed, chosen, ratings, float(totals[-1].max()))


def _refined(film: FilmSpeech, cues: Sequence[CueText], piece: Piece) -> Piece:
    """Return a piece moved by so little that most of its cues begin with speech."""
    starts = np.array([piece.film_ms(cue.start_ms) for cue in cues[piece.first : piece.last + 1]])
    at = np.clip(np.searchsorted(film.begins, starts), 1, max(1, len(film.begins) - 1))
    after, before = film.begins[np.minimum(at, len(film.begins) - 1)] - starts, film.begins[at - 1] - starts
    distances = np.concatenate([before, after])
    steps = np.arange(-_REFINED_MS, _REFINED_MS + 1, _STEP_MS)
    weights = np.exp(-(((steps[:, None] - distances[None, :]) / _KERNEL_MS) ** 2)).sum(axis=1)
    # Of two that fit alike, the smaller step is taken.
    best = int((weights - np.abs(steps) * 1e-6).argmax())
    return Piece(piece.first, piece.last, piece.speed, piece.offset_ms + float(steps[best]), piece.spread_ms)


def _gap(spans: Sequence[tuple[int, int]], number: int) -> int:
    """Return how many bins after the cue before it a cue begins."""
    return max(0, (spans[number][0] - spans[number - 1][0]) // BIN_MS)


def _reached(before: Floats, gap: int) -> Floats:
    """Return for each offset the best sum of those from which a cue so long after stays behind the one before it."""
    highest: Floats = np.maximum.accumulate(before)
    return np.concatenate([highest[gap:], np.full(min(gap, len(before)), highest[-1], dtype=np.float32)])


def _before(before: Floats, at: int, gap: int) -> tuple[float, int]:
    """Return the best sum to the cue before one with the offset at `at`, and the offset of that cue, by its place."""
    reached = before[: at + gap + 1]
    best = int(reached.argmax())
    anywhere = int(before.argmax())
    choices = ((before[at], at), (before[best] - _CHANGE, best), (before[anywhere] - _BACK, anywhere))
    best_sum, place = max(choices, key=lambda choice: float(choice[0]))
    return float(best_sum), place
