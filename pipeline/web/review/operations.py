"""Decides what operations make of a draft of subtitles: pure, and each can be undone.

A draft is a set of cues with ids that stay through splits and merges. An operation names one cue with its content
before and after, so it tells by itself whether it fits a draft, and its inverse is the same the other way round. A
split is a revision of two operations: one cue becomes shorter, another is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import Field

from shared.documents.base import Frozen
from shared.documents.cue import Cue

Draft = Mapping[str, Cue]
"""The cues by id."""


class Operation(Frozen):
    """A change of the cue `id` from `before` to `after`; None: the cue is not there."""

    id: str = Field(min_length=1, max_length=64)
    before: Cue | None = None
    after: Cue | None = None


class Revision(Frozen):
    """Operations that were saved together. Numbers count from 1; `undoes` is the revision that this one takes back."""

    number: int
    operations: tuple[Operation, ...]
    undoes: int | None = None


class OperationConflict(Exception):
    """Error: an operation was made for another content of its cue. `operation` is the first one that does not fit."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(f"the cue {operation.id} is not what the operation was made for")
        self.operation = operation


def applied(draft: Draft, operations: Iterable[Operation]) -> dict[str, Cue]:
    """Return the draft after the operations. Raises `OperationConflict`, and then nothing is applied."""
    found = dict(draft)
    for operation in operations:
        if found.get(operation.id) != operation.before:
            raise OperationConflict(operation)
        if operation.after is None:
            found.pop(operation.id, None)
        else:
            found[operation.id] = operation.after
    return found


def inverse(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations that take these back."""
    return tuple(Operation(id=one.id, before=one.after, after=one.before) for one in reversed(operations))


def to_undo(revisions: Sequence[Revision]) -> Revision | None:
    """Return the newest revision that is neither undone nor an undoing."""
    taken_back = {revision.undoes for revision in revisions}
    return next(
        (one for one in reversed(revisions) if one.undoes is None and one.number not in taken_back), None
    )  # fmt: skip


def in_order(draft: Draft) -> list[Cue]:
    """Return the cues of a draft in order of time."""
    return [cue for _, cue in sorted(draft.items(), key=lambda one: (one[1].start_ms, one[1].end_ms, one[0]))]
