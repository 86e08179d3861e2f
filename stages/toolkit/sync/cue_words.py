"""The words of cues and of a transcript in the form in which they are matched, and the times that a match gives a
cue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from shared.documents.transcript import Transcript, Word
from shared.text.sentence_end import ends_sentence
from stages.toolkit.cues.parts import parts_of, pasted
from stages.toolkit.sync.pieces import Piece, Point
from stages.toolkit.sync.word_match import match_words, seeds
from stages.toolkit.text.word_times import bare, tokens_of

_USUAL_MS_PER_LETTER = 70.0
_WEIGHTS = (1.0, 0.5, 0.5)  # of a cue's time by the number of words before the first that was heard
_WEIGHT = 0.25
_VOTE_MS = 1_000
_NEAR_LINE_MS = 3_000  # as far as single lines slip
_HEARD_SHARE = 0.34  # of a cue's words
_QUESTION_MARKS = "?？؟"
_SURE_WORDS = 3  # so many words of one cue, heard together, are not there by chance


@dataclass(frozen=True)
class CueText:
    """A cue as it is matched: its time in the file and the words that are spoken in it."""

    start_ms: int
    end_ms: int
    words: tuple[str, ...]
    asks: bool = False

    @property
    def letters(self) -> int:
        """Return the length of its words."""
        return sum(map(len, self.words))


class SaidWord(NamedTuple):
    """A word that was heard as it is matched, with its times, and whether it ends a sentence or a question."""

    text: str
    start_ms: int
    end_ms: int
    closes: bool = False
    asks: bool = False


@dataclass(frozen=True)
class HeardCue:
    """The words of a cue that were heard, each as its place in the cue and its times; its number is `cue`."""

    cue: int
    size: int
    words: tuple[tuple[int, int, int], ...]
    start_ms: int  # of the first word of the cue, estimated where that was not heard
    weight: float

    @property
    def end_ms(self) -> int:
        """Return the end of the last word that was heard."""
        return self.words[-1][2]


@dataclass(frozen=True)
class Heard:
    """The match of a text with what was heard: the cues of which a word was heard, in their order, and how many words
    the two sides have and share."""

    cues: tuple[HeardCue, ...]
    text_words: int
    heard_words: int
    shared_words: int


def cue_text(start_ms: int, end_ms: int, lines: Sequence[str]) -> CueText:
    """Return a cue with the words of its lines that are said or sung."""
    said = pasted(part.text for part in parts_of(lines) if part.kind != "sound")
    words = tuple(bare(token) for token, _ in tokens_of(said) if _is_said(token))
    return CueText(start_ms, end_ms, words, _asks(said))


def hear(cues: Sequence[CueText], transcript: Transcript, along: Piece | None = None) -> Heard:
    """Match the words of cues with those of a transcript; with `along`, with those alone that are heard near the time
    that it gives a cue. Of two cues with the same words and times, as layers of one text, the first counts for
    both."""
    said = said_words(transcript)
    places = _places(cues)
    text = [cues[number].words[place] for number, place in places]
    if along is None:
        pairs = match_words(text, [word.text for word in said])
    else:
        expected = [along.film_ms(cues[number].start_ms) for number, _ in places]
        latest = [along.film_ms(cues[number].end_ms) for number, _ in places]
        pairs = match_words(
            text, [word.text for word in said],
            lambda place, at: expected[place] - _NEAR_LINE_MS <= said[at].start_ms <= latest[place] + _NEAR_LINE_MS,
        )  # fmt: skip
    found: dict[int, list[tuple[int, int, int]]] = {}
    for pair in pairs:
        number, place = places[pair.text]
        found.setdefault(number, []).append((place, *said[pair.heard][1:3]))
    speed = _ms_per_letter(cues, found)
    heard: list[HeardCue] = []
    for number, cue in enumerate(cues):
        if number in found:
            heard.append(_placed(number, cue, found[number], speed))
        elif heard and heard[-1].cue == number - 1 and cue == cues[number - 1]:
            heard.append(_placed(number, cue, list(heard[-1].words), speed))
    return Heard(tuple(heard), len(text), len(said), len(pairs))


def commonest_offset(cues: Sequence[CueText], transcript: Transcript, speed: float) -> float:
    """Return the offset at which, at a speed, most of the rare words of cues are heard. What a film says twice is
    matched with both places here, and so does not hide it."""
    said = said_words(transcript)
    places = _places(cues)
    votes: dict[int, int] = defaultdict(int)
    for pair, _ in seeds([cues[number].words[place] for number, place in places], [word.text for word in said]):
        cue = cues[places[pair.text][0]]
        middle = speed * (cue.start_ms + cue.end_ms) / 2
        votes[round((said[pair.heard].start_ms - middle) / _VOTE_MS)] += 1

    def nearby(step: int) -> int:
        return votes.get(step - 1, 0) + 2 * votes.get(step, 0) + votes.get(step + 1, 0)

    best = max(votes, key=nearby, default=0)  # none where every word is a common one
    return float(best * _VOTE_MS)


def _places(cues: Sequence[CueText]) -> list[tuple[int, int]]:
    """Return the number of the cue and the place in it of each word."""
    return [
        (number, place)
        for number, cue in enumerate(cues)
        if not (number and cue == cues[number - 1])
        for place in range(len(cue.words))
    ]


def without_times(cues: Sequence[CueText]) -> set[int]:
    """Return the cues whose times are lost: a program that moved a file by too much put several at its beginning."""
    found = {number for number, cue in enumerate(cues) if cue.start_ms == 0}
    return found if len(found) > 1 else set()


def points_of(cues: Sequence[CueText], heard: Heard) -> list[Point]:
    """Return the cues that were heard with their times in the file and in the film.

    Cues whose times are lost count only if there are no others. So do cues of which few words were heard, because a
    word or two are everywhere.
    """
    lost = without_times(cues)
    timed = [found for found in heard.cues if found.cue not in lost] or list(heard.cues)
    sure = [found for found in timed if len(found.words) >= _HEARD_SHARE * found.size] or timed
    return [Point(found.cue, cues[found.cue].start_ms, found.start_ms, found.weight) for found in sure]


def said_words(transcript: Transcript) -> list[SaidWord]:
    """Return the words of a transcript without marks, with their times, clusters where no spaces part words."""
    found = []
    for segment in transcript.segments:
        words = segment.words or (_whole(segment.text, segment.start_ms, segment.end_ms),)
        for word in words:
            tokens = [bare(token) for token, _ in tokens_of(word.text) if _is_said(token)]
            length = word.end_ms - word.start_ms
            for place, token in enumerate(tokens):
                at, end = (word.start_ms + length * step // len(tokens) for step in (place, place + 1))
                last = place == len(tokens) - 1
                found.append(SaidWord(token, at, end, last and ends_sentence(word.text), last and _asks(word.text)))
    return found


def _whole(text: str, start_ms: int, end_ms: int) -> Word:
    return Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=0.0)


def _asks(text: str) -> bool:
    return any(mark in text for mark in _QUESTION_MARKS)


def _is_said(token: str) -> bool:
    return any(letter.isalnum() for letter in token)


def _ms_per_letter(cues: Sequence[CueText], found: dict[int, list[tuple[int, int, int]]]) -> float:
    """Return how long a letter takes, by words of a cue that were heard one after the other."""
    lengths = [
        (other[1] - one[1]) / len(cues[number].words[one[0]])
        for number, words in found.items()
        for one, other in pairwise(words)
        if other[0] == one[0] + 1 and other[1] > one[1]
    ]
    return median(lengths) if lengths else _USUAL_MS_PER_LETTER


def _placed(number: int, cue: CueText, words: list[tuple[int, int, int]], ms_per_letter: float) -> HeardCue:
    first = words[0][0]
    missing = sum(len(word) for word in cue.words[:first])
    weight = (_WEIGHTS[first] if first < len(_WEIGHTS) else _WEIGHT) * min(1.0, len(words) / _SURE_WORDS)
    start_ms = max(0, round(words[0][1] - missing * ms_per_letter))
    return HeardCue(number, len(cue.words), tuple(words), start_ms, weight)
