"""`reel edits`: the user's corrections in published files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput
from pipeline.cli.arguments import CommandResult, project_of, say, table
from pipeline.cli.options.single import DropEdits, ListEdits
from pipeline.engine.admission import Admission, check_media
from pipeline.engine.item import Item
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import job_folder
from pipeline.publishing.publish import changed_files, forget_edits
from pipeline.publishing.record import read_job
from pipeline.store.results import ResultStore
from pipeline.store.store_lock import Waiting


def list_edits(arguments: ListEdits) -> CommandResult:
    """List the corrections of one media file."""
    item, project = _item_of(arguments)
    return _list(item, project.store)


def drop(arguments: DropEdits) -> CommandResult:
    """Forget corrections of one media file, all unless some are named."""
    item, project = _item_of(arguments)
    return _drop(item, arguments.names, project)


def _item_of(arguments: ListEdits) -> tuple[Item, Project]:
    project = project_of(arguments)
    planner = project.planner
    media = Path(arguments.media).absolute()
    if arguments.output is None and read_job(job_folder(media)):
        planner = replace(planner, settings=planner.settings.model_copy(update={"beside": True}))
    check_media(media)
    records, surroundings = project.records(), project.surroundings()
    admission = Admission(planner, records, surroundings, project.folders.output, BatchMedia([media]))
    return admission.item(Request(media), project.store.media(media).digest), project


def _list(item: Item, store: ResultStore) -> CommandResult:
    waiting = [one.path.name for one in changed_files(item.folder, item.edits, store)]
    rows = [(edit.name, edit.language or "any language", "taken in") for edit in item.edits]
    rows = [row for row in rows if row[0] not in waiting] + [(name, "", "edited, not taken in yet") for name in waiting]
    edits: list[JsonValue] = [
        {"file": edit.name, "corrects": edit.origin, "language": edit.language} for edit in item.edits
    ]
    data: JsonValue = {"media": str(item.media), "edits": edits, "waiting": list[JsonValue](waiting)}
    return CommandResult(data, table(rows) if rows else "nothing was corrected")


def _drop(item: Item, names: Sequence[str], project: Project) -> CommandResult:
    known = list(dict.fromkeys(edit.name for edit in item.edits))
    if unknown := [name for name in names if name not in known]:
        raise BadInput(
            "edits.unknown",
            f"there is no correction to {unknown[0]} for {item.name}",
            hint=f"corrected are {', '.join(known)}" if known else "nothing was corrected",
        )
    with project.store.open_for_writing("reel edits drop", Waiting.of(project.settings.wait, say)):
        dropped = list(dict.fromkeys(edit.name for edit in project.edits.drop(item.digest, names)))
        forget_edits(item.folder, dropped)
    text = f"dropped: {', '.join(dropped)}; the next run writes what it makes" if dropped else "nothing was corrected"
    return CommandResult({"dropped": list[JsonValue](dropped)}, text)
