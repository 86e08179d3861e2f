"""Find the changes of a user in subtitles: the places where two versions of the cues differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol, TypeVar

from shared.documents.cue import Cue
from stages.toolkit.cues.marks import marks_of_lines, words_of_lines

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
        """Return the identifier of the change: a digest of its content."""
        content = repr([[_content(cue) for cue in cues] for cues in (self.before, self.after)])
        return hashlib.sha256(content.encode()).hexdigest()[:ID_LENGTH]

    @property
    def is_fixed(self) -> bool:
        """Tell whether the change is to more than words: to times, lines, marks, styles, or the number of cues."""
        if len(self.before) != len(self.after):
            return True
        return any(not _has_other_words_only(*pair) for pair in zip(self.before, self.after, strict=True))


def changes(before: Sequence[Cue], after: Sequence[Cue]) -> list[Change]:
    """Return the places where the cues differ, in order of time; cues that overlap in time are one place."""
    return [Change(*pair) for pair in differences(before, after, _content)]


def differences(
    before: Sequence[_Timed], after: Sequence[_Timed], content: Callable[[_Timed], Hashable]
) -> Iterator[tuple[tuple[_Timed, ...], tuple[_Timed, ...]]]:
    """Yield the items that differ between two versions, those of each side together, as one pair for each run of items
    that overlap in time. `content` returns what is compared of an item."""
    old, new = (sorted(items, key=lambda item: (item.start_ms, item.end_ms)) for items in (before, after))
    matcher = SequenceMatcher(None, list(map(content, old)), list(map(content, new)), autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind != "equal":
            yield from _split_by_time(old[i1:i2], new[j1:j2])


def _content(cue: Cue) -> tuple[object, ...]:
    """Return what a user can change in a cue."""
    return cue.start_ms, cue.end_ms, cue.lines, cue.speaker, cue.italic, repr(cue.spans), repr(cue.place)


def _split_by_time(
    old: Sequence[_Timed], new: Sequence[_Timed]
) -> Iterator[tuple[tuple[_Timed, ...], tuple[_Timed, ...]]]:
    """Yield the items of both sides in runs that overlap in time."""
    both = [*((0, item) for item in old), *((1, item) for item in new)]
    held: tuple[list[_Timed], list[_Timed]] = ([], [])
    until_ms = -1
    for side, item in sorted(both, key=lambda pair: (pair[1].start_ms, pair[1].end_ms, pair[0])):
        if item.start_ms >= until_ms and (held[0] or held[1]):
            yield tuple(held[0]), tuple(held[1])
            held = ([], [])
        held[side].append(item)
        until_ms = max(until_ms, item.end_ms)
    if held[0] or held[1]:
        yield tuple(held[0]), tuple(held[1])


def _has_other_words_only(before: Cue, after: Cue) -> bool:
    """Tell whether two cues differ only in their words."""
    if words_of_lines(before.lines).split() == words_of_lines(after.lines).split():
        return before.lines == after.lines and _look(before) == _look(after)
    return (
        _look(before) == _look(after)
        and not after.spans
        and marks_of_lines(before.lines) == marks_of_lines(after.lines)
    )


def _look(cue: Cue) -> tuple[object, ...]:
    return cue.start_ms, cue.end_ms, cue.italic, repr(cue.place), len(cue.spans)
