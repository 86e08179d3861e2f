"""Carries out what a reviewer has ordered: corrections to be taken in or dropped when the run for it begins.

An order is a file, so that it survives the process that wrote it. It is carried out by the process that has the lock
of the results, and may be carried out twice: the second time changes nothing.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput
from pipeline.publishing.edits import Changed, EditStore, forget_edits
from shared.documents.base import Document, DocumentError, Frozen


class OrderedEdit(Frozen):
    """Corrected file to be taken in under `name`. `path` and the rest are as in `Changed`; paths are absolute."""

    name: str
    origin: str
    path: str
    before: str | None = None
    language: str | None = None
    source: str | None = None

    def as_changed(self) -> Changed:
        """Return the edit as the store of corrections takes it."""
        before, source = (Path(path) if path else None for path in (self.before, self.source))
        return Changed(Path(self.path), self.origin, before, self.language, source, self.name)


class EditOrder(Document):
    """Corrections of the media file with the digest `media`: first all, or single `pins` of a correction by its digest,
    are dropped; then each group is taken in, a later one on top of the earlier ones. The record of the job tells
    `settings` instead of its own, where they differ."""

    media: str
    drops_all: bool = False
    pins: dict[str, tuple[str, ...]] = {}
    takes: tuple[tuple[OrderedEdit, ...], ...] = ()
    settings: dict[str, JsonValue] = {}


def carry_out(order: Path, digest: str, edits: EditStore, folder: Path) -> EditOrder:
    """Carry out the order in a file for the media file with this digest, published in `folder`, and return it. Raises
    `BadInput`."""
    try:
        found = EditOrder.read(order)
    except (OSError, DocumentError) as error:
        raise BadInput(
            "edits.order", f"the corrections cannot be read: {error}", hint="apply the draft again"
        ) from error
    if found.media != digest:
        raise BadInput(
            "edits.media-changed", "the media file is not the one that was corrected: its content has changed since",
            hint="put the file back that was corrected, or discard the draft",
        )  # fmt: skip
    if found.drops_all:
        dropped = edits.drop(digest, ())
        forget_edits(folder, [edit.name for edit in dropped])
    if found.pins:
        edits.drop_pins(digest, found.pins)
    for group in found.takes:
        try:
            edits.take_in(digest, [correction.as_changed() for correction in group])
        except OSError as error:
            why = f"a corrected file cannot be read: {error}"
            raise BadInput("edits.order", why, hint="apply the draft again") from error
    return found
