"""Find the offsets of a subtitle file in another language than the one spoken, by the speech of the film alone.

`film_speech.py` rates how well each cue fits at each offset. Viterbi's algorithm finds the offsets with the highest sum
of ratings, where each change of the offset has a cost. alass does the same with overlaps as the only rating (Kärner,
"Automatic synchronisation of subtitles", 2019).

The same search in the film played backwards gives the sum that chance gives: a subtitle of another film has no higher
one. A part of a subtitle that belongs elsewhere in the film, and is too short to be found there, has ratings as low as
chance: its cues are doubtful.
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
from stages.toolkit.sync.cue_words import CueText, RecognisedWord
from stages.toolkit.sync.film_speech import BIN_MS, FilmSpeech, Floats
from stages.toolkit.sync.pieces import SPEEDS, Piece

# The largest offset that is tried, beyond the difference of the lengths: to find the speed, and to find parts in
# another order.
_FARTHEST_MS, _FARTHEST_PART_MS = 600_000, 1_800_000
_CHANGE_COST = 5.0  # in ratings: a cue that fits has 1 to 2, one at a wrong offset 0 on average
_BACK_COST = 3 * _CHANGE_COST  # of a cue that is earlier in the film than the cue before it in the file
_USUAL_SPEED_COST, _ODD_SPEED_COST = 0.03, 0.08  # the share of the sum that a speed other than 1 must gain
_SPEED_CUES = 400  # so many cues are enough to find the speed
_REFINE_MS, _REFINE_STEP_MS, _KERNEL_MS = 800, 20, 150
# What a fit needs: a rating above that of chance by a factor, and by so much that a few cues do not reach it by
# accident. Subtitles of the film had 1.32 and 1.1 at least; of 176 of other films none had 1.3 and 0.87 at once.
_LEAST_FACTOR, _LEAST_ABOVE_CHANCE = 1.3, 1.0
_PERHAPS_ABOVE_CHANCE = 0.5  # with less, other films are as likely
_MOST_DOUBTFUL = 0.25  # of the cues: it was 0.28 to 0.36 with parts in wrong places, 0 to 0.07 with all in their places
_WIDEST_SPEED = 0.06  # the range of the speeds that are tried, on either side of 1
_WIDEST_STEP = 0.002
_SPEED_ERROR_BINS = 2.0  # error of the first or the last cue at the nearest speed that is tried
_MOST_SPEEDS = 3
_NEIGHBOURS = 5  # cues on either side whose ratings count with those of a cue
_DOUBTFUL_RANGE = (0.4, 0.6)  # of the upper quartile of the ratings: the limit of a doubtful cue lies between


@dataclass(frozen=True)
class SpeechFit:
    """The pieces that were found for a number of cues, the mean rating of a cue, and the mean rating by chance.
    `doubtful` cues fit no better where they were placed than anywhere else."""

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
        return (
            bool(self.pieces) and self.rating > _LEAST_FACTOR * self.chance and self._above_chance > _LEAST_ABOVE_CHANCE
        )

    @property
    def is_proven(self) -> bool:
        """Tell whether chance explains neither the rating nor the places of a large part of the cues."""
        return self.is_better_than_chance and self.doubt < _MOST_DOUBTFUL

    @property
    def may_be_proven(self) -> bool:
        """Tell whether more evidence may prove the fit."""
        return bool(self.pieces) and self._above_chance > _PERHAPS_ABOVE_CHANCE

    @property
    def _above_chance(self) -> float:
        """Return by how much the rating is above that of chance, in a unit that does not depend on the number of
        cues: the error of a mean falls with the square root of their number."""
        return (self.rating - self.chance) * math.sqrt(self.cues)


def find_by_speech(
    cues: Sequence[CueText], speech: Sequence[Region], duration_ms: int, recognised: Sequence[RecognisedWord] = ()
) -> SpeechFit:
    """Return the pieces of the cues, which must be in order of time, in a film with this speech."""
    if not cues or not speech:
        return SpeechFit((), 0.0, 0.0)
    film = FilmSpeech(speech, duration_ms, recognised)
    best = _best_fit(film, cues)
    chance = _best_fit(_backwards(speech, duration_ms, recognised), cues)
    pieces = tuple(_refine(film, cues, piece) for piece in best.pieces())
    count = len(cues)
    return SpeechFit(pieces, best.value / count, chance.value / count, count, best.doubtful(chance))


def _backwards(speech: Sequence[Region], duration_ms: int, recognised: Sequence[RecognisedWord]) -> FilmSpeech:
    """Return the film played backwards. Its words have their lengths but no letters, so that none is an anchor."""
    regions = [Region(start_ms=duration_ms - one.end_ms, end_ms=duration_ms - one.start_ms) for one in reversed(speech)]
    words = []
    for number in range(len(recognised) - 1, -1, -1):
        word, before = recognised[number], recognised[number - 1] if number else None
        words.append(
            RecognisedWord(
                text="\0" * len(word.text),
                start_ms=duration_ms - word.end_ms,
                end_ms=duration_ms - word.start_ms,
                ends_a_sentence=before.ends_a_sentence if before else True,
                ends_a_question=before.ends_a_question if before else False,
            )
        )
    return FilmSpeech(regions, duration_ms, words)


def _best_fit(film: FilmSpeech, cues: Sequence[CueText]) -> _SpeedFit:
    """Return the best offsets at the best speed."""
    some = cues[:: 1 + len(cues) // _SPEED_CUES]
    speeds = dict.fromkeys((1.0, *_likely_speeds(film, cues)))
    speed = max((_search(film, some, speed, _FARTHEST_MS) for speed in speeds), key=lambda found: found.value).speed
    return _search(film, cues, speed, _FARTHEST_PART_MS)


def _likely_speeds(film: FilmSpeech, cues: Sequence[CueText]) -> list[float]:
    """Return the speeds at which most cues begin with speech at one offset.

    For each speed, the cross-correlation of the cues' beginnings and those of speech has a highest value, as ffsubsync
    computes it for a few speeds. The speeds with the highest of these values are returned.
    """
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
class _SpeedFit:
    """The best offsets at one speed: for each cue the offset in bins and the rating there. `total` is the sum of the
    ratings less the costs of changes."""

    speed: float
    offsets: NDArray[np.int64]
    ratings: NDArray[np.float64]
    total: float

    @property
    def value(self) -> float:
        """Return the total less the cost of the speed."""
        cost = 0.0 if self.speed == 1.0 else _USUAL_SPEED_COST if self.speed in SPEEDS else _ODD_SPEED_COST
        return self.total * (1.0 - cost)

    def smoothed_ratings(self) -> NDArray[np.float64]:
        """Return for each cue the mean rating of it and its neighbours."""
        sums = np.concatenate([[0.0], np.cumsum(self.ratings)])
        at = np.arange(len(self.ratings))
        low, high = np.maximum(at - _NEIGHBOURS, 0), np.minimum(at + _NEIGHBOURS + 1, len(at))
        means: NDArray[np.float64] = (sums[high] - sums[low]) / (high - low)
        return means

    def doubtful(self, by_chance: _SpeedFit) -> frozenset[int]:
        """Return the cues with smoothed ratings as low as most of those by chance, or far below those of the better
        cues. The rating of a single cue varies; a whole part in a wrong place has low ratings throughout."""
        ratings = self.smoothed_ratings()
        good = np.quantile(ratings, 0.75)
        lowest, highest = _DOUBTFUL_RANGE
        limit = np.clip(np.quantile(by_chance.smoothed_ratings(), 0.75), lowest * good, highest * good)
        return frozenset(int(number) for number in np.flatnonzero(ratings < limit))

    def pieces(self) -> list[Piece]:
        """Return the pieces: runs of cues with the same offset."""
        found = []
        for offset, group in groupby(range(len(self.offsets)), key=lambda number: int(self.offsets[number])):
            numbers = list(group)
            found.append(Piece(numbers[0], numbers[-1], self.speed, float(offset * BIN_MS), 0.0))
        return found


def _search(film: FilmSpeech, cues: Sequence[CueText], speed: float, farthest_ms: int) -> _SpeedFit:
    """Return the best offsets at a speed, none larger than `farthest_ms` beyond the difference of the lengths."""
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
        forward = _best_earlier(before, _bins_between(spans, number)) - _CHANGE_COST
        best = np.maximum(forward, before.max() - _BACK_COST)
        totals[number] = np.maximum(before, best) + film.rating(cues[number], spans[number], offsets, per_letter)
    at = int(totals[-1].argmax())
    chosen = np.full(len(cues), offsets[at], dtype=np.int64)
    ratings = np.zeros(len(cues))
    for number in range(len(cues) - 1, 0, -1):
        sum_before, previous = _step_back(totals[number - 1], at, _bins_between(spans, number))
        ratings[number] = totals[number][at] - sum_before
        chosen[number - 1], at = offsets[previous], previous
    ratings[0] = totals[0][at]
    return _SpeedFit(speed, chosen, ratings, float(totals[-1].max()))


def _refine(film: FilmSpeech, cues: Sequence[CueText], piece: Piece) -> Piece:
    """Return the piece moved by up to `_REFINE_MS`, so that as many of its cues as possible begin with speech."""
    starts = np.array([piece.film_ms(cue.start_ms) for cue in cues[piece.first : piece.last + 1]])
    at = np.clip(np.searchsorted(film.begins, starts), 1, max(1, len(film.begins) - 1))
    after, before = film.begins[np.minimum(at, len(film.begins) - 1)] - starts, film.begins[at - 1] - starts
    distances = np.concatenate([before, after])
    steps = np.arange(-_REFINE_MS, _REFINE_MS + 1, _REFINE_STEP_MS)
    weights = np.exp(-(((steps[:, None] - distances[None, :]) / _KERNEL_MS) ** 2)).sum(axis=1)
    # Of two steps that fit alike, the smaller one is taken.
    best = int((weights - np.abs(steps) * 1e-6).argmax())
    return Piece(piece.first, piece.last, piece.speed, piece.offset_ms + float(steps[best]), piece.spread_ms)


def _bins_between(spans: Sequence[tuple[int, int]], number: int) -> int:
    """Return by how many bins a cue begins after the cue before it."""
    return max(0, (spans[number][0] - spans[number - 1][0]) // BIN_MS)


def _best_earlier(before: Floats, gap: int) -> Floats:
    """Return for each offset of a cue the best sum of the cue before it, among the offsets that keep their order. `gap`
    is the distance of the two cues in the file, in bins."""
    highest: Floats = np.maximum.accumulate(before)
    return np.concatenate([highest[gap:], np.full(min(gap, len(before)), highest[-1], dtype=np.float32)])


def _step_back(before: Floats, at: int, gap: int) -> tuple[float, int]:
    """Return the best sum of the cue before one whose offset is number `at`, and the number of that cue's offset."""
    best = int(before[: at + gap + 1].argmax())
    anywhere = int(before.argmax())
    choices = ((before[at], at), (before[best] - _CHANGE_COST, best), (before[anywhere] - _BACK_COST, anywhere))
    best_sum, place = max(choices, key=lambda choice: float(choice[0]))
    return float(best_sum), place
