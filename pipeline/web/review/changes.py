"""Finds what a run has changed in subtitles: the person's own changes, and what moved around them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from shared.documents.cue import Cue


@dataclass(frozen=True)
class Change:
    """Cues that became other cues at about the same time; one side may be empty. `by` says who wanted it so."""

    before: tuple[Cue, ...]
    after: tuple[Cue, ...]
    by: Literal["you", "layout"]

    @property
    def start_ms(self) -> int:
        """Return when the first of the cues begins."""
        return min(cue.start_ms for cue in (*self.before, *self.after))

    @property
    def end_ms(self) -> int:
        """Return when the last of the cues ends."""
        return max(cue.end_ms for cue in (*self.before, *self.after))


def changes(before: Sequence[Cue], wanted: Sequence[Cue], after: Sequence[Cue]) -> list[Change]:
    """Return the places where the cues differ before and after a run. `wanted` are the cues as the person left them:
    a place is theirs if they changed any cue of it."""
    own = {_content(cue) for cue in before} ^ {_content(cue) for cue in wanted}
    found = []
    for old, new in _differences(before, after):
        is_own = any(_content(cue) in own for cue in (*old, *new))
        found.append(Change(tuple(old), tuple(new), "you" if is_own else "layout"))
    return found


def _differences(before: Sequence[Cue], after: Sequence[Cue]) -> Iterator[tuple[list[Cue], list[Cue]]]:
    """Yield what differs, parted where nothing of either version is in time."""
    old, new = (sorted(some, key=lambda one: (one.start_ms, one.end_ms)) for some in (before, after))
    matcher = SequenceMatcher(None, list(map(_content, old)), list(map(_content, new)), autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            continue
        held: tuple[list[Cue], list[Cue]] = ([], [])
        until_ms = -1
        both = [*((0, cue) for cue in old[i1:i2]), *((1, cue) for cue in new[j1:j2])]
        for side, cue in sorted(both, key=lambda pair: (pair[1].start_ms, pair[1].end_ms, pair[0])):
            if cue.start_ms >= until_ms and (held[0] or held[1]):
                yield held
                held = ([], [])
            held[side].append(cue)
            until_ms = max(until_ms, cue.end_ms)
        if held[0] or held[1]:
            yield held


def _content(cue: Cue) -> tuple[object, ...]:
    """Return what a viewer sees of a cue."""
    return cue.start_ms, cue.end_ms, cue.lines, cue.italic, repr(cue.spans), repr(cue.place)
