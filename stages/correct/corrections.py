"""Aligns what a person wrote with the words of a transcript: a word that stays keeps its times, a new one gets some.

Cues are compared first, those before a correction with those after it; only where they differ are words looked at. New
words take the time of those they replace, shared out by length, within the time of their cue. Whatever lies outside of
a changed cue stays as it is, so corrections hold on a transcript that another model made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path

from shared.documents.cue import Cue, ReadCues
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Device
from stages.toolkit.cues.marks import said_in
from stages.toolkit.formats.reader import read
from stages.toolkit.text.word_times import bare, by_length, rewritten, tokens_of

_NEW_WORD_MS = 300


@dataclass(frozen=True)
class _Token:
    """A word, or a cluster of a script without spaces. `segment` is its segment's place, None for one to be made."""

    text: str
    start_ms: int
    end_ms: int
    joined: bool = False
    word: Word | None = None  # that it was in the transcript
    segment: int | None = None
    speaker: str | None = None

    @property
    def heard(self) -> str:
        """Return the form that tokens are compared by: a changed comma alone moves no word."""
        return bare(self.text)


class Corrections:
    """The engine; holds nothing."""

    def read(self, subtitles: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`."""
        return read(subtitles)

    def adopt(self, base: Transcript, document: Transcript) -> Transcript:
        """Return the corrected document. Where a segment's text was changed and its words were not, they follow the
        text."""
        before = {segment.id: segment for segment in base.segments}
        segments = []
        for segment in document.segments:
            old = before.get(segment.id)
            text = _joined(segment.words)
            if segment.words and text != segment.text.strip():
                if old is not None and old.words == segment.words:
                    before_it = segment.model_copy(update={"text": text})
                    segment = _with_words(segment, rewritten(before_it, segment.text, probability=1.0).words)
                else:
                    segment = segment.model_copy(update={"text": text})
            segments.append(segment)
        return document.model_copy(update={"segments": _in_order(segments)})

    def carry(self, transcript: Transcript, base: Sequence[Cue], cues: Sequence[Cue]) -> Transcript:
        """Return the transcript with what differs between two versions of the subtitles that were made from it."""
        tokens = [token for number, one in enumerate(transcript.segments) for token in _tokens_of(one, number)]
        old, new = (sorted(some, key=lambda cue: cue.start_ms) for some in (base, cues))
        matcher = SequenceMatcher(None, [_key(cue) for cue in old], [_key(cue) for cue in new], autojunk=False)
        touched: set[int] = set()
        for kind, i1, i2, j1, j2 in reversed(matcher.get_opcodes()):  # from the end, so that places before it stay
            if kind == "equal" or (i1 == i2 and j1 == j2):
                continue
            first, last = _place(tokens, old[i1:i2] or new[j1:j2], by_text=i1 < i2)
            wanted = [token for cue in new[j1:j2] for token in _tokens_in(cue)]
            if not wanted and not any(said_in(cue.lines) for cue in old[i1:i2]):
                continue  # sounds alone: no word was there, and none is
            made = _align(tokens[first:last], wanted, new[j1:j2])
            if made == tokens[first:last]:
                continue
            touched |= {token.segment for token in tokens[first:last] if token.segment is not None}
            tokens[first:last] = made
            touched |= {token.segment for token in made if token.segment is not None}
        return transcript.model_copy(update={"segments": _in_order(_segments(transcript, tokens, touched))})


def load(models: Mapping[str, Path], device: Device) -> Corrections:
    """Do nothing: this backend has no model."""
    return Corrections()


def _key(cue: Cue) -> tuple[int, int, tuple[str, ...]]:
    return cue.start_ms, cue.end_ms, cue.lines


def _tokens_of(segment: Segment, number: int) -> Iterator[_Token]:
    """Yield a segment's words; where it has none, its text, in equal parts of its time."""
    words = segment.words or tuple(_spread(tokens_of(segment.text), segment.start_ms, segment.end_ms))
    for word in words:
        kept = word if segment.words else None
        parts = [part for part, _ in tokens_of(word.text)]
        length = word.end_ms - word.start_ms
        for place, part in enumerate(parts):
            yield _Token(
                part, word.start_ms + length * place // len(parts), word.start_ms + length * (place + 1) // len(parts),
                word.joined or place > 0, kept if len(parts) == 1 else None, number, word.speaker or segment.speaker,
            )  # fmt: skip


def _tokens_in(cue: Cue) -> Iterator[_Token]:
    for text, joined in tokens_of(said_in(cue.lines)):
        yield _Token(text, cue.start_ms, cue.end_ms, joined, speaker=cue.speaker)


def _place(tokens: Sequence[_Token], cues: Sequence[Cue], *, by_text: bool) -> tuple[int, int]:
    """Return the tokens that some cues were made from: those in their time, but no farther than their words go."""
    start_ms, end_ms = cues[0].start_ms, max(cue.end_ms for cue in cues)
    inside = [n for n, token in enumerate(tokens) if start_ms <= (token.start_ms + token.end_ms) // 2 < end_ms]
    if not inside:
        after = next((n for n, token in enumerate(tokens) if token.start_ms >= start_ms), len(tokens))
        return after, after
    first, last = inside[0], inside[-1] + 1
    if by_text:
        near, far = max(first - 3, 0), min(last + 3, len(tokens))
        said = [token.heard for cue in cues for token in _tokens_in(cue)]
        found = _same([token.heard for token in tokens[near:far]], said)
        if len(found) * 2 > len(said):  # else the transcript says something else here, and time alone must do
            # A first or last word that was heard otherwise is found by its time alone.
            first = near + min(found) if 0 in found.values() else min(near + min(found), first)
            last = near + max(found) + 1 if len(said) - 1 in found.values() else max(near + max(found) + 1, last)
    return first, last


def _same(one: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """Map places of `one` to the same places of `other`."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return {block.a + n: block.b + n for block in blocks for n in range(block.size)}


def _align(old: Sequence[_Token], new: Sequence[_Token], cues: Sequence[Cue]) -> list[_Token]:
    """Return `new`, which has the times of its cues, with the times of the same words in `old`."""
    matched = {there: here for here, there in _same([t.heard for t in old], [t.heard for t in new]).items()}
    made: list[_Token | None] = [None] * len(new)
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
    made: list[_Token | None], places: Sequence[int], new: Sequence[_Token], old: Sequence[_Token],
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


def _word(token: _Token) -> Word:
    if token.word is not None and token.word.text == token.text:
        return token.word.model_copy(update={"joined": token.joined})
    return Word(
        text=token.text, start_ms=token.start_ms, end_ms=token.end_ms, probability=1.0, joined=token.joined,
        speaker=token.speaker,
    )  # fmt: skip


def _segments(transcript: Transcript, tokens: Sequence[_Token], touched: set[int]) -> Iterator[Segment]:
    """Yield the segments again: those that nothing touched as they were, the others from their tokens, new ones
    apart."""
    by_segment: dict[int, list[_Token]] = {number: [] for number in touched}
    loose: list[_Token] = []
    for token in tokens:
        if token.segment is None:
            loose.append(token)
        elif token.segment in touched:
            by_segment[token.segment].append(token)
    for number, segment in enumerate(transcript.segments):
        if number not in touched:
            yield segment
        elif by_segment[number]:
            yield _with_words(segment, [_word(token) for token in by_segment[number]])
    for _, group in groupby(loose, key=lambda token: token.speaker):
        words = [_word(token) for token in group]
        empty = Segment(id=0, text="", start_ms=words[0].start_ms, end_ms=words[-1].end_ms, speaker=words[0].speaker)
        yield _with_words(empty, words)


def _with_words(segment: Segment, words: Sequence[Word]) -> Segment:
    times = {"start_ms": words[0].start_ms, "end_ms": max(word.end_ms for word in words)} if words else {}
    return segment.model_copy(update={"words": tuple(words), "text": _joined(words), **times})


def _joined(words: Sequence[Word]) -> str:
    return "".join(word.text if word.joined else f" {word.text}" for word in words).strip()


def _in_order(segments: Iterator[Segment] | Sequence[Segment]) -> tuple[Segment, ...]:
    ordered = sorted((one for one in segments if one.text.strip()), key=lambda one: (one.start_ms, one.end_ms))
    return tuple(one.model_copy(update={"id": number}) for number, one in enumerate(ordered))
