"""Aligns what a user wrote with the words of a transcript: a word that stays keeps its times, a new one gets some.

New words take the time of those they replace, shared out by length, within the time of their cue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby

from shared.documents.cue import Cue
from shared.documents.transcript import Segment, Transcript, Word
from stages.toolkit.cues.marks import said_in
from stages.toolkit.text.word_times import bare, by_length, tokens_of

_NEW_WORD_MS = 300
_PAUSE_MS = 1_000  # new words farther apart are segments of their own


@dataclass(frozen=True)
class Token:
    """A word, or a cluster of a script without spaces.

    `segment` is its segment's place, None for one to be made. `word` is the transcript's own word. `is_renamed`: a user
    has given it to another speaker.
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
        """Return the time between its start and its end."""
        return (self.start_ms + self.end_ms) // 2

    @property
    def heard(self) -> str:
        """Return the form that tokens are compared by: a changed comma alone moves no word."""
        return bare(self.text)


def tokens_of_segment(segment: Segment, number: int) -> Iterator[Token]:
    """Yield a segment's words; where it has none, its text, in equal parts of its time."""
    words = segment.words or tuple(_spread(tokens_of(segment.text), segment.start_ms, segment.end_ms))
    for word in words:
        kept = word if segment.words else None
        parts = [part for part, _ in tokens_of(word.text)]
        length = word.end_ms - word.start_ms
        for place, part in enumerate(parts):
            yield Token(
                part, word.start_ms + length * place // len(parts), word.start_ms + length * (place + 1) // len(parts),
                word.joined or place > 0, kept if len(parts) == 1 else None, number, word.speaker or segment.speaker,
            )  # fmt: skip


def tokens_of_cue(cue: Cue) -> Iterator[Token]:
    """Yield what a cue says; each token has the time of the cue."""
    for text, joined in tokens_of(said_in(cue.lines)):
        yield Token(text, cue.start_ms, cue.end_ms, joined, speaker=cue.speaker)


def same_places(one: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Map places of `one` to the same places of `other`."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}


def align(old: Sequence[Token], new: Sequence[Token]) -> list[Token]:
    """Return `new`, which has the times of its cues, with the times of the same words in `old`."""
    matched = {there: here for here, there in same_places([t.heard for t in old], [t.heard for t in new]).items()}
    made: list[Token | None] = [None] * len(new)
    for place, token in enumerate(new):
        if place in matched:
            was = old[matched[place]]
            if was.end_ms > token.start_ms and was.start_ms < token.end_ms:  # else its cue was moved
                keeps = was.word if was.text == token.text else None
                made[place] = replace(was, text=token.text, joined=token.joined, word=keeps)
    for is_known, group in groupby(range(len(new)), key=lambda place: made[place] is not None):
        if not is_known:
            _fill(made, list(group), new, old, matched)
    return [token for token in made if token is not None]


def _fill(
    made: list[Token | None], places: Sequence[int], new: Sequence[Token], old: Sequence[Token],
    matched: Mapping[int, int],
) -> None:  # fmt: skip
    """Give a run of new words the time of the words that they replace, else of the gap, else of their cue."""
    before = made[places[0] - 1] if places[0] else None
    after = made[places[-1] + 1] if places[-1] + 1 < len(new) else None
    from_old = matched[places[0] - 1] + 1 if places[0] - 1 in matched and before else 0
    to_old = matched[places[-1] + 1] if places[-1] + 1 in matched and after else len(old)
    replaced = [token for token in old[from_old:to_old] if token.end_ms > new[places[0]].start_ms]
    replaced = [token for token in replaced if token.start_ms < new[places[-1]].end_ms]
    neighbour = before or after or (replaced[0] if replaced else None)
    for _, group in groupby(places, key=lambda place: new[place].start_ms):  # a cue's words stay in its time
        some = list(group)
        cue = new[some[0]]
        start_ms, end_ms = cue.start_ms, cue.end_ms
        if before:
            start_ms = min(max(start_ms, before.end_ms), end_ms)
        if after:
            end_ms = max(min(end_ms, after.start_ms), start_ms)
        if replaced:
            start_ms = min(max(start_ms, replaced[0].start_ms), end_ms)
            end_ms = max(min(end_ms, replaced[-1].end_ms), start_ms)
        elif before and not after:
            end_ms = min(end_ms, start_ms + _NEW_WORD_MS * len(some))
        words = _spread([(new[place].text, new[place].joined) for place in some], start_ms, end_ms)
        for place, word in zip(some, words, strict=True):
            made[place] = replace(
                new[place], start_ms=word.start_ms, end_ms=word.end_ms,
                segment=neighbour.segment if neighbour else None,
                speaker=(neighbour.speaker if neighbour else None) or cue.speaker,
            )  # fmt: skip


def _spread(texts: Sequence[tuple[str, bool]], start_ms: int, end_ms: int) -> list[Word]:
    """Return words over a stretch of time, as sure as a person is."""
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


def assembled(transcript: Transcript, tokens: Sequence[Token], touched: Set[int]) -> Transcript:
    """Return the transcript of the tokens: untouched segments stay as they are, the others follow their tokens."""
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
    for some in _loose(tokens):
        words = [_word(token) for token in some]
        empty = Segment(id=0, text="", start_ms=words[0].start_ms, end_ms=words[-1].end_ms, speaker=words[0].speaker)
        yield with_words(empty, words)


def _loose(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the tokens without a segment, parted where others stand between them, at a pause, and at a new speaker."""
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
    """Return the segment with other words, and with their text and times."""
    times = {"start_ms": words[0].start_ms, "end_ms": max(word.end_ms for word in words)} if words else {}
    return segment.model_copy(update={"words": tuple(words), "text": joined(words), **times})


def joined(words: Sequence[Word]) -> str:
    """Return the text of words."""
    return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()


def in_order(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the segments that have a text in order of time, numbered."""
    ordered = sorted((one for one in segments if one.text.strip()), key=lambda one: (one.start_ms, one.end_ms))
    return tuple(one.model_copy(update={"id": number}) for number, one in enumerate(ordered))
