"""`reel check`: check subtitle files against a guide. Like `reel stage`, it always runs and stores no result."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.display import counted
from pipeline.base.display_paths import shown
from pipeline.base.errors import EXIT_FAILED, EXIT_OK, BadInput, ReelError
from pipeline.cli.arguments import CommandResult, project_of, table
from pipeline.cli.options.single import CheckSubtitles
from pipeline.cli.reporters import open_reporter
from pipeline.engine.set_up import set_up
from pipeline.plan.make_plan import single_step
from pipeline.plan.model import Step
from pipeline.plan.options import PlanOptions
from pipeline.plan.registry import stage_named
from pipeline.workers.dispatcher import Dispatcher, StepJob
from pipeline.workers.installation import Installation
from pipeline.workers.local_host import local_dispatcher
from shared import protocol
from shared.documents.quality_report import Broken, Comparison, QualityReport
from shared.text.language import language_in_file_name
from shared.text.timecode import timecode

_LIMIT_S = 600.0
_STAGE = "check"
_COMPARE = "compare"


@dataclass(frozen=True)
class _Checked:
    """Subtitle file with its report, or with the error that prevented one."""

    file: str
    report: QualityReport | None
    repairs: tuple[str, ...] = ()
    error: ReelError | None = None
    comparison: Comparison | None = None


@dataclass(frozen=True)
class _ComparedWith:
    """Files that subtitles are compared with: their media file, and a reference, which the step `compare` reads."""

    film: str | None
    reference: str | None
    compare: Step | None


def check(arguments: CheckSubtitles) -> CommandResult:
    """Check every file; an unreadable file does not stop the others."""
    for path in map(Path, [*arguments.inputs, *filter(None, (arguments.media, arguments.reference))]):
        if not path.is_file():
            what = "is not a file" if path.exists() else "is not there, expected a file"
            raise BadInput("check.missing", f"{shown(path)} {what}", hint="check the spelling; quote names with spaces")
    project = project_of(arguments)
    options = project.planner.options()
    steps = [_step(options, arguments.language or language_in_file_name(Path(name).name)) for name in arguments.inputs]
    compare = single_step(stage_named(_COMPARE), options, {}, None) if arguments.reference else None
    with open_reporter(project.settings.progress) as emit:
        needed = [*steps, compare] if compare else steps
        set_up(needed, project.installed, emit)
    against = _ComparedWith(arguments.media, arguments.reference, compare)
    checked = asyncio.run(_check(arguments.inputs, steps, against, project.installed))
    errors = tuple(file_check.error for file_check in checked if file_check.error)
    over = any(file_check.report.over_limits for file_check in checked if file_check.report)
    data: JsonValue = {"guide": project.settings.guide, "files": [_data(file_check) for file_check in checked]}
    text = "\n\n".join(_text(file_check, project.settings.guide) for file_check in checked)
    return CommandResult(data, text, errors[0].exit_code if errors else EXIT_FAILED if over else EXIT_OK, errors)


def _step(options: PlanOptions, language: str) -> Step:
    own = {"language": language, **options.stages.get(_STAGE, {})}
    return single_step(stage_named(_STAGE), replace(options, stages={**options.stages, _STAGE: own}), {}, None)


async def _check(
    files: Sequence[str], steps: Sequence[Step], against: _ComparedWith, installed: Installation
) -> list[_Checked]:
    checked = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        async with local_dispatcher(installed, place / "logs") as dispatcher:
            for number, (file, step) in enumerate(zip(files, steps, strict=True)):
                file_check = await _check_file(file, step, against.film, dispatcher, place / str(number))
                checked.append(await _compared(file_check, step, against, dispatcher, place / str(number)))
    return checked


async def _compared(
    checked: _Checked, check: Step, against: _ComparedWith, dispatcher: Dispatcher, place: Path
) -> _Checked:
    """Compare a checked file with the reference, if there is one. The reference is read in the language of the file."""
    if checked.error or not against.reference or not against.compare:
        return checked
    read = await _check_file(against.reference, check, None, dispatcher, place / "reference")
    if read.error:
        return replace(checked, error=read.error)
    out_dir = place / "comparison"
    out_dir.mkdir()
    inputs: protocol.FileNames = {
        "subtitles": str(place / "cues.json"), "reference": str(place / "reference" / "cues.json"),
    }  # fmt: skip
    try:
        await dispatcher.run(StepJob(against.compare, inputs, out_dir, _LIMIT_S))
    except ReelError as error:
        return replace(checked, error=error)
    return replace(checked, comparison=Comparison.read(out_dir / "comparison.json"))


async def _check_file(file: str, step: Step, film: str | None, dispatcher: Dispatcher, out_dir: Path) -> _Checked:
    repairs: list[str] = []

    def on_event(event: protocol.Remark) -> None:
        if isinstance(event, protocol.Notice):
            repairs.append(event.text)

    out_dir.mkdir()
    inputs: protocol.FileNames = {
        "subtitles": str(Path(file).absolute()), "media": str(Path(film).absolute()) if film else None,
    }  # fmt: skip
    try:
        await dispatcher.run(StepJob(step, inputs, out_dir, _LIMIT_S, on_event=on_event))
    except ReelError as error:
        return _Checked(file, None, error=error)
    return _Checked(file, QualityReport.read(out_dir / "report.json"), tuple(repairs))


def _data(checked: _Checked) -> JsonValue:
    report = checked.report.model_dump(mode="json", exclude={"format"}) if checked.report else {}
    repairs: list[JsonValue] = list(checked.repairs)
    reference = checked.comparison.model_dump(mode="json", exclude={"format"}) if checked.comparison else None
    error = checked.error.code if checked.error else None
    return {"file": checked.file, **report, "repairs": repairs, "reference": reference, "error": error}


def _text(checked: _Checked, guide: str) -> str:
    if checked.error:
        return f"{checked.file}: {checked.error.message} [{checked.error.code}]"
    assert checked.report is not None
    found = checked.report
    head = f"{checked.file}: {counted(found.cues, 'cue')}, {found.over_limits} over the limits of {guide}"
    lines = [f"{head} ({found.language})", *(f"  note: {repair}" for repair in checked.repairs)]
    if checked.comparison:
        lines.append(
            f"  SubER {checked.comparison.suber:.1f} against the reference ({checked.comparison.suber_cased:.1f} with"
            f" case and punctuation): edits in percent of its words and breaks"
        )
    for broken in checked.report.broken:
        kind = "" if broken.severity == "error" else ", a warning"
        lines.append(f"  {broken.rule}: {broken.count}{kind} ({broken.meaning}; the limit is {broken.limit:g})")
        lines += [f"    {line}" for line in _worst(broken).splitlines()]
    return "\n".join(lines)


def _worst(broken: Broken) -> str:
    return table(
        [
            (timecode(offender.start_ms), str(offender.number), f"{offender.found:g}", offender.text)
            for offender in broken.worst
        ]
    )
