"""Carries out the order of a reviewer: corrections that are taken in or dropped when the next run begins.

An order is a file, so that it survives the process that wrote it. The process with the lock of the store carries it
out. If it is carried out twice, the second time changes nothing.
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
        """Return the edit in the form that `EditStore` takes."""
        before, source = (Path(path) if path else None for path in (self.before, self.source))
        return Changed(Path(self.path), self.origin, before, self.language, source, self.name)


class EditOrder(Document):
    """Order for the media file with the digest `media`.

    First all corrections are dropped, or single `pins`, by the digest of their correction. Then each group in `takes`
    is taken in, a later one on top of the earlier ones. `settings` replace those of the run in the record of the job.
    """

    media: str
    drops_all: bool = False
    pins: dict[str, tuple[str, ...]] = {}
    takes: tuple[tuple[OrderedEdit, ...], ...] = ()
    settings: dict[str, JsonValue] = {}


def carry_out(order: Path, digest: str, edits: EditStore, folder: Path) -> EditOrder:
    """Carry out the order in a file, and return it. It is for the media file with this digest, published in `folder`.
    Raises `BadInput`."""
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
