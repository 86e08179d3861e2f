"""Decides what operations make of a draft of corrections: pure, and each can be undone.

A draft is a set of items with ids that stay through splits and merges: the cues of each track, the names of the
speakers, and the doubts that a person has found to be right. An operation names one item with its content before and
after, so it tells by itself whether it fits a draft, and its inverse is the same the other way round. A split is a
revision of two operations: one cue becomes shorter, another is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from shared.documents.base import Frozen
from shared.documents.cue import Cue

SPEAKER, DOUBT = "speaker", "doubt"
"""The beginnings of the ids of speakers and doubts, before a `/`; those of cues begin with their track."""


class SpeakerName(Frozen):
    """The name of the speaker whom the transcript calls by the rest of the item's id."""

    name: str = Field(min_length=1, max_length=100)


class Mark(Frozen):
    """The finding that the place of a doubt is right as it is."""

    right: Literal[True]


Item = Cue | SpeakerName | Mark
Draft = Mapping[str, Item]
"""The items by id."""


class Operation(Frozen):
    """A change of the item `id` from `before` to `after`; None: the item is not there."""

    id: str = Field(min_length=1, max_length=200)
    before: Item | None = None
    after: Item | None = None


class Revision(Frozen):
    """Operations that were saved together. Numbers count from 1; `undoes` is the revision that this one takes back,
    `redoes` the undoing that it takes back. `batch` is the name that the client gave them."""

    number: int
    operations: tuple[Operation, ...]
    undoes: int | None = None
    redoes: int | None = None
    batch: str | None = None


class OperationConflict(Exception):
    """Error: an operation was made for another content of its item. `operation` is the first one that does not fit, and
    `now` the present content."""

    def __init__(self, operation: Operation, now: Item | None) -> None:
        super().__init__(f"the item {operation.id} is not what the operation was made for")
        self.operation, self.now = operation, now


def applied(draft: Draft, operations: Iterable[Operation]) -> dict[str, Item]:
    """Return the draft after the operations. Raises `OperationConflict`, and then nothing is applied."""
    found = dict(draft)
    for operation in operations:
        now = found.get(operation.id)
        if now != operation.before:
            raise OperationConflict(operation, now)
        if operation.after is None:
            found.pop(operation.id, None)
        else:
            found[operation.id] = operation.after
    return found


def inverse(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations that take these back."""
    return tuple(
        Operation(id=operation.id, before=operation.after, after=operation.before) for operation in reversed(operations)
    )


def to_undo(revisions: Sequence[Revision]) -> Revision | None:
    """Return the newest revision that is neither undone nor an undoing."""
    taken_back = {revision.undoes for revision in revisions}
    return next(
        (one for one in reversed(revisions) if one.undoes is None and one.number not in taken_back), None
    )  # fmt: skip


def to_redo(revisions: Sequence[Revision]) -> Revision | None:
    """Return the newest undoing that is not taken back, if nothing else was done since."""
    taken_back = {revision.redoes for revision in revisions}
    for one in reversed(revisions):
        if one.undoes is not None and one.number not in taken_back:
            return one
        if one.undoes is None and one.redoes is None:
            return None
    return None


def cues_of(draft: Draft, track: str) -> list[tuple[str, Cue]]:
    """Return the cues of a track in order of time, each with its id."""
    found = [(name, item) for name, item in draft.items() if isinstance(item, Cue) and track_of(name) == track]
    return sorted(found, key=lambda one: (one[1].start_ms, one[1].end_ms, one[0]))


def track_of(name: str) -> str:
    """Return the first part of an id: the track of a cue, `SPEAKER` or `DOUBT`."""
    return name.partition("/")[0]
