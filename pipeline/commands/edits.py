"""`reel edits`: what people have corrected in published files."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import JsonValue

from pipeline.app import App
from pipeline.batch import find_media, make_item
from pipeline.commands.common import CommandResult, app_of, table
from pipeline.errors import BadInput
from pipeline.item import Item
from pipeline.publish import changed_files, forget_edits, job_folder


def execute(arguments: argparse.Namespace) -> CommandResult:
    """List or drop corrections."""
    app = app_of(arguments)
    taken: set[str] = set()
    items = [make_item(media, app, taken) for media in find_media(arguments.media, Path.cwd())]
    return _drop(items[0], arguments.names, app) if arguments.action == "drop" else _list(items, app)


def _list(items: list[Item], app: App) -> CommandResult:
    data: list[JsonValue] = []
    rows = []
    for item in items:
        waiting = [one.path.name for one in changed_files(_folder(item, app), item.edits, app.store)]
        states = {edit.name: "taken in" for edit in item.edits} | dict.fromkeys(
            waiting, "edited, `--continue` takes it in"
        )
        rows += [(item.name, name, state) for name, state in states.items()]
        edits: list[JsonValue] = [{"file": edit.name, "step": edit.step} for edit in item.edits]
        data.append({"media": str(item.media), "edits": edits, "waiting": list[JsonValue](waiting)})
    return CommandResult({"items": data}, table(rows) if rows else "nothing was corrected")


def _drop(item: Item, names: list[str], app: App) -> CommandResult:
    known = [edit.name for edit in item.edits]
    if unknown := [name for name in names if name not in known]:
        raise BadInput(
            "edits.unknown",
            f"there is no correction of {unknown[0]} for {item.name}",
            hint=f"corrected are {', '.join(known)}" if known else "nothing was corrected",
        )
    with app.store.open_for_writing("reel edits drop"):
        dropped = [edit.name for edit in app.edits.drop(item.digest, names)]
        forget_edits(_folder(item, app), dropped)
    text = f"dropped: {', '.join(dropped)}; the next run writes what it makes" if dropped else "nothing was corrected"
    return CommandResult({"dropped": list[JsonValue](dropped)}, text)


def _folder(item: Item, app: App) -> Path:
    return job_folder(app.project.output, item.media, item.digest)
