"""`reel edits`: the user's corrections in published files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.app import App
from pipeline.base.errors import BadInput
from pipeline.cli.arguments import CommandResult, app_of, say, table
from pipeline.cli.options.single import DropEdits, ListEdits
from pipeline.engine.admission import Admission, check_media
from pipeline.engine.item import Item
from pipeline.engine.media_list import Request
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import job_folder
from pipeline.publishing.publish import changed_files, forget_edits
from pipeline.publishing.record import read_job
from pipeline.store.history import Runs


def list_edits(arguments: ListEdits) -> CommandResult:
    """List the corrections of one media file."""
    return _list(*_item_of(arguments))


def drop(arguments: DropEdits) -> CommandResult:
    """Forget corrections of one media file, all unless some are named."""
    item, app = _item_of(arguments)
    return _drop(item, arguments.names, app)


def _item_of(arguments: ListEdits) -> tuple[Item, App]:
    app = app_of(arguments)
    media = Path(arguments.media).absolute()
    if arguments.output is None and read_job(job_folder(media)):
        app = replace(app, settings=app.settings.model_copy(update={"beside": True}))
    check_media(media)
    admission = Admission(app, Runs(app.store, app.project.runs), BatchMedia([media]))
    return admission.item(Request(media), app.store.media(media).digest), app


def _list(item: Item, app: App) -> CommandResult:
    waiting = [one.path.name for one in changed_files(item.folder, item.edits, app.store)]
    rows = [(edit.name, edit.language or "any language", "taken in") for edit in item.edits]
    rows = [row for row in rows if row[0] not in waiting] + [(name, "", "edited, not taken in yet") for name in waiting]
    edits: list[JsonValue] = [
        {"file": edit.name, "corrects": edit.origin, "language": edit.language} for edit in item.edits
    ]
    data: JsonValue = {"media": str(item.media), "edits": edits, "waiting": list[JsonValue](waiting)}
    return CommandResult(data, table(rows) if rows else "nothing was corrected")


def _drop(item: Item, names: Sequence[str], app: App) -> CommandResult:
    known = list(dict.fromkeys(edit.name for edit in item.edits))
    if unknown := [name for name in names if name not in known]:
        raise BadInput(
            "edits.unknown",
            f"there is no correction to {unknown[0]} for {item.name}",
            hint=f"corrected are {', '.join(known)}" if known else "nothing was corrected",
        )
    with app.store.open_for_writing("reel edits drop", app.waiting(say)):
        dropped = list(dict.fromkeys(edit.name for edit in app.edits.drop(item.digest, names)))
        forget_edits(item.folder, dropped)
    text = f"dropped: {', '.join(dropped)}; the next run writes what it makes" if dropped else "nothing was corrected"
    return CommandResult({"dropped": list[JsonValue](dropped)}, text)
