"""Finds what a user changed in subtitles: the places where two versions of their cues differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol, TypeVar

from shared.documents.cue import Cue
from stages.toolkit.cues.marks import said_in, shown_in

ID_LENGTH = 10


class _HasTimes(Protocol):
    @property
    def start_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...


_Timed = TypeVar("_Timed", bound=_HasTimes)


@dataclass(frozen=True)
class Change:
    """Cues that became other cues at about the same time; one side may be empty."""

    before: tuple[Cue, ...]
    after: tuple[Cue, ...]

    @property
    def id(self) -> str:
        """Return a name of the change, made from its content."""
        content = repr([[_content(cue) for cue in cues] for cues in (self.before, self.after)])
        return hashlib.sha256(content.encode()).hexdigest()[:ID_LENGTH]

    @property
    def is_fixed(self) -> bool:
        """Tell whether it changes more than words: times, lines, marks, styles, or the cues themselves."""
        if len(self.before) != len(self.after):
            return True
        return any(not _has_other_words_only(*pair) for pair in zip(self.before, self.after, strict=True))


def changes(before: Sequence[Cue], after: Sequence[Cue]) -> list[Change]:
    """Return the places where the cues differ, in order of time; cues that overlap in time are one place."""
    return [Change(*pair) for pair in differences(before, after, _content)]


def differences(
    before: Sequence[_Timed], after: Sequence[_Timed], content: Callable[[_Timed], Hashable]
) -> Iterator[tuple[tuple[_Timed, ...], tuple[_Timed, ...]]]:
    """Yield what differs between two versions, parted wherever nothing of either version is in time."""
    old, new = (sorted(some, key=lambda one: (one.start_ms, one.end_ms)) for some in (before, after))
    matcher = SequenceMatcher(None, list(map(content, old)), list(map(content, new)), autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind != "equal":
            yield from _parted(old[i1:i2], new[j1:j2])


def _content(cue: Cue) -> tuple[object, ...]:
    """Return what a user can change in a cue."""
    return cue.start_ms, cue.end_ms, cue.lines, cue.speaker, cue.italic, repr(cue.spans), repr(cue.place)


def _parted(old: Sequence[_Timed], new: Sequence[_Timed]) -> Iterator[tuple[tuple[_Timed, ...], tuple[_Timed, ...]]]:
    both = [*((0, one) for one in old), *((1, one) for one in new)]
    held: tuple[list[_Timed], list[_Timed]] = ([], [])
    until_ms = -1
    for side, one in sorted(both, key=lambda pair: (pair[1].start_ms, pair[1].end_ms, pair[0])):
        if one.start_ms >= until_ms and (held[0] or held[1]):
            yield tuple(held[0]), tuple(held[1])
            held = ([], [])
        held[side].append(one)
        until_ms = max(until_ms, one.end_ms)
    if held[0] or held[1]:
        yield tuple(held[0]), tuple(held[1])


def _has_other_words_only(before: Cue, after: Cue) -> bool:
    """Tell whether two cues differ in their words, and in nothing else."""
    if said_in(before.lines).split() == said_in(after.lines).split():
        return before.lines == after.lines and _look(before) == _look(after)
    return _look(before) == _look(after) and not after.spans and shown_in(before.lines) == shown_in(after.lines)


def _look(cue: Cue) -> tuple[object, ...]:
    return cue.start_ms, cue.end_ms, cue.italic, repr(cue.place), len(cue.spans)
