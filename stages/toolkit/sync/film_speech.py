"""Rate how well a cue in another language fits the speech of a film, at every offset.

A cue should be shown while people speak, and begin where speech or a sentence begins. A question in it should be spoken
as a question. Its length should be that of the words spoken meanwhile: the lengths of a text and of its translation go
together (Gale and Church, "A program for aligning sentences in bilingual corpora", 1993). Names, numbers and words of
common descent are spelt alike. Each part of the rating is 0 on average over all offsets, so a wrong offset gains
nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.documents.speech import Region
from stages.toolkit.sync.cue_words import CueText, RecognisedWord

BIN_MS = 100
_NEAR_BINS = 4  # a cue that begins so far from the beginning of speech still gains by it
_ONSET_WEIGHT, _ANCHOR_WEIGHT, _QUESTION_WEIGHT, _LENGTH_WEIGHT = 1.0, 1.5, 1.0, 0.6
_MOST_PLACES = 4  # of an anchor: a word that occurs more often does not tell a place
_ANCHOR_LETTERS, _STEM_LETTERS = 5, 6  # the shortest word that is an anchor, and how much of it is compared
_LEAST_HEARD_SHARE = 0.8  # of the speech with recognised words: with less, the sentence starts are not known
_ASKED_BEFORE_BINS = 2  # after a cue's beginning: a question that ends there belongs to the cue before
_MOST_LETTERS = 400  # of a cue
_LENGTH_SPREAD = 0.45  # standard deviation of the logarithm of the ratio of two lengths that belong together
_LENGTH_FLOOR = 4.0  # letters added to both lengths, so that short ones may differ more

Floats = NDArray[np.float32]


class FilmSpeech:
    """A film's speech, as arrays over its time in bins of `BIN_MS`.

    `begins` are the times in ms at which speech or a sentence begins; `opens` says for each bin how near it is to one
    of them; `letters_per_ms` is the pace of the recognised words, 0 where too few were recognised.
    """

    def __init__(self, speech: Sequence[Region], duration_ms: int, recognised: Sequence[RecognisedWord] = ()) -> None:
        self.duration_ms = duration_ms
        self.size = duration_ms // BIN_MS + 1
        covered = np.zeros(self.size, dtype=np.float32)
        for region in speech:
            covered[region.start_ms // BIN_MS : max(region.end_ms // BIN_MS, region.start_ms // BIN_MS + 1)] = 1.0
        self._spoken = _cumulative(covered - covered.mean())
        self._silence = -float(covered.mean())  # the value of a bin without speech, and of one outside the film
        words = recognised if _heard_share(speech, recognised) >= _LEAST_HEARD_SHARE else ()
        opening = [
            word.start_ms for number, word in enumerate(words) if not number or words[number - 1].ends_a_sentence
        ]
        self.begins = np.array(sorted({*(region.start_ms for region in speech), *opening}))
        self.opens = _near(self.begins, self.size)
        self._asked = _cumulative(_marked((word.end_ms for word in words if word.ends_a_question), self.size))
        letters = np.zeros(self.size, dtype=np.float32)
        for word in words:
            letters[min((word.start_ms + word.end_ms) // 2 // BIN_MS, self.size - 1)] += len(word.text)
        self._letters = _cumulative(letters)
        self._anchors: dict[str, list[int]] = {}
        for word in recognised:
            if key := _anchor(word.text):
                self._anchors.setdefault(key, []).append(word.start_ms)
        self.letters_per_ms = sum(len(word.text) for word in words) / max(1, _length_ms(words))

    def rating(self, cue: CueText, span: tuple[int, int], offsets: range, per_letter: float) -> Floats:
        """Return how well a cue fits at each offset, an array over `offsets`, which count bins. `span` is the cue's
        time in ms at the speed that is tried. A letter of the cue stands for `per_letter` recognised letters."""
        start, end = span[0] // BIN_MS, max(span[1] // BIN_MS, span[0] // BIN_MS + 1)
        low, high = _shifted(offsets, start), _shifted(offsets, end)
        spoken = _values_at(self._spoken, high, self._silence) - _values_at(self._spoken, low, self._silence)
        rating = spoken / np.float32(end - start) + _ONSET_WEIGHT * _values_at(self.opens, low)
        if self.letters_per_ms and cue.words:
            letters = _values_at(self._letters, high) - _values_at(self._letters, low)
            likeness = _likeness(round(per_letter * cue.letters))[np.minimum(letters, _MOST_LETTERS).astype(np.int64)]
            rating += _centre(likeness, _LENGTH_WEIGHT)
            latest, earliest = _shifted(high, _NEAR_BINS), _shifted(low, _ASKED_BEFORE_BINS)
            questions = _values_at(self._asked, latest) - _values_at(self._asked, earliest)
            asked = (questions > 0).astype(np.float32)
            rating += _centre(asked, _QUESTION_WEIGHT * (float(cue.is_question) - float(asked.mean())))
        self._add_anchors(rating, cue, (start, end), offsets)
        return rating

    def _add_anchors(self, rating: Floats, cue: CueText, span: tuple[int, int], offsets: range) -> None:
        """Raise the rating of a cue where its names and numbers were recognised. `span` is the cue's time in bins."""
        for key in {_anchor(word) for word in cue.words} - {""}:
            times = self._anchors.get(key, ())
            if len(times) > _MOST_PLACES:
                continue
            for at_ms in times:
                first, last = at_ms // BIN_MS - span[1] - _NEAR_BINS, at_ms // BIN_MS - span[0] + _NEAR_BINS
                inside = slice(max(0, first - offsets.start), max(0, last + 1 - offsets.start))
                rating[inside] += _ANCHOR_WEIGHT / len(times)


def _values_at(values: Floats, places: range, slope: float = 0.0) -> Floats:
    """Return the values at a range of places. Outside the array they continue with this slope."""
    last = len(values) - 1
    inside = values[max(0, places.start) : max(0, places.stop)]
    before = np.arange(places.start, min(0, places.stop), dtype=np.float32)
    after = np.arange(max(last + 1, places.start) - last, max(last + 1, places.stop) - last, dtype=np.float32)
    return np.concatenate([values[0] + slope * before, inside, values[-1] + slope * after], dtype=np.float32)


def _shifted(places: range, bins: int) -> range:
    return range(places.start + bins, places.stop + bins)


def _centre(values: Floats, weight: float) -> Floats:
    found: Floats = weight * (values - values.mean())
    return found


@lru_cache(maxsize=256)
def _likeness(letters: int) -> Floats:
    """Return for each number of spoken letters how well it fits a text of this many letters, up to 1."""
    spoken = np.arange(_MOST_LETTERS + 1) + _LENGTH_FLOOR
    found: Floats = np.exp(-((np.log(spoken / (letters + _LENGTH_FLOOR)) / _LENGTH_SPREAD) ** 2) / 2).astype(np.float32)
    return found


def _anchor(word: str) -> str:
    """Return the form in which a number or a word that two languages may share is compared; empty for a short word."""
    if word.isdigit():
        return word
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    return plain[:_STEM_LETTERS] if len(plain) >= _ANCHOR_LETTERS else ""


def _length_ms(words: Sequence[RecognisedWord]) -> int:
    return sum(word.end_ms - word.start_ms for word in words)


def _heard_share(speech: Sequence[Region], words: Sequence[RecognisedWord]) -> float:
    """Return the share of the speech, by length, whose regions hold a recognised word."""
    middles = np.sort(np.array([(word.start_ms + word.end_ms) // 2 for word in words]))
    lengths = [one.end_ms - one.start_ms for one in speech]
    counts = [np.searchsorted(middles, one.end_ms) - np.searchsorted(middles, one.start_ms) for one in speech]
    return sum(length for length, count in zip(lengths, counts, strict=True) if count) / max(1, sum(lengths))


def _cumulative(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)]).astype(np.float32)


def _marked(times: Iterable[int], size: int) -> Floats:
    found = np.zeros(size, dtype=np.float32)
    for at_ms in times:
        found[min(at_ms // BIN_MS, size - 1)] = 1.0
    return found


def _near(times: NDArray[np.int64], size: int) -> Floats:
    """Return how near each bin is to one of these times: highest at the times, and 0 on average over all bins."""
    near = np.zeros(size, dtype=np.float32)
    for at in times // BIN_MS:
        for step in range(-_NEAR_BINS, _NEAR_BINS + 1):
            if 0 <= at + step < size:
                near[at + step] = max(near[at + step], 1.0 - abs(step) / (_NEAR_BINS + 1))
    found: Floats = near - near.mean()
    return found
