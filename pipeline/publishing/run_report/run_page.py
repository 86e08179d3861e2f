"""Makes the page of the report on a run: everything about a single file, or a line for each of many, failures first."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from pydantic import JsonValue

from pipeline.base.display import counted
from pipeline.publishing.record import REPORT, Job, read_job
from pipeline.publishing.run_report.gantt import as_svg, chart, condensed
from pipeline.publishing.run_report.html import (
    Html,
    Part,
    element,
    page,
    table,
    table_of,
    table_row,
    together,
    within,
)
from pipeline.publishing.run_report.job_facts import JobFacts, Materials, file_name
from pipeline.publishing.run_report.job_page import (
    FOOT,
    Figure,
    ReportWarning,
    Section,
    SoundLink,
    job_sections,
    main_part,
    navigation,
    restrictions,
    tiles,
    warning_list,
)
from pipeline.publishing.run_report.materials import made_with
from pipeline.publishing.run_report.published import link_to_sound, without_report
from pipeline.publishing.run_report.summary import Redone, Summary, summarise
from pipeline.store.history import ItemOutcome, RunDetails, StepRecord
from shared.text.timecode import span

_FILES = 700_000  # characters of the list of files
_STATES = ("failed", "skipped", "done", "reused")  # in the order in which they are shown
_WARNINGS_SHOWN = 20  # of single files


@dataclass(frozen=True)
class Links:
    """Addresses that a report on a run links to."""

    sound: Callable[[Job, Path], SoundLink]  # of the sound of a job in a folder
    report: Callable[[Path], str | None]  # of a published report, by its path


def links_between_files(page_folder: Path) -> Links:
    """Return the links for a report in `page_folder`: addresses of files relative to it."""

    def report(path: Path) -> str | None:
        try:
            address = os.fsencode(os.path.relpath(path, page_folder))
        except ValueError:  # on another drive
            return None
        return quote(address.replace(b"\\", b"/") if os.name == "nt" else address)

    return Links(lambda job, folder: link_to_sound(job, folder, page_folder), report)


def run_report(details: RunDetails, redone: Redone, materials: Materials, links: Links) -> str:
    """Return the report on a run as a complete document."""
    run, steps = details.run, defaultdict(list)
    for step in details.steps:
        steps[step.item].append(step)
    files = [_File(item, steps[item.item], materials) for item in details.items]
    files.sort(key=lambda file: (_state_order(file.item.state), file.item.item))
    summary = summarise(details, redone)
    single_file = files[0].item.item if len(files) == 1 else ""
    sections = list(_sections(files, details, summary, materials, links))
    duration = f", in {span(summary.seconds)}" if summary.seconds is not None else ""
    about = f"Run {run.id}: {run.state}{duration}; recipe {run.recipe}, profile {run.profile}; started {run.started}"
    head = element(
        "header", element("p", "Report on a run", class_="kicker"),
        element("h1", single_file or f"{len(files)} files", dir="auto"), element("p", about, class_="soft"),
        tiles(_figures(files, summary)), navigation(sections),
    )  # fmt: skip
    return page(f"{single_file or run.id}: report", head, main_part(sections), FOOT)


def _state_order(state: str) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)


class _File:
    """Media file of a run, with the job that this run published, if it is still there."""

    def __init__(self, item: ItemOutcome, steps: Sequence[StepRecord], materials: Materials) -> None:
        self.item, self._materials = item, materials
        self.folder = Path(item.folder) if item.folder else None
        self.keys = {step.step: step.key for step in steps if step.key}
        self.states = {step.step: step.state for step in steps}

    @cached_property
    def job(self) -> Job | None:
        """Return the record of the published job; None if there is none, or one of another run."""
        job = read_job(self.folder) if self.folder else None
        if job is None or any(job.steps.get(step, {}).get("key") != key for step, key in self.keys.items()):
            return None
        return without_report(job)

    @property
    def facts(self) -> JobFacts | None:
        """Return the facts of the job; None if there is none."""
        job = self.job
        if job is None:
            return None
        return JobFacts(job, self._materials.results_of(job), self._materials, self.states)

    def figure(self, name: str) -> int | None:
        """Return the sum of a fact over the steps that check subtitles; None if no such step states it."""
        facts = (record.get("facts") for record in self.job.steps.values()) if self.job else ()
        values = (found.get(name) for found in facts if isinstance(found, dict) and "over_limits" in found)
        numbers = [value for value in values if isinstance(value, int)]
        return sum(numbers) if numbers else None

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Return the warnings of the steps, each with the id of its step."""
        records = self.job.steps.items() if self.job else ()
        found: list[tuple[str, str]] = []
        for step, record in records:
            warnings = record.get("warnings")
            found += [(step, str(text)) for text in warnings] if isinstance(warnings, list) else []
        return found


def _figures(files: list[_File], summary: Summary) -> Iterator[Figure]:
    for state in _STATES:
        if count := summary.items.get(state):
            yield Figure(str(count), state, {"failed": "bad", "done": "good"}.get(state, ""))
    cues = [count for file in files if (count := file.figure("cues")) is not None]
    over = [count for file in files if (count := file.figure("over_limits")) is not None]
    if cues:
        yield Figure(str(sum(cues)), "cues")
        yield Figure(str(sum(over)), "over a limit", "bad" if sum(over) else "good")
    yield Figure(span(sum(stage.seconds for stage in summary.stages)), "of work")


def _sections(
    files: list[_File], details: RunDetails, summary: Summary, materials: Materials, links: Links
) -> Iterator[Section]:
    first, last = _single_file_sections(files[0], links) if len(files) == 1 else ([], [])
    if not first:
        first, last = _batch_sections(files, summary, materials, links)
    yield from first
    if drawn := chart(details):
        workers = together(_chart(as_svg(condensed(drawn), "")), _worker_table(summary))
        yield Section("chart", "Workers", workers)
    if summary.models:
        rows = [(model.name, f"{model.loads}x", span(model.seconds)) for model in summary.models]
        loads = table(("Model", "Loaded", "Time"), rows, "Models that were loaded", (1, 2))
        yield Section("loads", "Models loaded", loads)
    yield from last


def _single_file_sections(file: _File, links: Links) -> tuple[list[Section], list[Section]]:
    """Return the sections before and after those of the run; none if the job is no longer there."""
    job, folder, facts = file.job, file.folder, file.facts
    if not (job and folder and facts):
        return [], []
    sections = list(job_sections(facts, links.sound(job, folder)))
    return sections[:-1], sections[-1:]


def _batch_sections(
    files: list[_File], summary: Summary, materials: Materials, links: Links
) -> tuple[list[Section], list[Section]]:
    """Return the sections before and after those of the run."""
    shared = _merged_record(files)
    licences = restrictions(shared, materials) if shared else ()
    first = [
        Section("warnings", "Warnings", warning_list([*_warnings(files), *licences])),
        Section("files", "Files", _file_table(files, links)),
        Section("steps", "Steps", _stage_table(summary)),
    ]
    if not shared:
        return first, []
    used = made_with(JobFacts(shared, materials.results_of(shared), materials))
    return first, [Section("materials", "Made with", used)]


def _merged_record(files: list[_File]) -> Job | None:
    """Return a record with the steps of all files: one for each different backend, models and tools of a step."""
    jobs = [file.job for file in files if file.job]
    steps: dict[str, dict[str, JsonValue]] = {}
    known: set[str] = set()
    for job in jobs:
        for step, record in job.steps.items():
            used = json.dumps([step, *(record.get(name) for name in ("backend", "models", "tools"))], sort_keys=True)
            if used not in known:
                known.add(used)
                steps[step if step not in steps else f"{step} ({len(known)})"] = record
    licences = {name: licence for job in jobs for name, licence in job.licences.items()}
    return jobs[0].model_copy(update={"steps": steps, "licences": dict(sorted(licences.items()))}) if jobs else None


def _warnings(files: list[_File]) -> Iterator[ReportWarning]:
    for file in files:
        if file.item.state == "failed":
            yield ReportWarning(file.item.item, file.item.reason or "failed", "bad")
    warnings = [ReportWarning(file.item.item, f"{step}: {text}") for file in files for step, text in file.warnings]
    yield from warnings[:_WARNINGS_SHOWN]
    if (more := len(warnings) - _WARNINGS_SHOWN) > 0:
        yield ReportWarning("more", f"{more} more warnings stand in the reports on the files")


def _file_table(files: list[_File], links: Links) -> Html:
    head = ("File", "State", "Time", "Cues", "Over limits", "Warnings", "Note")
    numbers = (2, 3, 4, 5)
    kept, left = within((table_row(_row(file, links), numbers) for file in files), _FILES)
    more = element("p", f"{counted(left, 'more file')} not listed here.", class_="soft") if left else None
    return together(table_of(head, kept, "Files", numbers), more)


def _row(file: _File, links: Links) -> Iterator[Part]:
    item = file.item
    name = element("span", file_name(item.item), dir="auto")
    published = [name for name, origin in file.job.origins.items() if origin == REPORT] if file.job else []
    address = links.report(file.folder / published[0]) if file.folder and published else None
    yield element("a", name, href=address) if address else name
    yield element("span", item.state, class_="state", data_state={"failed": "bad", "done": "good"}.get(item.state))
    yield span(item.seconds) if item.seconds is not None else ""
    for figure in (file.figure("cues"), file.figure("over_limits"), len(file.warnings) or None):
        yield "" if figure is None else str(figure)
    gone = "published again since" if file.folder and not file.job and item.state != "failed" else ""
    yield element("span", item.reason or gone, dir="auto")


def _stage_table(summary: Summary) -> Html:
    head = ("Step", "Backend", "Done", "Reused", "Failed", "Time", "Each", "Longest")
    rows = [
        (
            stage.step, stage.backend, f"{stage.done} ({stage.redone} again)" if stage.redone else str(stage.done),
            str(stage.reused), str(stage.failed), span(stage.seconds) if stage.seconds else "",
            span(stage.seconds / stage.done) if stage.done and stage.seconds else "",
            f"{span(stage.longest_s)} {file_name(stage.longest_item)}" if stage.longest_item else "",
        )
        for stage in summary.stages
    ]  # fmt: skip
    return table(head, rows, "Steps by kind", (2, 3, 4, 5, 6))


def _worker_table(summary: Summary) -> Html:
    head = ("Worker", "Machine", "Jobs", "Lived", "Loaded", "Busy", "Memory", "Card", "Ended")
    rows = [
        (
            f"{worker.worker} {worker.label}", worker.host, str(worker.jobs),
            span(worker.lived_s), span(worker.loaded_s),
            f"{100 * worker.worked_s / worker.lived_s:.0f} %" if worker.lived_s else "",
            f"{worker.peak_memory_mb:.0f} MB" if worker.peak_memory_mb else "",
            f"{worker.peak_gpu_memory_mb:.0f} MB" if worker.peak_gpu_memory_mb else "", worker.reason or "cut off",
        )
        for worker in summary.workers
    ]  # fmt: skip
    return table(head, rows, "Workers", (2, 3, 4, 5, 6, 7))


def _chart(svg: str) -> Html:
    name = "Chart of the workers"
    return element("div", Html(svg), class_="wide chart", role="region", aria_label=name, tabindex="0")
