"""Match the words of cues with the words of a transcript, and estimate when each cue begins in the film."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from shared.documents.transcript import Segment, Transcript, Word
from shared.text.sentence_end import ends_sentence
from stages.toolkit.cues.parts import join_texts, parts_of
from stages.toolkit.sync.pieces import Piece, Point
from stages.toolkit.sync.word_match import match_words, seeds
from stages.toolkit.text.word_times import bare, tokens_of

_USUAL_MS_PER_LETTER = 70.0
_WEIGHTS = (1.0, 0.5, 0.5)  # of a cue's time, by the number of its words before the first that was recognised
_SMALL_WEIGHT = 0.25  # with more words before that
_OFFSET_BIN_MS = 1_000
_NEAR_LINE_MS = 3_000  # single cues slip by so much at most
_LEAST_HEARD_SHARE = 0.34  # of a cue's words
_QUESTION_MARKS = "?？؟"
_SURE_WORDS = 3  # so many words of one cue, recognised together, are not there by chance


@dataclass(frozen=True)
class CueText:
    """A cue in the form in which it is matched: its time in the file and its spoken words, without marks and case."""

    start_ms: int
    end_ms: int
    words: tuple[str, ...]
    is_question: bool = False

    @property
    def letters(self) -> int:
        """Return the number of letters of its words."""
        return sum(map(len, self.words))


class MatchedWord(NamedTuple):
    """A word of a cue that was recognised: its place among the words of the cue, and its time in the film."""

    place: int
    start_ms: int
    end_ms: int


class RecognisedWord(NamedTuple):
    """A recognised word in the form in which it is matched, with its time in the film."""

    text: str
    start_ms: int
    end_ms: int
    ends_a_sentence: bool = False
    ends_a_question: bool = False


@dataclass(frozen=True)
class MatchedCue:
    """A cue of which at least one word was recognised."""

    cue: int  # its number, from 0
    size: int  # how many words it has
    words: tuple[MatchedWord, ...]
    start_ms: int  # of its first word, estimated if that was not recognised
    weight: float  # how sure `start_ms` is, to 1

    @property
    def end_ms(self) -> int:
        """Return the end of its last recognised word."""
        return self.words[-1].end_ms


@dataclass(frozen=True)
class WordMatch:
    """The match of a subtitle with a transcript: the cues of which a word was recognised, in order, and how many words
    the two sides have and share."""

    cues: tuple[MatchedCue, ...]
    text_words: int
    heard_words: int
    shared_words: int


def cue_text(start_ms: int, end_ms: int, lines: Sequence[str]) -> CueText:
    """Return a cue with the words of its lines that are spoken or sung."""
    spoken = join_texts(part.text for part in parts_of(lines) if part.kind != "sound")
    words = tuple(bare(token) for token, _ in tokens_of(spoken) if _has_letters(token))
    return CueText(start_ms, end_ms, words, _has_question_mark(spoken))


def match_cues(cues: Sequence[CueText], transcript: Transcript, along: Piece | None = None) -> WordMatch:
    """Match the words of cues with those of a transcript.

    With `along`, a word of a cue is matched only near the time that `along` gives the cue. Two cues in a row with the
    same words and times are layers of one text: the match of the first counts for both.
    """
    words = recognised_words(transcript)
    places = _word_places(cues)
    text = [cues[number].words[place] for number, place in places]
    if along is None:
        pairs = match_words(text, [word.text for word in words])
    else:
        earliest = [along.film_ms(cues[number].start_ms) - _NEAR_LINE_MS for number, _ in places]
        latest = [along.film_ms(cues[number].end_ms) + _NEAR_LINE_MS for number, _ in places]
        pairs = match_words(
            text,
            [word.text for word in words],
            lambda place, at: earliest[place] <= words[at].start_ms <= latest[place],
        )
    found: dict[int, list[MatchedWord]] = {}
    for pair in pairs:
        number, place = places[pair.text]
        word = words[pair.recognised]
        found.setdefault(number, []).append(MatchedWord(place, word.start_ms, word.end_ms))
    speed = _ms_per_letter(cues, found)
    matched: list[MatchedCue] = []
    for number, cue in enumerate(cues):
        if number in found:
            matched.append(_matched_cue(number, cue, found[number], speed))
        elif matched and matched[-1].cue == number - 1 and cue == cues[number - 1]:
            matched.append(_matched_cue(number, cue, matched[-1].words, speed))
    return WordMatch(tuple(matched), len(text), len(words), len(pairs))


def commonest_offset(cues: Sequence[CueText], transcript: Transcript, speed: float) -> float:
    """Return the offset in ms at which, at this speed, most of the rare words of cues are recognised.

    A text that the film says twice is matched with both places here, so that the wrong one does not hide the offset.
    """
    words = recognised_words(transcript)
    places = _word_places(cues)
    votes: dict[int, int] = defaultdict(int)
    for pair, _ in seeds([cues[number].words[place] for number, place in places], [word.text for word in words]):
        cue = cues[places[pair.text][0]]
        middle = speed * (cue.start_ms + cue.end_ms) / 2
        votes[round((words[pair.recognised].start_ms - middle) / _OFFSET_BIN_MS)] += 1

    def votes_near(step: int) -> int:
        return votes.get(step - 1, 0) + 2 * votes.get(step, 0) + votes.get(step + 1, 0)

    best = max(votes, key=votes_near, default=0)  # there are no votes if every word is a common one
    return float(best * _OFFSET_BIN_MS)


def _word_places(cues: Sequence[CueText]) -> list[tuple[int, int]]:
    """Return for each word the number of its cue and its place in it. A cue that equals the one before it has none."""
    return [
        (number, place)
        for number, cue in enumerate(cues)
        if not (number and cue == cues[number - 1])
        for place in range(len(cue.words))
    ]


def cues_without_times(cues: Sequence[CueText]) -> set[int]:
    """Return the cues whose times are lost: a program that moved a file back too far left several at 0."""
    found = {number for number, cue in enumerate(cues) if cue.start_ms == 0}
    return found if len(found) > 1 else set()


def points_of(cues: Sequence[CueText], match: WordMatch) -> list[Point]:
    """Return the matched cues with their times in the file and in the film.

    Cues whose times are lost count only if there are no others. Cues of which few words were recognised count only if
    there are no others, too: single words occur everywhere.
    """
    lost = cues_without_times(cues)
    timed = [matched for matched in match.cues if matched.cue not in lost] or list(match.cues)
    sure = [matched for matched in timed if len(matched.words) >= _LEAST_HEARD_SHARE * matched.size] or timed
    return [Point(matched.cue, cues[matched.cue].start_ms, matched.start_ms, matched.weight) for matched in sure]


def recognised_words(transcript: Transcript) -> list[RecognisedWord]:
    """Return the words of a transcript without marks and case, with their times. In scripts without spaces, a word is a
    grapheme cluster."""
    found = []
    for segment in transcript.segments:
        words = segment.words or (_as_word(segment),)
        for word in words:
            tokens = [bare(token) for token, _ in tokens_of(word.text) if _has_letters(token)]
            length = word.end_ms - word.start_ms
            for place, token in enumerate(tokens):
                at, end = (word.start_ms + length * step // len(tokens) for step in (place, place + 1))
                last = place == len(tokens) - 1
                found.append(
                    RecognisedWord(
                        token, at, end, last and ends_sentence(word.text), last and _has_question_mark(word.text)
                    )
                )
    return found


def _as_word(segment: Segment) -> Word:
    """Return a segment without timed words as one word."""
    return Word(text=segment.text, start_ms=segment.start_ms, end_ms=segment.end_ms, probability=0.0)


def _has_question_mark(text: str) -> bool:
    return any(mark in text for mark in _QUESTION_MARKS)


def _has_letters(token: str) -> bool:
    return any(letter.isalnum() for letter in token)


def _ms_per_letter(cues: Sequence[CueText], found: Mapping[int, Sequence[MatchedWord]]) -> float:
    """Return how long a letter is spoken, measured on neighbouring words of a cue that were both recognised."""
    lengths = [
        (following.start_ms - word.start_ms) / len(cues[number].words[word.place])
        for number, words in found.items()
        for word, following in pairwise(words)
        if following.place == word.place + 1 and following.start_ms > word.start_ms
    ]
    return median(lengths) if lengths else _USUAL_MS_PER_LETTER


def _matched_cue(number: int, cue: CueText, words: Sequence[MatchedWord], ms_per_letter: float) -> MatchedCue:
    """Return the match of a cue. Its start is that of its first recognised word, less the time of the words before."""
    first = words[0].place
    missing_letters = sum(len(word) for word in cue.words[:first])
    weight = (_WEIGHTS[first] if first < len(_WEIGHTS) else _SMALL_WEIGHT) * min(1.0, len(words) / _SURE_WORDS)
    start_ms = max(0, round(words[0].start_ms - missing_letters * ms_per_letter))
    return MatchedCue(number, len(cue.words), tuple(words), start_ms, weight)
