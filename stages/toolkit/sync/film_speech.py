"""Rate how well a cue fits the speech of a film at every offset, by times and by what two languages share.

A cue should be shown while people speak, begin where speech or a sentence begins, ask where a question is heard, and be
as long as what is said meanwhile: the lengths of a text and of its translation go together (Gale and Church, "A program
for aligning sentences in bilingual corpora", 1993). Names, numbers and words of common descent are spelt alike.
Each part of the rating is 0 on average over all offsets, so that a wrong offset gains nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.documents.speech import Region
from stages.toolkit.sync.cue_words import CueText, SaidWord

BIN_MS = 100
_NEAR_BINS = 4  # so far from the beginning of speech, a cue still begins near it
_ONSET_WEIGHT, _ANCHOR_WEIGHT, _QUESTION_WEIGHT, _LENGTH_WEIGHT = 1.0, 1.5, 1.0, 0.6
_MOST_HEARD = 4  # a word heard more often says little about where
_ANCHOR_LETTERS, _STEM_LETTERS = 5, 6
_HEARD_SHARE = 0.8  # of the speech: with less, where sentences begin is not known
_ASKED_BEFORE = 2  # bins after a cue's beginning: a question that ends there belongs to the cue before
_MOST_LETTERS = 400  # of a cue
_LENGTH_SPREAD, _LENGTH_FLOOR = 0.45, 4.0  # of the logarithm of two lengths that belong together; in letters

Floats = NDArray[np.float32]


class FilmSpeech:
    """A film's speech, as arrays over its time."""

    def __init__(self, speech: Sequence[Region], duration_ms: int, said: Sequence[SaidWord] = ()) -> None:
        self.duration_ms = duration_ms
        self.size = duration_ms // BIN_MS + 1
        covered = np.zeros(self.size, dtype=np.float32)
        for region in speech:
            covered[region.start_ms // BIN_MS : max(region.end_ms // BIN_MS, region.start_ms // BIN_MS + 1)] = 1.0
        self._spoken = _summed(covered - covered.mean())
        self._silence = -float(covered.mean())  # how a bin without speech counts, and one beyond the film's ends
        words = said if _heard_share(speech, said) >= _HEARD_SHARE else ()
        opening = [word.start_ms for number, word in enumerate(words) if not number or words[number - 1].closes]
        self.begins = np.array(sorted({*(region.start_ms for region in speech), *opening}))
        self.opens = _near(self.begins, self.size)
        self._asked = _summed(_marked((word.end_ms for word in words if word.asks), self.size))
        letters = np.zeros(self.size, dtype=np.float32)
        for word in words:
            letters[min((word.start_ms + word.end_ms) // 2 // BIN_MS, self.size - 1)] += len(word.text)
        self._letters = _summed(letters)
        self._anchors: dict[str, list[int]] = {}
        for word in said:
            if key := _key(word.text):
                self._anchors.setdefault(key, []).append(word.start_ms)
        self.letters_per_ms = sum(len(word.text) for word in words) / max(1, _length_ms(words))

    def rating(self, cue: CueText, span: tuple[int, int], offsets: range, per_letter: float) -> Floats:
        """Return how well a cue with this span fits at each offset, which are numbers of bins. A letter of the cue
        stands for `per_letter` of those that were heard."""
        start, end = span[0] // BIN_MS, max(span[1] // BIN_MS, span[0] // BIN_MS + 1)
        low, high = _later(offsets, start), _later(offsets, end)
        spoken = _cut(self._spoken, high, self._silence) - _cut(self._spoken, low, self._silence)
        rating = spoken / np.float32(end - start) + _ONSET_WEIGHT * _cut(self.opens, low)
        if self.letters_per_ms and cue.words:
            said = _cut(self._letters, high) - _cut(self._letters, low)
            likeness = _likeness(round(per_letter * cue.letters))[np.minimum(said, _MOST_LETTERS).astype(np.int64)]
            rating += _centred(likeness, _LENGTH_WEIGHT)
            questions = _cut(self._asked, _later(high, _NEAR_BINS)) - _cut(self._asked, _later(low, _ASKED_BEFORE))
            asked = (questions > 0).astype(np.float32)
            rating += _centred(asked, _QUESTION_WEIGHT * (float(cue.asks) - float(asked.mean())))
        self._add_anchors(rating, cue, (start, end), offsets)
        return rating

    def _add_anchors(self, rating: Floats, cue: CueText, span: tuple[int, int], offsets: range) -> None:
        """Raise the rating of a cue where its names and numbers are heard."""
        for key in {_key(word) for word in cue.words} - {""}:
            times = self._anchors.get(key, ())
            if len(times) > _MOST_HEARD:
                continue
            for at_ms in times:
                first, last = at_ms // BIN_MS - span[1] - _NEAR_BINS, at_ms // BIN_MS - span[0] + _NEAR_BINS
                inside = slice(max(0, first - offsets.start), max(0, last + 1 - offsets.start))
                rating[inside] += _ANCHOR_WEIGHT / len(times)


def _cut(values: Floats, places: range, slope: float = 0.0) -> Floats:
    """Return the values at places that follow each other. Beyond the first and the last value they go on with a
    slope."""
    last = len(values) - 1
    inside = values[max(0, places.start) : max(0, places.stop)]
    before = np.arange(places.start, min(0, places.stop), dtype=np.float32)
    after = np.arange(max(last + 1, places.start) - last, max(last + 1, places.stop) - last, dtype=np.float32)
    return np.concatenate([values[0] + slope * before, inside, values[-1] + slope * after], dtype=np.float32)


def _later(places: range, bins: int) -> range:
    return range(places.start + bins, places.stop + bins)


def _centred(values: Floats, weight: float) -> Floats:
    found: Floats = weight * (values - values.mean())
    return found


@lru_cache(maxsize=256)
def _likeness(letters: int) -> Floats:
    """Return how well each number of letters fits so many, up to 1."""
    said = np.arange(_MOST_LETTERS + 1) + _LENGTH_FLOOR
    found: Floats = np.exp(-((np.log(said / (letters + _LENGTH_FLOOR)) / _LENGTH_SPREAD) ** 2) / 2).astype(np.float32)
    return found


def _key(word: str) -> str:
    """Return the form in which a name, a number, or a word that two languages share is compared; none for others."""
    if word.isdigit():
        return word
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    return plain[:_STEM_LETTERS] if len(plain) >= _ANCHOR_LETTERS else ""


def _length_ms(words: Sequence[SaidWord]) -> int:
    return sum(word.end_ms - word.start_ms for word in words)


def _heard_share(speech: Sequence[Region], said: Sequence[SaidWord]) -> float:
    """Return the share of the speech in whose regions a word was heard."""
    middles = np.sort(np.array([(word.start_ms + word.end_ms) // 2 for word in said]))
    lengths = [one.end_ms - one.start_ms for one in speech]
    counts = [np.searchsorted(middles, one.end_ms) - np.searchsorted(middles, one.start_ms) for one in speech]
    return sum(length for length, count in zip(lengths, counts, strict=True) if count) / max(1, sum(lengths))


def _summed(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)]).astype(np.float32)


def _marked(times: Iterable[int], size: int) -> Floats:
    found = np.zeros(size, dtype=np.float32)
    for at_ms in times:
        found[min(at_ms // BIN_MS, size - 1)] = 1.0
    return found


def _near(times: NDArray[np.int64], size: int) -> Floats:
    """Return how near each bin is to one of these times: 1 there, and 0 on average."""
    near = np.zeros(size, dtype=np.float32)
    for at in times // BIN_MS:
        for step in range(-_NEAR_BINS, _NEAR_BINS + 1):
            if 0 <= at + step < size:
                near[at + step] = max(near[at + step], 1.0 - abs(step) / (_NEAR_BINS + 1))
    found: Floats = near - near.mean()
    return found
