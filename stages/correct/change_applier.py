"""Carries changes into the tokens of a text, and returns a pin for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from shared.documents.cue import Cue
from shared.documents.pins import Pin
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript
from stages.correct.changes import Change
from stages.correct.documents import DocumentChange, document_cues
from stages.correct.rewording import reworded
from stages.correct.timeline import Timeline, placed
from stages.correct.tokens import Token, align, tokens_of_cue, tokens_of_segment
from stages.toolkit.cues.marks import said_in


class Carrying:
    """The tokens of one transcript while changes are carried into them; `touched` are the segments that changed."""

    def __init__(self, transcript: Transcript) -> None:
        self._timeline = Timeline(
            token for number, one in enumerate(transcript.segments) for token in tokens_of_segment(one, number)
        )
        self.touched: set[int] = set()

    @property
    def tokens(self) -> list[Token]:
        """Return the tokens as they are now."""
        return self._timeline.tokens

    def carry(self, change: Change, number: int, others: Sequence[Cue], *, is_all: bool = False) -> Pin:
        """Carry the change of some cues, and return its pin. `others` are the cues that did not change. `is_all`: what
        the cues were before is not known."""
        old, new = change.before, change.after
        pin = Pin(id=change.id, correction=number, before=old, cues=new, fixed=change.is_fixed)
        wanted = [list(_renamed(tokens_of_cue(cue), cue, old)) for cue in new]
        if not any(wanted) and not any(said_in(cue.lines) for cue in old):
            return pin  # sounds alone: there was no word, and there is none
        first, last = placed(self._timeline, old or new, None if old else () if is_all else others)
        flat = [token for tokens in wanted for token in tokens]
        made = _with_speakers(align(self.tokens[first:last], flat), flat)
        self._put(first, last, made)
        return pin.model_copy(update={"cues": tuple(_spoken(new, [len(tokens) for tokens in wanted], made))})

    def carry_document(self, change: DocumentChange, number: int) -> Pin:
        """Carry the change of some segments, and return its pin."""
        old, new = document_cues(change.before), document_cues(change.after)
        pin = Pin(id=change.id, correction=number, before=old, cues=new)
        first, last = placed(self._timeline, old or new, None if old else ())
        wanted = [token for segment in change.after for token in _of_user(segment)]
        if change.keeps_times:
            timed = {cue.start_ms: cue for cue in new}
            in_cues = [
                replace(token, start_ms=cue.start_ms, end_ms=cue.end_ms)
                for segment in change.after
                for cue in (timed[segment.start_ms],)
                for token in _of_user(segment)
            ]
            made = _with_speakers(align(self.tokens[first:last], in_cues), wanted if change.has_speakers else ())
        else:
            made = wanted
        self._put(first, last, made)
        return pin

    def reworded(self, pin: Pin, later: Iterable[Pin]) -> Pin:
        """Return an earlier pin with the words that a later change of the transcript gave it."""
        if not any(_meet(cue, other) for cue in pin.cues for new in later for other in (*new.before, *new.cues)):
            return pin
        return pin.model_copy(update={"cues": tuple(map(self._reworded, pin.cues))})

    def _reworded(self, cue: Cue) -> Cue:
        spoken = cue.spoken
        if spoken is None:
            return cue
        first, last = placed(
            self._timeline, [cue.model_copy(update={"start_ms": spoken.start_ms, "end_ms": spoken.end_ms})]
        )
        said = [("" if token.joined else " ") + token.text for token in self.tokens[first:last]]
        lines = reworded(cue.lines, "".join(said).split())
        looks = {} if lines == cue.lines else {"spans": ()}  # they say which letters look otherwise
        return cue.model_copy(update={"lines": lines, **looks})

    def _put(self, first: int, last: int, made: Sequence[Token]) -> None:
        old = self.tokens[first:last]
        if list(made) != old:
            self.touched |= {token.segment for token in (*old, *made) if token.segment is not None}
            self._timeline.put(first, last, made)


def _of_user(segment: Segment) -> Iterator[Token]:
    for token in tokens_of_segment(segment, 0):
        yield replace(token, segment=None)


def _renamed(tokens: Iterable[Token], cue: Cue, old: Sequence[Cue]) -> Iterator[Token]:
    """Yield the tokens of a cue, marked where the user gave the cue to another speaker."""
    before = max(old, key=lambda one: _shared_ms(one, cue), default=None)
    is_renamed = before is not None and cue.speaker is not None and cue.speaker != before.speaker
    for token in tokens:
        yield replace(token, is_renamed=is_renamed)


def _with_speakers(made: Sequence[Token], wanted: Sequence[Token]) -> list[Token]:
    """Return aligned tokens with the speakers that the user gave to the same tokens."""
    if len(made) != len(wanted):
        return list(made)
    return [
        replace(token, speaker=told.speaker, is_renamed=True) if told.is_renamed else token
        for token, told in zip(made, wanted, strict=True)
    ]


def _spoken(cues: Sequence[Cue], counts: Sequence[int], made: Sequence[Token]) -> Iterator[Cue]:
    """Yield the cues with the times of their tokens, of which each has so many."""
    done = 0
    for cue, count in zip(cues, counts, strict=True):
        some = made[done : done + count]
        done += count
        if some:
            region = Region(start_ms=some[0].start_ms, end_ms=max(token.end_ms for token in some))
            yield cue.model_copy(update={"spoken": region})
        else:
            yield cue.model_copy(update={"spoken": None})


def _meet(cue: Cue, other: Cue) -> bool:
    spoken = cue.spoken or Region(start_ms=cue.start_ms, end_ms=cue.end_ms)
    return spoken.start_ms < other.end_ms and other.start_ms < spoken.end_ms


def _shared_ms(one: Cue, other: Cue) -> int:
    return min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
