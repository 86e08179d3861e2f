"""Define the events of a command. Reporters turn them into progress bars, lines or JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.base.display_paths import as_text
from pipeline.base.launcher import as_called
from shared.stage import Fact


@dataclass(frozen=True)
class SetupStarted:
    """The set-up of something that a run needs has begun: an environment, a model or a tool. `bytes` is the size of its
    download, None if unknown."""

    what: str
    bytes: int | None = None


@dataclass(frozen=True)
class SetupProgress:
    """The set-up has fetched this much of all its files."""

    what: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class SetupFinished:
    """The set-up has succeeded."""

    what: str
    seconds: float


@dataclass(frozen=True)
class SetupFailed:
    """The set-up has failed, with the code of the error."""

    what: str
    code: str


@dataclass(frozen=True)
class FileStarted:
    """The transfer of a file of the set-up begins, or continues from the byte that an earlier attempt reached."""

    what: str
    file: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class FileProgress:
    """The transfer of a file has reached this byte."""

    what: str
    file: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class FileEnded:
    """The transfer of a file has ended, complete or not. `came_bytes` is the number of bytes since `FileStarted`."""

    what: str
    file: str
    complete: bool
    came_bytes: int
    seconds: float


@dataclass(frozen=True)
class PackageStarted:
    """The download of a package of an environment has begun. The installer reports no progress, only the end, which is
    a `FileEnded`."""

    what: str
    package: str
    bytes: int


@dataclass(frozen=True)
class CheckStarted:
    """The check of this number of bytes against the lock has begun."""

    bytes: int


@dataclass(frozen=True)
class CheckProgress:
    """The check has read this much."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class CheckFinished:
    """The check has ended."""

    bytes: int
    seconds: float


@dataclass(frozen=True)
class RunStarted:
    """A run begins. `items` is the number of files so far; None while it is not known."""

    run: str
    items: int | None


@dataclass(frozen=True)
class WorkerStarted:
    """A process was started. `worker` names it for the rest of the run; `label` is what a person reads. `generation`
    counts the processes that took the same place before it, from 1."""

    worker: str
    label: str
    host: str
    generation: int


@dataclass(frozen=True)
class WorkerLoaded:
    """A worker has loaded a backend with its models, within `seconds`."""

    worker: str
    stage: str
    backend: str
    models: tuple[str, ...]
    seconds: float
    memory_mb: float | None


@dataclass(frozen=True)
class WorkerMeasured:
    """The current use of a worker: cores, memory, GPU memory where it has a GPU, and peak memory."""

    worker: str
    cores: float
    memory_mb: float
    gpu_memory_mb: float | None = None
    peak_memory_mb: float | None = None


@dataclass(frozen=True)
class CardMeasured:
    """The current use of a card, by reel and others: memory in 10^6 bytes, and the share of the last second in which it
    computed, where the driver tells. `card` is its UUID, `name` is for people."""

    host: str
    card: str
    name: str
    used_mb: float
    total_mb: float
    busy: float | None


@dataclass(frozen=True)
class WorkerEnded:
    """A worker is gone. `reason` is a word or two: finished, idle, evicted, memory, crashed, killed."""

    worker: str
    reason: str


@dataclass(frozen=True)
class ItemStarted:
    """Work on a media file begins. `plan` names its steps, each after the steps that it needs."""

    item: str
    media: Path
    steps: int
    plan: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepStarted:
    """A worker has begun the step. `reason` says why its result is not reused; `media_ms` is the length of the file."""

    item: str
    step: str
    backend: str
    reason: str
    media_ms: int | None
    worker: str | None = None


@dataclass(frozen=True)
class StepWaiting:
    """The step is ready and waits for its models, memory, a core, a GPU or a worker. Emitted when the reason
    changes."""

    item: str
    step: str
    waits_for: str


@dataclass(frozen=True)
class StepProgress:
    """The step has done this part of its work, 0 to 1."""

    item: str
    step: str
    done: float


@dataclass(frozen=True)
class StepPartial:
    """The step has this text so far, said from `start_ms` to `end_ms` of the media file. Its result may differ."""

    item: str
    step: str
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class StepReused:
    """The step was not run, because its result exists. `key` is the key of the result."""

    item: str
    step: str
    backend: str
    key: str


@dataclass(frozen=True)
class StepDone:
    """The step has run, and its result is stored under `key`. `facts` are those that the stage noted."""

    item: str
    step: str
    backend: str
    key: str
    seconds: float
    media_ms: int | None
    facts: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class StepFailedEvent:
    """The step has failed. The fields are those of the error."""

    item: str
    step: str
    backend: str
    code: str
    message: str
    hint: str | None
    log: Path | None
    log_lines: tuple[str, ...] = ()
    again: str | None = None  # the command that repeats the step, if a command of the user asked for it


@dataclass(frozen=True)
class StepSkipped:
    """The step was not run because one before it failed."""

    item: str
    step: str


@dataclass(frozen=True)
class StepsSkipped:
    """All steps of the file that were not run because others failed. It follows the `StepSkipped` of each."""

    item: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Notice:
    """A warning for the user; the work continues."""

    item: str | None
    step: str | None
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", as_called(self.text))


@dataclass(frozen=True)
class Checked:
    """The result of checking a step's subtitles: the number of cues over a limit, in all and by rule."""

    item: str
    step: str
    language: str
    cues: int
    over_limits: int
    rules: dict[str, int]


@dataclass(frozen=True)
class Published:
    """A file was written for the user."""

    item: str
    path: Path


@dataclass(frozen=True)
class ItemFinished:
    """Work on a media file has ended. `reason` says why it was skipped."""

    item: str
    state: str  # done, reused, failed or skipped
    seconds: float
    folder: Path | None
    reason: str = ""


SetupEvent = (
    SetupStarted | SetupProgress | SetupFinished | SetupFailed | FileStarted | FileProgress | FileEnded | PackageStarted
    | CheckStarted | CheckProgress | CheckFinished
)  # fmt: skip
Event = (
    SetupEvent
    | RunStarted | WorkerStarted | WorkerLoaded | WorkerMeasured | CardMeasured | WorkerEnded
    | ItemStarted | StepStarted | StepWaiting | StepProgress | StepPartial | StepReused | StepDone | StepFailedEvent
    | StepSkipped | StepsSkipped | Notice | Checked | Published | ItemFinished
)  # fmt: skip
Emit = Callable[[Event], None]


def event_data(event: Event) -> dict[str, object]:
    """Return an event for JSON: its kind as `event`, and its fields, with paths as text."""
    return {"event": type(event).__name__, **{name: _plain(value) for name, value in asdict(event).items()}}


def _plain(value: object) -> object:
    return as_text(value) if isinstance(value, Path) else value
