"""Apply changes to the tokens of a text, and return a pin for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shared.documents.cue import Cue
from shared.documents.pins import Pin
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript
from stages.correct.changes import Change
from stages.correct.documents import DocumentChange, document_cues
from stages.correct.rewording import reword
from stages.correct.timeline import Timeline, locate
from stages.correct.tokens import Token, align, tokens_of_cue, tokens_of_segment
from stages.toolkit.cues.marks import words_of_lines


class ChangeApplier:
    """The tokens of one transcript while changes are applied to them. `touched` has the numbers of the segments that
    changed."""

    def __init__(self, transcript: Transcript) -> None:
        self._timeline = Timeline(
            token for number, one in enumerate(transcript.segments) for token in tokens_of_segment(one, number)
        )
        self.touched: set[int] = set()

    @property
    def tokens(self) -> list[Token]:
        """Return the present tokens."""
        return self._timeline.tokens

    def apply(self, change: Change, number: int, others: Sequence[Cue], *, is_base_known: bool = True) -> Pin:
        """Apply a change of cues by correction `number`, and return its pin. `others` are the cues that did not change.
        If the cues before the change are not known, no other cue keeps its tokens."""
        old, new = change.before, change.after
        pin = Pin(id=change.id, correction=number, before=old, cues=new, fixed=change.is_fixed)
        cue_tokens = [list(_with_rename_marks(tokens_of_cue(cue), cue, old)) for cue in new]
        if not any(cue_tokens) and not any(words_of_lines(cue.lines) for cue in old):
            return pin  # the change is to sounds: there are no words on either side
        first, last = locate(self._timeline, old or new, None if old else others if is_base_known else ())
        flat = [token for tokens in cue_tokens for token in tokens]
        aligned = _with_speakers(align(self.tokens[first:last], flat), flat)
        self._replace(first, last, aligned)
        cues = _with_spoken_times(new, [len(tokens) for tokens in cue_tokens], aligned)
        return pin.model_copy(update={"cues": tuple(cues)})

    def apply_document_change(self, change: DocumentChange, number: int) -> Pin:
        """Apply a change of segments by correction `number`, and return its pin."""
        old, new = document_cues(change.before), document_cues(change.after)
        pin = Pin(id=change.id, correction=number, before=old, cues=new)
        first, last = locate(self._timeline, old or new, None if old else ())
        tokens = [token for segment in change.after for token in _user_tokens(segment)]
        if change.keeps_times:
            timed = {cue.start_ms: cue for cue in new}
            in_cues = [
                replace(token, start_ms=cue.start_ms, end_ms=cue.end_ms)
                for segment in change.after
                for cue in (timed[segment.start_ms],)
                for token in _user_tokens(segment)
            ]
            tokens = _with_speakers(align(self.tokens[first:last], in_cues), tokens if change.has_speakers else ())
        self._replace(first, last, tokens)
        return pin

    def reword(self, pin: Pin, later: Iterable[Pin]) -> Pin:
        """Return an earlier pin with the present words, if a later change touches its time."""
        if not any(_overlap(cue, other) for cue in pin.cues for new in later for other in (*new.before, *new.cues)):
            return pin
        return pin.model_copy(update={"cues": tuple(map(self._reworded, pin.cues))})

    def _reworded(self, cue: Cue) -> Cue:
        spoken = cue.spoken
        if spoken is None:
            return cue
        first, last = locate(
            self._timeline, [cue.model_copy(update={"start_ms": spoken.start_ms, "end_ms": spoken.end_ms})]
        )
        words = [("" if token.joined else " ") + token.text for token in self.tokens[first:last]]
        lines = reword(cue.lines, "".join(words).split())
        without_spans = {} if lines == cue.lines else {"spans": ()}  # spans count letters of the old lines
        return cue.model_copy(update={"lines": lines, **without_spans})

    def _replace(self, first: int, last: int, new: Sequence[Token]) -> None:
        old = self.tokens[first:last]
        if list(new) != old:
            self.touched |= {token.segment for token in (*old, *new) if token.segment is not None}
            self._timeline.replace(first, last, new)


def _user_tokens(segment: Segment) -> Iterator[Token]:
    """Yield the tokens of a segment that a user wrote: they belong to no segment of the transcript yet."""
    for token in tokens_of_segment(segment, 0):
        yield replace(token, segment=None)


def _with_rename_marks(tokens: Iterable[Token], cue: Cue, old: Sequence[Cue]) -> Iterator[Token]:
    """Yield the tokens of a cue, marked if the user gave the cue to another speaker."""
    before = max(old, key=lambda other: _shared_ms(other, cue), default=None)
    is_renamed = before is not None and cue.speaker is not None and cue.speaker != before.speaker
    for token in tokens:
        yield replace(token, is_renamed=is_renamed)


def _with_speakers(aligned: Sequence[Token], edited: Sequence[Token]) -> list[Token]:
    """Return aligned tokens with the speakers that the user gave to the same tokens."""
    if len(aligned) != len(edited):
        return list(aligned)
    return [
        replace(token, speaker=own.speaker, is_renamed=True) if own.is_renamed else token
        for token, own in zip(aligned, edited, strict=True)
    ]


def _with_spoken_times(cues: Sequence[Cue], counts: Sequence[int], tokens: Sequence[Token]) -> Iterator[Cue]:
    """Yield the cues with the times of their tokens. `counts` are the numbers of tokens of the cues."""
    done = 0
    for cue, count in zip(cues, counts, strict=True):
        own = tokens[done : done + count]
        done += count
        if own:
            region = Region(start_ms=own[0].start_ms, end_ms=max(token.end_ms for token in own))
            yield cue.model_copy(update={"spoken": region})
        else:
            yield cue.model_copy(update={"spoken": None})


def _overlap(cue: Cue, other: Cue) -> bool:
    spoken = cue.spoken or Region(start_ms=cue.start_ms, end_ms=cue.end_ms)
    return spoken.start_ms < other.end_ms and other.start_ms < spoken.end_ms


def _shared_ms(one: Cue, other: Cue) -> int:
    return min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
