"""Align a user's text with the words of a transcript: a word that stays keeps its times, a new one gets times.

New words share the time of the words that they replace, by length, within the time of their cue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby

from shared.documents.cue import Cue
from shared.documents.transcript import Segment, Transcript, Word
from stages.toolkit.cues.marks import words_of_lines
from stages.toolkit.text.word_times import bare, by_length, tokens_of

_NEW_WORD_MS = 300  # of a new word after the last old one of its cue, at most
_PAUSE_MS = 1_000  # a longer pause between new words divides them into segments


@dataclass(frozen=True)
class Token:
    """A word, or a grapheme cluster of a script without spaces.

    `segment` is the number of its segment, None if that is still to be made. `word` is the word of the transcript that
    it is. `is_renamed` tells that the user gave it to another speaker.
    """

    text: str
    start_ms: int
    end_ms: int
    joined: bool = False
    word: Word | None = None
    segment: int | None = None
    speaker: str | None = None
    is_renamed: bool = False

    @property
    def middle_ms(self) -> int:
        """Return the middle of its time."""
        return (self.start_ms + self.end_ms) // 2

    @property
    def key(self) -> str:
        """Return the form by which tokens are compared, without marks: a changed comma moves no word."""
        return bare(self.text)


def tokens_of_segment(segment: Segment, number: int) -> Iterator[Token]:
    """Yield the words of segment `number`, or its text over its time if it has no words."""
    words = segment.words or tuple(_spread(tokens_of(segment.text), segment.start_ms, segment.end_ms))
    for word in words:
        kept = word if segment.words else None
        parts = [part for part, _ in tokens_of(word.text)]
        length = word.end_ms - word.start_ms
        for place, part in enumerate(parts):
            yield Token(
                text=part,
                start_ms=word.start_ms + length * place // len(parts),
                end_ms=word.start_ms + length * (place + 1) // len(parts),
                joined=word.joined or place > 0,
                word=kept if len(parts) == 1 else None,
                segment=number,
                speaker=word.speaker or segment.speaker,
            )


def tokens_of_cue(cue: Cue) -> Iterator[Token]:
    """Yield the words of a cue; each token has the time of the cue."""
    for text, joined in tokens_of(words_of_lines(cue.lines)):
        yield Token(text, cue.start_ms, cue.end_ms, joined, speaker=cue.speaker)


def matching_places(one: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Return the places of `other` that match places of `one`, by the latter."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}


def align(old: Sequence[Token], new: Sequence[Token]) -> list[Token]:
    """Return the tokens `new`, which have the times of their cues, with the times of the same words in `old`."""
    same = matching_places([token.key for token in old], [token.key for token in new])
    matched = {place: old_place for old_place, place in same.items()}
    aligned: list[Token | None] = [None] * len(new)
    for place, token in enumerate(new):
        if place in matched:
            own = old[matched[place]]
            if own.end_ms > token.start_ms and own.start_ms < token.end_ms:  # else its cue was moved
                word = own.word if own.text == token.text else None
                aligned[place] = replace(own, text=token.text, joined=token.joined, word=word)
    for is_aligned, group in groupby(range(len(new)), key=lambda place: aligned[place] is not None):
        if not is_aligned:
            _fill(aligned, list(group), new, old, matched)
    return [token for token in aligned if token is not None]


def _fill(
    aligned: list[Token | None], places: Sequence[int], new: Sequence[Token], old: Sequence[Token],
    matched: Mapping[int, int],
) -> None:  # fmt: skip
    """Give a run of new words the time of the words that they replace, or of the gap, or of their cue."""
    before = aligned[places[0] - 1] if places[0] else None
    after = aligned[places[-1] + 1] if places[-1] + 1 < len(new) else None
    from_old = matched[places[0] - 1] + 1 if places[0] - 1 in matched and before else 0
    to_old = matched[places[-1] + 1] if places[-1] + 1 in matched and after else len(old)
    replaced = [token for token in old[from_old:to_old] if token.end_ms > new[places[0]].start_ms]
    replaced = [token for token in replaced if token.start_ms < new[places[-1]].end_ms]
    neighbour = before or after or (replaced[0] if replaced else None)
    for _, group in groupby(places, key=lambda place: new[place].start_ms):  # words stay in the time of their cue
        in_cue = list(group)
        cue = new[in_cue[0]]
        start_ms, end_ms = cue.start_ms, cue.end_ms
        if before:
            start_ms = min(max(start_ms, before.end_ms), end_ms)
        if after:
            end_ms = max(min(end_ms, after.start_ms), start_ms)
        if replaced:
            start_ms = min(max(start_ms, replaced[0].start_ms), end_ms)
            end_ms = max(min(end_ms, replaced[-1].end_ms), start_ms)
        elif before and not after:
            end_ms = min(end_ms, start_ms + _NEW_WORD_MS * len(in_cue))
        words = _spread([(new[place].text, new[place].joined) for place in in_cue], start_ms, end_ms)
        for place, word in zip(in_cue, words, strict=True):
            aligned[place] = replace(
                new[place], start_ms=word.start_ms, end_ms=word.end_ms,
                segment=neighbour.segment if neighbour else None,
                speaker=(neighbour.speaker if neighbour else None) or cue.speaker,
            )  # fmt: skip


def _spread(texts: Sequence[tuple[str, bool]], start_ms: int, end_ms: int) -> list[Word]:
    """Return words over an interval, each by its length and with probability 1."""
    times = by_length([text for text, _ in texts], start_ms, end_ms)
    return [
        Word(text=text, start_ms=at_ms, end_ms=until_ms, probability=1.0, joined=joined)
        for (text, joined), (at_ms, until_ms) in zip(texts, times, strict=True)
    ]


def _word(token: Token) -> Word:
    if token.word is not None and token.word.text == token.text:
        speaker = {"speaker": token.speaker} if token.is_renamed else {}
        return token.word.model_copy(update={"joined": token.joined, **speaker})
    return Word(
        text=token.text, start_ms=token.start_ms, end_ms=token.end_ms, probability=1.0, joined=token.joined,
        speaker=token.speaker,
    )  # fmt: skip


def transcript_of(transcript: Transcript, tokens: Sequence[Token], touched: Set[int]) -> Transcript:
    """Return the transcript with the words of the tokens in the `touched` segments, and with segments for tokens that
    have none. All other segments stay as they are."""
    return transcript.model_copy(update={"segments": in_order(_segments(transcript, tokens, touched))})


def _segments(transcript: Transcript, tokens: Sequence[Token], touched: Set[int]) -> Iterator[Segment]:
    by_segment: dict[int, list[Token]] = {number: [] for number in touched}
    for token in tokens:
        if token.segment is not None and token.segment in touched:
            by_segment[token.segment].append(token)
    for number, segment in enumerate(transcript.segments):
        if number not in touched:
            yield segment
        elif by_segment[number]:
            changed = with_words(segment, [_word(token) for token in by_segment[number]])
            speakers = {token.speaker for token in by_segment[number]}
            is_renamed = any(token.is_renamed for token in by_segment[number])
            yield (
                changed.model_copy(update={"speaker": speakers.pop()}) if is_renamed and len(speakers) == 1 else changed
            )
    for run in _runs_without_segment(tokens):
        words = [_word(token) for token in run]
        empty = Segment(id=0, text="", start_ms=words[0].start_ms, end_ms=words[-1].end_ms, speaker=words[0].speaker)
        yield with_words(empty, words)


def _runs_without_segment(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the tokens without a segment in runs. A run ends before a token with a segment, at a pause, and at a change
    of speaker."""
    held: list[Token] = []
    for token in tokens:
        last = held[-1] if held else token
        if held and (
            token.segment is not None or token.speaker != last.speaker or token.start_ms - last.end_ms > _PAUSE_MS
        ):
            yield held
            held = []
        if token.segment is None:
            held.append(token)
    if held:
        yield held


def with_words(segment: Segment, words: Sequence[Word]) -> Segment:
    """Return the segment with these words, and with their text and times."""
    times = {"start_ms": words[0].start_ms, "end_ms": max(word.end_ms for word in words)} if words else {}
    return segment.model_copy(update={"words": tuple(words), "text": joined(words), **times})


def joined(words: Sequence[Word]) -> str:
    """Return the words as text."""
    return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()


def in_order(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the segments with text in order of time, numbered from 0."""
    with_text = (segment for segment in segments if segment.text.strip())
    ordered = sorted(with_text, key=lambda segment: (segment.start_ms, segment.end_ms))
    return tuple(segment.model_copy(update={"id": number}) for number, segment in enumerate(ordered))
