"""The stage contract: what a stage declares, what a backend offers, and what a job is.

A contract (`stages/<name>/stage.py`) declares typed `Inputs`, `Params` and `Outputs`, and ends with its `STAGE`. It is
imported by the orchestrator, so at module level it imports the standard library, pydantic and `shared` only.
A backend (`stages/<stage>/<library>.py`) holds what needs the stage's environment:

    def load(models: Mapping[str, Path], device: Device) -> Engine      once per worker
    Engine.<the methods the stage's Protocol names>                     once or more per job
    Engine.reset(self) -> None                                          optional: forget the last job

The same job gives the same bytes in a fresh worker, in a warm one, and in any order of jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import JsonValue, field_validator

from shared.documents.base import Frozen

Fact = str | int | float | bool | None
"""Something that a stage measured or chose, kept with the result: the track it used, the language it detected."""

Option = str | int | float | bool | None
"""A value that decides how a backend loads: a compute type, a precision, a language pair."""

DeviceKind = Literal["cpu", "cuda", "mps"]

CORE_ENVIRONMENT = "core"
PROVISIONAL = "provisional"  # the fact that says why a result is to be made again, see `Job.mark_provisional`
STUB_BACKEND = "stub"


class Files(Frozen):
    """Base of `Inputs` and `Outputs`: every field is a file (`Path`), several (`tuple[Path, ...]`) or `None`."""


class Params(Frozen):
    """Base of a stage's parameters: every field is plain JSON, has a default, and is part of the result's key."""

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_written(cls, value: object) -> object:
        """Refuse a text that cannot be written in UTF-8, as the result's key is."""
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            raise ValueError("expected text in UTF-8") from error
        return value


@dataclass(frozen=True)
class Resources:
    """The resources of a backend's job. The time is a limit, not an estimate; it grows with the length of the file."""

    cpus: int = 1
    memory_gib: float = 1.0
    gpu_memory_gib: float = 0.0  # without the context that each process has on an NVIDIA card
    gpu_per_weight: float = 0.0  # more bytes of it for each byte of the models, for a backend of models of many sizes
    labels: Mapping[str, float] = field(default_factory=dict)  # amounts of what the setting `labels` declares
    time_base_s: float = 120.0
    time_per_media_s: float = 2.0  # more seconds allowed for each second of media


@dataclass(frozen=True)
class Fallback:
    """A variant of a step that takes less memory, tried after the step ran out of memory: the changes to the step.

    `params` are parameters of the stage; a number is an upper limit, so that a fallback never takes more than the user
    requested. `options` are load options that are not parameters of the stage. After the last fallback, a step on a
    card is tried on the processor, whether the backend declares that or not. If the fallbacks declare their resources,
    a step begins with the first one that fits on the machine's card.
    """

    name: str  # for people, and in the result's facts: `8-bit weights`
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)
    device: DeviceKind | None = None
    only_on: DeviceKind | None = None  # the device on which it saves memory; on others it is left out
    resources: Resources | None = None  # None: not known, but no more than those of the requested step


@dataclass(frozen=True)
class Service:
    """The one service on the network that a backend uses, at `address` or at the stage's parameter `address`. The
    user's key for it is in the variable `key`; another address gets another key."""

    address: str
    key: str


@dataclass(frozen=True)
class Backend:
    """A library that does a stage's work, and what it needs.

    `load_params` names the parameters of the stage that decide how the backend loads: they reach `load` as
    `Device.options`, and another value of one means another worker. `neutral_params` names those that never change
    the bytes of its outputs (a batch size, where the library rounds the same in any batch): they are not part of the
    result's key. The `oom_fallbacks` are tried in their order when memory runs out.
    """

    module: str
    environment: str
    summary: str
    models: tuple[str, ...] = ()  # roles; a profile names the model for each
    by_language: bool = False  # it also gets the profile's model for the spoken language, with its tag as the role
    tools: tuple[str, ...] = ()  # programs on the child's PATH, by name; their versions are part of the key
    resources: Resources = Resources()
    platforms: tuple[str, ...] = ()  # values of `sys.platform`; empty: all
    accelerators: tuple[DeviceKind, ...] = ()  # devices for which its lock suffices, in addition to the processor
    card_library: str = ""  # the library of its lock that computes on an NVIDIA card, see `config/cards.toml`
    card_environment: str = ""  # the environment for an NVIDIA card, where that is another
    licence_note: str | None = None
    load_params: tuple[str, ...] = ()
    neutral_params: tuple[str, ...] = ()
    oom_fallbacks: tuple[Fallback, ...] = ()
    service: Service | None = None  # None: it works without a network

    @property
    def environments(self) -> tuple[str, ...]:
        """Return its environment, and the one for an NVIDIA card if that is another."""
        return (self.environment, self.card_environment) if self.card_environment else (self.environment,)


@dataclass(frozen=True)
class Device:
    """The device that a backend computes on. `threads` limits its own thread pools. `options` are the parameters that
    `Backend.load_params` names, with the options of a fallback."""

    kind: DeviceKind = "cpu"
    threads: int = 1
    options: Mapping[str, Option] = field(default_factory=dict)


class StageError(Exception):
    """A stage refuses its input or its parameters, which is not a bug.

    `code` is stable (`<stage>.<cause>`), `message` says what was expected and found, `hint` the way out.
    """

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class JobCancelled(Exception):
    """The orchestrator asked for the running job to end. Raised from `Job.progress`, so it unwinds the library too."""


class Listener(Protocol):
    """The receiver of a running job's messages."""

    def progress(self, done: float) -> None: ...
    def warning(self, text: str) -> None: ...
    def partial(self, start_ms: int, end_ms: int, text: str) -> None: ...


InputsT = TypeVar("InputsT", bound=Files)
ParamsT = TypeVar("ParamsT", bound=Params)


@dataclass(frozen=True)
class Job(Generic[InputsT, ParamsT]):
    """One call of a stage. Outputs are written into `out_dir`, an empty folder, and nowhere else."""

    inputs: InputsT
    params: ParamsT
    out_dir: Path
    backend: str
    listener: Listener
    facts: dict[str, Fact] = field(default_factory=dict)

    def progress(self, done: float) -> None:
        """Report the part of the work that is done, 0 to 1. Call it often, since it also cancels a job."""
        self.listener.progress(min(max(done, 0.0), 1.0))

    def show(self, start_ms: int, end_ms: int, text: str) -> None:
        """Show a text to the user while the job runs, with its times in the media file. It is not stored."""
        self.listener.partial(start_ms, end_ms, text)

    def warn(self, text: str) -> None:
        """Warn the user. The job goes on, and the warning is kept with the result."""
        self.listener.warning(text)

    def note(self, name: str, value: Fact) -> None:
        """Keep a fact with the result."""
        self.facts[name] = value

    def mark_provisional(self, why: str) -> None:
        """Warn that the result is usable but may be better another time, for example because a service did not answer.
        The next run repeats the step."""
        self.note(PROVISIONAL, why)
        self.warn(why)


# A stage's own engine type and job type are narrower than this module can name, hence `Any`: the harness only carries
# an engine from `load` to `run`, and makes the job from the very types that the stage declares.
RunStage = Callable[[Any, Any], Files]
MakeStub = Callable[[Any], Files]


@dataclass(frozen=True)
class Stage:
    """A kind of work. `version` rises when the same inputs would give another result."""

    name: str
    version: int
    summary: str
    inputs: type[Files]
    params: type[Params]
    outputs: type[Files]
    backends: Mapping[str, Backend]
    run: RunStage
    stub: MakeStub  # valid outputs without a model, so that the orchestrator is tested anywhere in seconds

    def __post_init__(self) -> None:
        """Refuse a backend that names a parameter which the stage does not have: a mistake in its declaration."""
        for name, backend in self.backends.items():
            in_fallbacks = (param for fallback in backend.oom_fallbacks for param in fallback.params)
            named = {*backend.load_params, *backend.neutral_params, *in_fallbacks}
            if unknown := named - set(self.params.model_fields):
                raise ValueError(f"{self.name} has no parameter {min(unknown)}, which its backend {name} names")

    @property
    def module(self) -> str:
        """Return the name of the stage's module, which the worker imports."""
        return self.run.__module__
