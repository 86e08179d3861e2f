"""`reel edits`: the user's corrections in published files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput
from pipeline.cli.arguments import CommandResult, project_of, say, table
from pipeline.cli.options.single import DropEdits, ListEdits, ShowEdits
from pipeline.engine.admission import Admission
from pipeline.engine.item import Item
from pipeline.engine.media_list import Request, check_media
from pipeline.engine.project import Project
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import job_folder
from pipeline.publishing.edits import changed_files, forget_edits
from pipeline.publishing.placed_pins import PlacedPin, placed_pins
from pipeline.publishing.record import read_job
from pipeline.store.results import ResultStore
from pipeline.store.store_lock import Waiting
from shared.documents.cue import Cue
from shared.documents.pins import Pin
from shared.text.timecode import timecode

_SHOWN = 50  # characters of a text in a list
_NONE_YET = "nothing was corrected"


def list_edits(arguments: ListEdits) -> CommandResult:
    """List the corrections of one media file."""
    item, project = _item_of(arguments)
    return _list(item, project.store)


def show(arguments: ShowEdits) -> CommandResult:
    """Show single corrections of one media file, all unless some are named."""
    item, project = _item_of(arguments)
    pins = placed_pins(item.folder, item.edits, project.store)
    known = [placed.pin.id for placed in pins]
    for name in arguments.ids:
        if name not in known:
            raise _unknown(name, item, known)
    chosen = [placed for placed in pins if not arguments.ids or placed.pin.id in arguments.ids]
    text = "\n\n".join("\n".join(_described(placed)) for placed in chosen) or _NONE_YET
    return CommandResult({"media": str(item.media), "pins": [_data(placed) for placed in chosen]}, text)


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
    records, key_context = project.records(), project.key_context()
    admission = Admission(planner, records, key_context, project.folders.output, BatchMedia([media]))
    return admission.item(Request(media), project.store.media(media).digest), project


def _list(item: Item, store: ResultStore) -> CommandResult:
    waiting = [file.path.name for file in changed_files(item.folder, item.edits, store)]
    rows = [(edit.name, edit.language or "any language", "taken in") for edit in item.edits]
    rows = [row for row in rows if row[0] not in waiting] + [(name, "", "edited, not taken in yet") for name in waiting]
    edits: list[JsonValue] = [
        {"file": edit.name, "corrects": edit.origin, "language": edit.language} for edit in item.edits
    ]
    pins = placed_pins(item.folder, item.edits, store)
    data: JsonValue = {
        "media": str(item.media), "edits": edits, "waiting": list[JsonValue](waiting),
        "pins": [_data(placed) for placed in pins],
    }  # fmt: skip
    if not rows:
        return CommandResult(data, _NONE_YET)
    pin_rows = [
        (placed.pin.id, timecode(_start_ms(placed.pin)), placed.edit.name, _change(placed.pin)) for placed in pins
    ]
    return CommandResult(data, "\n\n".join([table(rows), *([table(pin_rows)] if pin_rows else [])]))


def _start_ms(pin: Pin) -> int:
    return (pin.cues or pin.before)[0].start_ms


def _change(pin: Pin) -> str:
    before, now = (_text(cues)[:_SHOWN] for cues in (pin.before, pin.cues))
    if before == now:
        return f"{now} (times or look)" if pin.fixed else f"{now} (speaker)"
    return f"{before or 'nothing'} -> {now or 'nothing'}"


def _text(cues: Sequence[Cue]) -> str:
    return " / ".join(" ".join(cue.lines) for cue in cues)


def _described(placed: PlacedPin) -> list[str]:
    """Describe a correction in lines, with the cues before it and after it."""
    pin = placed.pin
    keeps = "keeps its lines and times" if pin.fixed else "its words are laid out with the rest"
    lines = [f"{pin.id}  {placed.edit.name}, {placed.edit.language or 'any language'}: {keeps}"]
    for mark, cues in (("-", pin.before), ("+", pin.cues)):
        for cue in cues:
            speaker = f" {cue.speaker}:" if cue.speaker else ""
            times = f"{timecode(cue.start_ms)} --> {timecode(cue.end_ms)}"
            lines.append(f"  {mark} {times}{speaker} {' / '.join(cue.lines)}")
    if pin.source is not None:
        lines.append(f"  translates: {pin.source}")
    if pin.source_now is not None:
        lines.append(f"  which is now: {pin.source_now}")
    return lines


def _data(placed: PlacedPin) -> JsonValue:
    return {"file": placed.edit.name, "language": placed.edit.language, **placed.pin.model_dump(mode="json")}


def _unknown(name: str, item: Item, known: Sequence[str]) -> BadInput:
    return BadInput(
        "edits.unknown",
        f"there is no correction {name} for {item.name}",
        hint=f"there are {', '.join(known)}" if known else _NONE_YET,
    )


def _drop(item: Item, names: Sequence[str], project: Project) -> CommandResult:
    files = list(dict.fromkeys(edit.name for edit in item.edits))
    pins = {placed.pin.id: placed.edit for placed in placed_pins(item.folder, item.edits, project.store)}
    if unknown := [name for name in names if name not in files and name not in pins]:
        raise _unknown(unknown[0], item, [*files, *pins])
    named_files = [name for name in names if name in files]
    named_pins = [name for name in names if name not in files]
    pins_by_edit: dict[str, list[str]] = {}
    for name in named_pins:
        pins_by_edit.setdefault(pins[name].sha256, []).append(name)
    dropped = list(named_pins)
    with project.store.open_for_writing("reel edits drop", Waiting.of(project.settings.wait, say)):
        if pins_by_edit:
            project.edits.drop_pins(item.digest, pins_by_edit)
        if named_files or not names:
            forgotten = list(dict.fromkeys(edit.name for edit in project.edits.drop(item.digest, named_files)))
            forget_edits(item.folder, forgotten)
            dropped += forgotten
    text = f"dropped: {', '.join(dropped)}; the next run writes what it makes" if dropped else _NONE_YET
    return CommandResult({"dropped": list[JsonValue](dropped)}, text)
