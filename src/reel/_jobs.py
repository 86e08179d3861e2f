"""Plan and run jobs, the two commands about media files, with their results as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from reel._command import Command, Name, ReelError, files_of, flags_of, path_or_none

State = Literal["done", "reused", "failed", "skipped"]
Verdict = Literal["new", "reused", "redone"]


@dataclass(frozen=True)
class PlannedStep:
    """A step as a run would do it: `verdict` says whether its result is new, reused or redone, `reason` why."""

    step: str
    stage: str
    backend: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class PlannedFile:
    """A media file and its steps in order. `skipped` is the reason if it would be skipped, `error` the code of the
    error that would end its processing."""

    media: Path
    folder: Path | None
    steps: tuple[PlannedStep, ...]
    skipped: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Plan:
    """The result of `plan`. `needs` names what a run would set up first; `obstacles` are the errors that would end a
    run before its first step."""

    recipe: str
    profile: str
    files: tuple[PlannedFile, ...]
    needs: tuple[str, ...]
    obstacles: tuple[ReelError, ...]


@dataclass(frozen=True)
class Event:
    """Something that happened in a run. `kind` is one of the events of the reference, such as `StepDone`. `item` is the
    name of the media file and `step` the step, or None. `data` holds every field of the event."""

    kind: str
    item: str | None
    step: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class FileResult:
    """The result of one media file: its folder, and the published files. `error` is the code of a failure; `reason`
    says why the file failed or was skipped. `missing` names the outputs that could not be made, each with its code."""

    media: Path
    state: State
    folder: Path | None
    published: tuple[Path, ...]
    seconds: float
    missing: Mapping[str, str]
    error: str | None
    reason: str | None


@dataclass(frozen=True)
class RunResult:
    """The result of a run. `exit_code` is that of the command: 0, or 3 if some of several files failed."""

    files: tuple[FileResult, ...]
    exit_code: int

    @property
    def failed(self) -> tuple[FileResult, ...]:
        """Return the media files that failed."""
        return tuple(file for file in self.files if file.state == "failed")


class Run:
    """A run in progress, which iterates over its events. Leaving a `with` block before its end stops it."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._events = command.events()
        self._result: RunResult | None = None

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if self._result is not None:
            raise StopIteration
        try:
            data = next(self._events)
        except KeyboardInterrupt:
            self._command.stop()
            raise
        return Event(data["event"], data.get("item"), data.get("step"), data)

    def result(self) -> RunResult:
        """Wait for the end and return the result, also if files failed. Raises `ReelError` if the run could not begin
        or was stopped."""
        if self._result is None:
            try:
                document, code = self._command.document()
            except KeyboardInterrupt:
                self._command.stop()
                raise
            self._result = RunResult(tuple(map(_file_result, document["data"]["items"])), code)
        return self._result

    def stop(self) -> None:
        """Stop the run. What was finished is kept, and the same run continues from there."""
        self._command.stop()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._command.close()


def plan(
    *media: Name,
    to: str | Iterable[str] = (),
    recipe: str | None = None,
    output: Name | None = None,
    settings: Mapping[str, object] | None = None,
    flags: Sequence[str] = (),
    project: Name | None = None,
    program: Name | None = None,
) -> Plan:
    """Return the steps that `run` would take with the same arguments, and why. Writes nothing. Raises `ReelError`."""
    words = flags_of(to=to, recipe=recipe, output=output, settings=settings)
    data = Command(["plan", *files_of(media), *words, *flags], project, program).document()[0]["data"]
    return Plan(
        recipe=data["recipe"],
        profile=data["profile"],
        files=tuple(map(_planned_file, data["items"])),
        needs=tuple(data["needs"]),
        obstacles=tuple(
            ReelError(obstacle["code"], obstacle["message"], obstacle["hint"], 5) for obstacle in data["obstacles"]
        ),
    )


def run(
    *media: Name,
    to: str | Iterable[str] = (),
    recipe: str | None = None,
    output: Name | None = None,
    settings: Mapping[str, object] | None = None,
    flags: Sequence[str] = (),
    project: Name | None = None,
    program: Name | None = None,
) -> Run:
    """Start `reel run` for media files, folders or patterns, and return it.

    `to` are target languages, `settings` any settings and parameters by their dotted names (`{"asr.beam_size": 3}`),
    and `flags` further flags of the command line (`["--skip-existing"]`). `project` is the folder of the project, as
    for `--project`. `program` is the `reel` to call; without it, the one that this module belongs to.
    """
    words = flags_of(to=to, recipe=recipe, output=output, settings=settings)
    return Run(Command(["run", *files_of(media), *words, "--progress", "json", *flags], project, program))


def _planned_file(item: Mapping[str, Any]) -> PlannedFile:
    steps = (PlannedStep(*(step[name] for name in PlannedStep.__dataclass_fields__)) for step in item["steps"])
    places = Path(item["media"]), path_or_none(item.get("folder"))
    return PlannedFile(*places, tuple(steps), item.get("skipped"), item.get("error"))


def _file_result(item: Mapping[str, Any]) -> FileResult:
    return FileResult(
        media=Path(item["media"]),
        state=item["state"],
        folder=path_or_none(item["folder"]),
        published=tuple(map(Path, item["files"])),
        seconds=item["seconds"],
        missing=item["missing"],
        error=item["error"],
        reason=item["reason"],
    )
