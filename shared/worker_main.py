"""Run a worker: a stage process that loads a backend once and serves many jobs.

    python -m shared.worker_main        started by the orchestrator, never by hand; speaks `shared.protocol`

The order of `main` matters, and each step prevents a failure that was provoked in tests. The protocol moves to private
copies of stdin and stdout before anything can print. The process arranges to end with its parent. Libraries are
imported and models loaded on the main thread before the reader thread exists, because importing numpy while a thread
blocks on a pipe dead-locks on Windows. Only then does the reader listen for messages during a job.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from shared import protocol
from shared.card_errors import card_free_mb, failure_kind
from shared.environment_manager import missing_injection
from shared.mistakes import first_mistake
from shared.process_memory import gpu_mb, peak_mb, release_card_memory, resident_mb
from shared.processes import EXIT_PARENT_GONE, leave_with_group, leave_with_parent
from shared.remote_code import check_code
from shared.stage import STUB_BACKEND, Device, DeviceKind, Files, Job, JobCancelled, Stage, StageError

EXIT_NOT_INJECTED = 78  # EX_CONFIG
_PROGRESS_EVERY_S = 0.1
_IDLE_S = 5.0  # without work, after which a worker keeps no memory of the card in reserve
_SHOWN_TEXT = 2_000  # characters: a line of the protocol has a limit


class _Wire:
    """The protocol's own ends of the pipes, which no library that prints or reads can reach."""

    def __init__(self) -> None:
        self._reading = os.dup(0)  # not inheritable, so a child of ours cannot eat a request
        self._writing = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0, inheritable=True)
        os.close(nothing)
        os.dup2(2, 1, inheritable=True)  # print(), printf() and children go to the log
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - stays open as long as the process
        sys.stdout = sys.stderr
        self._lock = threading.Lock()

    def send(self, message: protocol.Message) -> None:
        line = protocol.encode(message)
        with self._lock:
            while line:
                line = line[os.write(self._writing, line) :]

    def requests(self) -> Iterator[protocol.Request]:
        with open(self._reading, "rb", closefd=False) as stream:
            for line in stream:
                yield protocol.decode_request(line)


class _Listener:
    """Sends a running job's messages to the orchestrator, and cancels the job if the orchestrator asks for it."""

    def __init__(self, wire: _Wire, job_id: int, cancelled: set[int]) -> None:
        self._wire, self._id, self._cancelled = wire, job_id, cancelled
        self._next = 0.0

    def progress(self, done: float) -> None:
        if self._id in self._cancelled:
            raise JobCancelled
        now = time.monotonic()
        if now >= self._next or done >= 1:
            self._next = now + _PROGRESS_EVERY_S
            self._wire.send(protocol.Progress(id=self._id, done=done))

    def warning(self, text: str) -> None:
        self._wire.send(protocol.Notice(id=self._id, text=text))

    def partial(self, start_ms: int, end_ms: int, text: str) -> None:
        shown = text[:_SHOWN_TEXT]
        self._wire.send(protocol.Partial(id=self._id, start_ms=start_ms, end_ms=end_ms, text=shown))


class _Worker:
    """Loads backends and runs jobs. Engines are kept by stage and backend; a stub has none."""

    def __init__(self, wire: _Wire, cancelled: set[int]) -> None:
        self._wire, self._cancelled = wire, cancelled
        self._device: DeviceKind = "cpu"
        self._engines: dict[tuple[str, str], tuple[Stage, Any]] = {}  # Any: see `shared.stage.RunStage`

    def load(self, request: protocol.Load) -> None:
        started = time.monotonic()
        stage: Stage = import_module(request.stage_module).STAGE
        engine = None
        if request.backend != STUB_BACKEND:
            models = {role: Path(path) for role, path in request.models.items()}
            for role, folder in models.items():
                check_code(folder, role, request.options)
            device = Device(request.device, request.threads, request.options)  # type: ignore[arg-type]
            self._device = device.kind
            if request.prove:  # so that a library that cannot compute on the card fails before it loads
                import_module(f"stages.toolkit.card.{request.prove}").prove()
                self._wire.send(protocol.Proved())
            engine = import_module(request.backend_module).load(models, device)
        self._engines[request.stage, request.backend] = stage, engine
        self._wire.send(
            protocol.Ready(load_s=time.monotonic() - started, memory_mb=resident_mb(), gpu_memory_mb=gpu_mb())
        )

    def run(self, request: protocol.Run) -> None:
        stage, engine = self._engines[request.stage, request.backend]
        started, cpu = time.monotonic(), time.process_time()
        job: Job[Any, Any] = Job(
            inputs=_inputs(stage.inputs, request.inputs),
            params=stage.params.model_validate(request.params),
            out_dir=Path(request.out_dir),
            backend=request.backend,
            listener=_Listener(self._wire, request.id, self._cancelled),
        )
        try:
            outputs = stage.stub(job) if engine is None else stage.run(engine, job)
        finally:
            if reset := getattr(engine, "reset", None):
                reset()
        self._wire.send(
            protocol.Done(
                id=request.id,
                outputs=_names(outputs, job.out_dir),
                facts=job.facts,
                seconds=time.monotonic() - started,
                cpu_s=time.process_time() - cpu,
                memory_mb=peak_mb(),
                gpu_memory_mb=gpu_mb(),
            )
        )

    def serve(self, request: protocol.Load | protocol.Run) -> None:
        """Answer one request. Every failure becomes a message."""
        job_id = request.id if isinstance(request, protocol.Run) else None
        try:
            if isinstance(request, protocol.Load):
                self.load(request)
            elif request.id in self._cancelled:
                raise JobCancelled
            else:
                self.run(request)
        except JobCancelled:
            self._wire.send(protocol.Cancelled(id=job_id or 0))
        except StageError as error:
            refusal = protocol.Refused(id=job_id, code=error.code, message=error.message, hint=error.hint)
            self._wire.send(refusal)
        except Exception as error:  # noqa: BLE001 - the process boundary: one of the two places that catch everything
            text = traceback.format_exc(limit=30)
            print(text, file=sys.stderr, flush=True)
            self._wire.send(self._failure(error, job_id, text))

    def _failure(self, error: Exception, job_id: int | None, text: str) -> protocol.Message:
        """Return the message about an exception, by what it means on the device."""
        kind = failure_kind(error, self._device, card_free_mb() if self._device == "cuda" else None)
        details = {
            "id": job_id,
            "type": type(error).__name__,
            "message": str(error)[:4000],
            "traceback": text[-20_000:],
        }
        if kind == "memory":
            return protocol.OutOfMemory.model_validate(details)
        if kind == "card":
            return protocol.CardFailed.model_validate(details)
        return protocol.Failed.model_validate(details)


def main() -> int:
    """Serve until the orchestrator ends or stops the worker. Return the exit status."""
    wire = _Wire()
    leave_with_parent()
    faulthandler.enable()
    if problems := missing_injection(os.environ):
        wire.send(protocol.NotInjected(problems=problems))
        return EXIT_NOT_INJECTED
    wire.send(protocol.Hello(protocol=protocol.PROTOCOL, pid=os.getpid()))
    cancelled: set[int] = set()
    worker = _Worker(wire, cancelled)
    requests = wire.requests()
    for request in requests:
        if isinstance(request, protocol.Stop):
            return 0
        if isinstance(request, protocol.Load):
            worker.serve(request)
            break
    else:
        return EXIT_PARENT_GONE
    for request in _listen(requests, cancelled):
        worker.serve(request)
    return 0


def _listen(requests: Iterator[protocol.Request], cancelled: set[int]) -> Iterator[protocol.Load | protocol.Run]:
    """Yield the requests, while a thread receives `cancel` and the end of the parent at once. While no request comes,
    memory of the card is given back."""
    waiting: queue.SimpleQueue[protocol.Load | protocol.Run | None] = queue.SimpleQueue()

    def read() -> None:
        for request in requests:
            if isinstance(request, protocol.Cancel):
                cancelled.add(request.id)
            elif isinstance(request, protocol.Stop):
                waiting.put(None)
                return
            else:
                waiting.put(request)
        leave_with_group()  # end of file: the orchestrator has gone, and the main thread may be deep in C

    threading.Thread(target=read, name="requests", daemon=True).start()
    while True:
        try:
            request = waiting.get(timeout=_IDLE_S)
        except queue.Empty:  # a job that follows at once would have to reserve the memory again
            release_card_memory()
            request = waiting.get()
        if request is None:
            return
        yield request


def _inputs(kind: type[Files], names: Mapping[str, str | list[str] | None]) -> Files:
    try:
        return kind.model_validate(names)
    except ValidationError as error:
        raise StageError("stage.inputs", f"the inputs do not fit the stage: {first_mistake(error)}") from error


def _names(outputs: BaseModel, out_dir: Path) -> protocol.FileNames:
    """Return the outputs of each role as file names relative to the job's folder. A path outside the folder is not
    changed, so that the orchestrator refuses it."""

    def name(path: Path) -> str:
        return str(path.relative_to(out_dir)) if path.is_relative_to(out_dir) else str(path)

    named: protocol.FileNames = {}
    for role in type(outputs).model_fields:
        value = getattr(outputs, role)
        named[role] = None if value is None else name(value) if isinstance(value, Path) else [name(p) for p in value]
    return named


if __name__ == "__main__":
    sys.exit(main())
