"""`reel runs repair`, `prune` and `forget`: repair the result store, delete old results, and forget measurements."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import JsonValue

from pipeline.base import events
from pipeline.base.display_paths import shown
from pipeline.base.errors import UsageError
from pipeline.base.sizes import size_in
from pipeline.cli.arguments import CommandResult, agreed, megabytes, project_of, say, table
from pipeline.cli.options.machine import ForgetRuns, PruneRuns, RepairRuns
from pipeline.cli.reporters import open_reporter
from pipeline.engine.project import Project
from pipeline.publishing.prune_results import Survey, SurveyOptions, delete, survey
from pipeline.store.repair import Repaired, repair
from pipeline.store.store_lock import Waiting

_AGE_S = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_SHOWN = 20


def repair_results(arguments: RepairRuns) -> CommandResult:
    """Check every byte of the results, delete damaged ones, and rebuild the index."""
    return repair_store(project_of(arguments))


def parse_age(text: str) -> float:
    """Return `12h`, `30d` or `2w` in seconds; raises `UsageError`."""
    if found := re.fullmatch(r"(\d+)\s*([hdw])", text.strip()):
        return int(found[1]) * _AGE_S[found[2]]
    raise UsageError("prune.age", f"`{text}` is not an age", hint="write `12h`, `30d` or `2w`")


def parse_size(text: str) -> int:
    """Return `500MB` or `20GB` in bytes; raises `UsageError`."""
    if (size := size_in(text)) is not None:
        return size
    raise UsageError("prune.size", f"`{text}` is not a size", hint="write `500MB` or `20GB`")


def repair_store(project: Project) -> CommandResult:
    """Repair the result store of `project`."""
    damage = project.store.index.damage()  # before opening it, because that rebuilds a damaged index
    with open_reporter(project.settings.progress) as emit:
        waiting = Waiting.of(project.settings.wait, lambda text: emit(events.Notice(None, None, text)))
        with project.store.open_for_writing("reel runs repair", waiting, checked=True):
            started, size = time.monotonic(), 0

            def progress(done: int, total: int) -> None:
                nonlocal size
                if not size:
                    emit(events.CheckStarted(total))
                size = total
                emit(events.CheckProgress(done, total))

            found = repair(project.store, damage, progress)
            if size:
                emit(events.CheckFinished(size, time.monotonic() - started))
    return _repair_result(found)


def _repair_result(found: Repaired) -> CommandResult:
    lines = [f"{found.results} results are complete"]
    if found.index:
        lines.append(f"the index was damaged: {found.index}")
    lines.append("the index was rebuilt")
    for what, affected in (
        ("unreadable manifests were deleted", found.unreadable),
        ("damaged contents were deleted", found.damaged),
        ("results lack some of their contents; reel makes them again when they are needed", found.incomplete),
        ("damaged files of the history were restored from the index", found.histories),
        ("damaged files of the history hold runs that are recorded nowhere else; they are ignored", found.lost),
    ):
        lines += [f"{len(affected)} {what}"] if affected else []
    data: JsonValue = {
        "index": found.index, "results": found.results, "unreadable": [str(path) for path in found.unreadable],
        "damaged": [str(path) for path in found.damaged], "incomplete": list(found.incomplete),
        "histories": [str(path) for path in found.histories], "lost": [str(path) for path in found.lost],
    }  # fmt: skip
    return CommandResult(data, "\n".join(lines))


def prune(arguments: PruneRuns) -> CommandResult:
    """Show the results that no published job uses, and delete them if the user agrees."""
    project = project_of(arguments)
    older_than_s = parse_age(arguments.older_than)
    keep = parse_size(arguments.keep) if arguments.keep else None

    def look() -> Survey:
        intermediates = arguments.intermediates
        options = SurveyOptions(intermediates, moved_to=tuple(map(Path, arguments.jobs)))
        return survey(project.store, older_than_s, keep, options=options)

    found = look()
    yes = bool(found.surplus) and agreed("delete this?", _text(found), yes=arguments.yes)
    if yes:
        with project.store.open_for_writing("reel runs prune", Waiting.of(project.settings.wait, say)):
            found = look()  # a run may just have used one of them, or ended
            delete(project.store, found.surplus)
    data: JsonValue = {
        "surplus": [
            {name: value for name, value in asdict(surplus).items() if name != "paths"} for surplus in found.surplus
        ],
        "kept_bytes": found.kept_bytes, "used_bytes": found.used_bytes, "deleted": yes,
        "lost": [str(folder) for folder in found.lost],
    }  # fmt: skip
    if not found.surplus:
        return CommandResult(data, f"nothing to delete; {_rest(found)}")
    last = "deleted" if yes else "nothing was deleted; `./reel runs prune --yes` does it"
    return CommandResult(data, f"{_text(found)}\n{last}")


def _text(found: Survey) -> str:
    rows = [
        (megabytes(surplus.bytes), surplus.what, surplus.key[:8], surplus.reason) for surplus in found.surplus[:_SHOWN]
    ]
    if (more := len(found.surplus) - _SHOWN) > 0:
        rows.append((megabytes(sum(surplus.bytes for surplus in found.surplus[_SHOWN:])), f"and {more} more", "", ""))
    total = megabytes(sum(surplus.bytes for surplus in found.surplus))
    lost = f"{_lost(found.lost)}\n" if found.lost else ""
    return f"{table(rows, ('FREES', 'WHAT', 'RESULT', 'WHY'))}\n{lost}{total} in all; {_rest(found)}"


def _lost(folders: Sequence[Path]) -> str:
    """Return the warning before results of jobs that were only moved are deleted."""
    first = shown(folders[0])
    which = f"the job in {first} is" if len(folders) == 1 else f"{len(folders)} jobs, as the one in {first}, are"
    return f"{which} no longer there, so nothing is kept for it; where it was only moved, say where: `--jobs DIR`"


def _rest(found: Survey) -> str:
    return f"{megabytes(found.kept_bytes)} stay, {megabytes(found.used_bytes)} of them for published jobs"


def forget(arguments: ForgetRuns) -> CommandResult:
    """Forget what earlier runs learned: with which fallback a step fits, or what computes on a card."""
    project, what = project_of(arguments), arguments.what
    if what not in {"fallbacks", "cards"}:
        raise UsageError("runs.forget", f"`{what}` cannot be forgotten", hint="write `fallbacks` or `cards`")
    with project.store.open_for_writing("reel runs forget", Waiting.of(project.settings.wait, say)):
        if what == "cards":
            number = project.installed.card_proofs().forget()
        else:
            measurements = project.installed.measurements()
            number = measurements.forget_fallbacks()
            measurements.save()
    return CommandResult({"forgotten": number}, f"forgotten: {number} {what if what == 'fallbacks' else 'proofs'}")
