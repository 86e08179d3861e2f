"""The events of a command, as values: reporters turn them into bars, lines or JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.base.display_paths import as_text
from pipeline.base.launcher import as_called
from shared.stage import Fact


@dataclass(frozen=True)
class SetupStarted:
    """Something a run needs is being made: an environment is built, a model or a tool is fetched."""

    what: str
    bytes: int | None = None


@dataclass(frozen=True)
class SetupProgress:
    what: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class SetupFinished:
    what: str
    seconds: float


@dataclass(frozen=True)
class SetupFailed:
    what: str
    code: str


@dataclass(frozen=True)
class FileStarted:
    """A file of what is being set up begins to come, or goes on from the byte that an earlier attempt reached."""

    what: str
    file: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class FileProgress:
    what: str
    file: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class FileEnded:
    """The transfer of the file has ended: complete or given up. `came_bytes` is the amount since its start."""

    what: str
    file: str
    complete: bool
    came_bytes: int
    seconds: float


@dataclass(frozen=True)
class PackageStarted:
    """A package of an environment begins to be downloaded. The installer tells when it is there, and nothing between:
    `FileEnded`."""

    what: str
    package: str
    bytes: int


@dataclass(frozen=True)
class CheckStarted:
    """This number of bytes is read and compared with the lock."""

    bytes: int


@dataclass(frozen=True)
class CheckProgress:
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class CheckFinished:
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
    item: str
    step: str
    backend: str
    key: str


@dataclass(frozen=True)
class StepDone:
    item: str
    step: str
    backend: str
    key: str
    seconds: float
    media_ms: int | None
    facts: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class StepFailedEvent:
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


OfSetUp = (
    SetupStarted | SetupProgress | SetupFinished | SetupFailed | FileStarted | FileProgress | FileEnded | PackageStarted
    | CheckStarted | CheckProgress | CheckFinished
)  # fmt: skip
Event = (
    OfSetUp
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
