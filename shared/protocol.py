"""The messages between the orchestrator and a worker: one JSON object a line, at most `LINE_BYTES` long.

    to the worker      load, run, cancel, stop
    from the worker    hello, proved, ready, progress, warning, partial, done, refused, failed, out-of-memory,
                       cancelled, card-failed, not-injected

Messages hold paths, never contents: a result is files in the job's folder. An unknown kind of message is an error, an
unknown field is not. The number in `hello` must match, so that a worker of another release is refused clearly.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from shared.mistakes import first_mistake
from shared.stage import Fact, Option

PROTOCOL = 5
LINE_BYTES = 1 << 20

FileNames = dict[str, str | list[str] | None]
"""Role to path, to several, or to none. In `Done`, relative to the job's folder."""


class Message(BaseModel):
    """Base of all messages. A field that this release does not know is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Load(Message):
    """Import the stage and its backend and load the models; comes before the first `run` of each pair."""

    op: Literal["load"] = "load"
    stage: str
    stage_module: str
    backend: str
    backend_module: str  # empty for the stub
    models: dict[str, str]
    device: str
    threads: int
    options: dict[str, Option] = {}
    prove: str = ""  # a library that is to prove first that it computes on the card; see `stages.toolkit.card`


class Run(Message):
    """Do one job. Only one is in flight at a time."""

    op: Literal["run"] = "run"
    id: int
    stage: str
    backend: str
    inputs: FileNames
    params: dict[str, JsonValue]
    out_dir: str


class Cancel(Message):
    """End job `id` at its next report of progress. The worker keeps running."""

    op: Literal["cancel"] = "cancel"
    id: int


class Stop(Message):
    """Finish and exit."""

    op: Literal["stop"] = "stop"


class Hello(Message):
    """The worker has started and speaks this protocol."""

    ev: Literal["hello"] = "hello"
    protocol: int
    pid: int


class Proved(Message):
    """The library that a load names in `prove` computes on the card; what is loaded comes next."""

    ev: Literal["proved"] = "proved"


class Ready(Message):
    """The backend is loaded."""

    ev: Literal["ready"] = "ready"
    load_s: float
    memory_mb: float | None
    gpu_memory_mb: float | None = None


class Progress(Message):
    """Job `id` has done this part of its work, 0 to 1."""

    ev: Literal["progress"] = "progress"
    id: int
    done: float


class Notice(Message):
    """Job `id` has a warning for the user."""

    ev: Literal["warning"] = "warning"
    id: int
    text: str


class Partial(Message):
    """Job `id` has this text so far, said from `start_ms` to `end_ms` of the media file. The result may differ."""

    ev: Literal["partial"] = "partial"
    id: int
    start_ms: int
    end_ms: int
    text: str


Remark = Progress | Notice | Partial
"""The messages about a job that is not done."""


class Done(Message):
    """Job `id` has written its outputs. Memory is the worker's peak, in 10^6 bytes."""

    ev: Literal["done"] = "done"
    id: int
    outputs: FileNames
    facts: dict[str, Fact]
    seconds: float
    cpu_s: float
    memory_mb: float | None
    gpu_memory_mb: float | None = None


class Refused(Message):
    """The stage has raised a `StageError` in this job, or in the load (`id` is None)."""

    ev: Literal["refused"] = "refused"
    id: int | None
    code: str
    message: str
    hint: str | None


class Failed(Message):
    """An unexpected exception. The worker stays usable."""

    ev: Literal["failed"] = "failed"
    id: int | None
    type: str
    message: str
    traceback: str


class OutOfMemory(Message):
    """The job, or the load (`id` is None), ran out of memory. The worker must not be used again."""

    ev: Literal["out-of-memory"] = "out-of-memory"
    id: int | None
    type: str
    message: str
    traceback: str


class CardFailed(Message):
    """The job, or the load (`id` is None), failed because of the card or its driver. The worker is not to be used
    again."""

    ev: Literal["card-failed"] = "card-failed"
    id: int | None
    type: str
    message: str
    traceback: str


class Cancelled(Message):
    """Job `id` was cancelled."""

    ev: Literal["cancelled"] = "cancelled"
    id: int


class NotInjected(Message):
    """The worker refuses to start: its cache variables are not ours."""

    ev: Literal["not-injected"] = "not-injected"
    problems: list[str]


Request = Annotated[Load | Run | Cancel | Stop, Field(discriminator="op")]
Event = Annotated[
    Hello | Proved | Ready | Remark | Done | Refused | Failed | OutOfMemory | CardFailed | Cancelled | NotInjected,
    Field(discriminator="ev"),
]
_requests: TypeAdapter[Request] = TypeAdapter(Request, config=ConfigDict(defer_build=True))
_events: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))


T = TypeVar("T")


class ProtocolError(Exception):
    """A line is not a message of this protocol."""


def encode(message: Message) -> bytes:
    """Return the message as one line."""
    return message.model_dump_json().encode() + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the orchestrator's message in `line`; raises `ProtocolError`."""
    return _decode(_requests, line)


def decode_event(line: bytes) -> Event:
    """Return the worker's message in `line`; raises `ProtocolError`."""
    return _decode(_events, line)


def _decode(adapter: TypeAdapter[T], line: bytes) -> T:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        raise ProtocolError(f"not a message of protocol {PROTOCOL}: {line[:200]!r}: {first_mistake(error)}") from error
