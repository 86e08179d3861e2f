"""Prints one line for each event, readable in a pipe, in a log and without colour."""

from __future__ import annotations

import sys
import textwrap
import time

from pipeline.base import events
from pipeline.base.display import counted
from pipeline.base.display_paths import shown
from pipeline.base.events import Event
from pipeline.cli.failure_lines import lines_below
from pipeline.cli.reporters.transfer_rate import TransferRate
from pipeline.publishing.beside import is_job_folder
from shared.stage import Fact
from shared.text.timecode import clock, span

_FACTS_SHOWN = 3
_BETWEEN_FILE_LINES_S = 15.0  # more lines would fill a log
_SMALL_BYTES = 1_000_000
_FILE_EVENTS = (events.FileStarted, events.FileProgress, events.FileEnded)
_LEAST_RATED_S = 0.5  # a rate over a shorter time is not reliable
_REASON_LENGTH = 70  # `reel plan` shows all of it


class Headings:
    """Puts a file's name above its steps whenever the file changes: several files are in progress at once."""

    def __init__(self) -> None:
        self._item: str | None = None

    def above(self, event: Event, line: str) -> str:
        """Return the line, below the file's name if the line before belonged to another file."""
        item = getattr(event, "item", None)
        if item is None or isinstance(event, events.ItemFinished):
            return line
        before, self._item = self._item, item
        return line if item == before or isinstance(event, events.ItemStarted) else f"{item}\n{line}"


class PlainLines:
    """Prints a line for each event that matters to a user, and for a long transfer a line every few seconds. With
    `verbose`, also for workers and waiting steps. In a batch, each line names its file."""

    def __init__(self, between_s: float = _BETWEEN_FILE_LINES_S, *, verbose: bool = False) -> None:
        self._between_s = between_s
        self._verbose = verbose
        self._transfers: dict[tuple[str, str], tuple[TransferRate, float]] = {}  # with the time of their last line
        self._headings = Headings()
        self._many_files = False  # whose lines may mix

    def emit(self, event: Event) -> None:
        """Print the event if it has a line."""
        line = self._file_line(event) if isinstance(event, _FILE_EVENTS) else line_of(event)
        if line is None and self._verbose:
            line = detail_of(event)
        if isinstance(event, events.RunStarted):
            self._many_files = event.items != 1
        if line is not None:
            text = _named(event, line) if self._many_files else self._headings.above(event, line)
            print(text, file=sys.stderr, flush=True)

    def _file_line(self, event: events.FileStarted | events.FileProgress | events.FileEnded) -> str | None:
        key, now = (event.what, event.file), time.monotonic()
        if isinstance(event, events.FileEnded):
            self._transfers.pop(key, None)
            return line_of(event)
        if key not in self._transfers:
            self._transfers[key] = TransferRate(event.done_bytes, event.total_bytes), now
        rate, printed_at = self._transfers[key]
        rate.update(event.done_bytes)
        if isinstance(event, events.FileStarted) or now - printed_at < self._between_s:
            return line_of(event)
        self._transfers[key] = rate, now
        so_far = f"{_megabytes(event.done_bytes)} of {_megabytes(event.total_bytes)}"
        return "  " + ", ".join(filter(None, [f"{event.file}: {so_far}", rate.text()]))


def _named(event: Event, text: str) -> str:
    """Return the lines of an event, each after its file's name, so that `grep` finds all lines of a file."""
    item = getattr(event, "item", None)
    if item is None or isinstance(event, events.ItemStarted | events.ItemFinished):
        return text
    return "\n".join(f"{item}: {line.removeprefix('  ')}" for line in text.splitlines())


def line_of(event: Event) -> str | None:
    """Return the event as a line; None for an event that only moves a bar."""
    match event:
        case events.SetupStarted(what, size):
            return f"setting up {what}{f' ({size / 1e6:.0f} MB)' if size else ''}"
        case events.SetupFinished(what, seconds):
            return f"set up {what} in {span(seconds)}"
        case events.SetupFailed(what, code):
            return f"{what} could not be set up [{code}]"
        case events.FileStarted(_, file, done, total) if done:
            return f"  {file}: going on from {_megabytes(done)} of {_megabytes(total)}"
        case events.PackageStarted(_, package, size):
            return f"  {package}: {_megabytes(size)} to come"
        case events.FileEnded(_, file, complete, came, seconds) if complete or came:
            rate = f", {came / 1e6 / seconds:.1f} MB/s" if seconds >= _LEAST_RATED_S else ""
            return f"  {file}: {_megabytes(came)} in {span(seconds)}{rate}{'' if complete else ', then stopped'}"
        case events.CheckStarted(size):
            return f"checking {size / 1e6:.0f} MB"
        case events.CheckFinished(size, seconds):
            rate = f", {size / 1e6 / max(seconds, 0.001):.0f} MB/s" if size else ""
            return f"checked {size / 1e6:.0f} MB in {span(seconds)}{rate}"
        case events.ItemStarted(item):
            return item
        case events.StepStarted(_, step, backend, reason):
            return f"  {step:<22} {backend:<18}started   {textwrap.shorten(reason, _REASON_LENGTH, placeholder=' ...')}"
        case events.StepReused(_, step, backend, key):
            return f"  {step:<22} {backend:<18}reused    {key[:8]}"
        case events.StepDone():
            return f"  {event.step:<22} {event.backend:<18}done      {measured(event)}"
        case events.StepFailedEvent(_, step, backend, code, message):
            tail = "".join(f"\n  {'':<22} {text}" for text in lines_below(event, event.again))
            return f"  {step:<22} {backend:<18}failed    {message} [{code}]{tail}"
        case events.StepsSkipped(_, steps):
            return f"  skipped {len(steps)} later {'steps' if len(steps) > 1 else 'step'}: {', '.join(steps)}"
        case events.Notice(_, step, text):
            return f"  {step:<22} note: {text}" if step else f"note: {text}"
        case events.Checked(_, step, language, cues, over, rules):
            broken = f"{over} over the limits: " + ", ".join(f"{rule} {count}" for rule, count in rules.items())
            told = f"{counted(cues, 'cue')} in {language}, {broken if over else 'all within the limits'}"
            return f"  {step:<22} {'check':<18}{told if cues else 'no cues: there is no speech or text to show'}"
        case events.ItemFinished(item, "skipped", _, _, reason):
            return f"{item}: skipped, {reason}"
        case events.ItemFinished(item, state, seconds, folder):
            if folder and is_job_folder(folder):  # a hidden folder: the user's files lie beside the film
                folder = folder.parent.parent
            return f"{item}: {state} in {span(seconds)}{f', in {shown(folder)}' if folder else ''}"
        case _:
            return None


def detail_of(event: Event) -> str | None:
    """Return the line of a worker's event or of a waiting step, for `verbose`; None for other events."""
    match event:
        case events.WorkerStarted(worker, label, host, generation):
            again = f", process {generation} in this place" if generation > 1 else ""
            return f"  {worker} started: {label} on {host}{again}"
        case events.WorkerLoaded(worker, stage, backend, models, seconds, memory_mb):
            used = f", {memory_mb:.0f} MB of memory" if memory_mb is not None else ""
            what = f"{stage} ({backend})" + (f" with {', '.join(models)}" if models else "")
            return f"  {worker} loaded {what} in {span(seconds)}{used}"
        case events.WorkerEnded(worker, reason):
            return f"  {worker} ended: {reason}"
        case events.StepWaiting(_, step, waits_for):
            return f"  {step:<22} {'':<18}waits     for {waits_for}"
        case _:
            return None


def measured(event: events.StepDone) -> str:
    """Return the time of a step, its speed against the file's length, and its first facts."""
    parts = [span(event.seconds)]
    if event.media_ms and event.seconds >= _LEAST_RATED_S:
        parts.append(f"{event.media_ms / 1000 / max(event.seconds, 0.001):.1f}x real time of {clock(event.media_ms)}")
    parts += [_fact(name, value) for name, value in list(event.facts.items())[:_FACTS_SHOWN] if value is not None]
    return ", ".join(parts)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= _SMALL_BYTES else f"{size / 1e3:.0f} kB"


def _fact(name: str, value: Fact) -> str:
    words = name.replace("_", " ")
    if isinstance(value, bool):
        return words if value else f"not {words}"
    return f"{words} {value:.3g}" if isinstance(value, float) else f"{words} {value}"
