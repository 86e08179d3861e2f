"""Start, feed, watch and end one stage process.

Every worker is started from the main thread, because the kernel ends a worker with the *thread* that started it. It
leads a process group of its own, so that the processes which it started end with it. Its standard error is a file, so
no reader has to drain it and nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import (
    ReelError,
    StageRefused,
    StepFailed,
    WorkerCrashed,
    WorkerTimedOut,
)
from pipeline.workers.interfaces import OnEvent, ResourceUse
from pipeline.workers.resource_use import resident_and_cpu, resident_mb
from pipeline.workers.worker_errors import WorkerErrors, described
from pipeline.workers.worker_log import is_too_long, shorten
from shared import protocol
from shared.process_memory import system_kills
from shared.processes import (
    PARENT,
    group_options,
    kill_group,
    paused_group,
    terminate_group,
    was_killed,
)

_START_LIMIT_S = 120.0
_PROOF_LIMIT_S = 300.0  # the driver may have to compile a library's code for the card first
_CANCEL_GRACE_S = 3.0
_TERMINATE_GRACE_S = 5.0
_WATCH_EVERY_S = 0.5
_QUOTED = 4  # errors whose traceback stays in the log even if it is shortened


@dataclass(frozen=True)
class Launch:
    """The parameters of a new worker: its interpreter, complete environment, working folder, log and memory limit.

    `folders` are made if they are missing; libraries expect them.
    """

    name: str  # for messages: `asr (faster-whisper)`
    python: Path
    environment: Mapping[str, str]
    folder: Path
    folders: tuple[Path, ...]
    log: Path
    memory_limit_bytes: int


class WorkerProcess:
    """A stage process on this machine; see `pipeline.workers.interfaces.WorkerHandle`."""

    def __init__(self, launch: Launch) -> None:
        self._launch, self._errors = launch, WorkerErrors(launch.name, launch.log)
        self._started: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._memory_exceeded_mb: float | None = None
        self._gpu_memory_mb: float | None = None
        self._peak_mb = 0.0
        self._system_kills = system_kills()
        self._quoted: deque[str] = deque(maxlen=_QUOTED)
        self.usable = True

    @property
    def _process(self) -> asyncio.subprocess.Process:
        assert self._started is not None, "the worker is not started"
        return self._started

    @property
    def pid(self) -> int | None:
        """Return the process; None if it is not started."""
        return self._started.pid if self._started else None

    async def start(self) -> None:
        """Start the process, and wait for its greeting. Raises `StepFailed`."""
        try:
            self._started = await _spawn(self._launch)
        except OSError as error:
            raise self._errors.not_started(error) from error
        self._watch = asyncio.create_task(self._watch_log_and_memory())
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self.kill)
            greeting = await self._answer(_START_LIMIT_S, "start")
            if isinstance(greeting, protocol.NotInjected):
                raise self._errors.not_injected(greeting.problems)
            if not isinstance(greeting, protocol.Hello) or greeting.protocol != protocol.PROTOCOL:
                raise self._errors.other_protocol()
            undo.pop_all()

    async def load(self, request: protocol.Load, limit_s: float) -> protocol.Ready:
        """Load a backend. Raises `StageRefused` or a `StepFailed`; the worker is then no longer usable."""
        self.usable = False
        await self._send(request)
        if request.prove:
            await self._wait_for_proof()
        answer = await self._answer(limit_s, "load its models")
        if not isinstance(answer, protocol.Ready):
            raise self._answer_error(answer)
        self.usable = True
        self._gpu_memory_mb = answer.gpu_memory_mb
        return answer

    async def _wait_for_proof(self) -> None:
        """Wait until a library has proved that it computes on the card. Raises `CardFailed` where it fails, crashes or
        hangs, and `OutOfMemory`."""
        proving = "prove that it computes on the card"
        try:
            answer = await self._answer(_PROOF_LIMIT_S, proving)
        except (WorkerTimedOut, WorkerCrashed) as error:
            how = error.message if isinstance(error, WorkerTimedOut) else f"{error.message}, which was to {proving}"
            raise self._errors.card_error("stage.card-proof", how) from error
        if isinstance(answer, protocol.Failed | protocol.CardFailed):
            raise self._errors.card_failed(answer, "stage.card-proof")
        if not isinstance(answer, protocol.Proved):
            raise self._answer_error(answer)

    async def run(self, request: protocol.Run, limit_s: float, on_event: OnEvent) -> protocol.Done:
        """Run one job, and cancel it if this task is cancelled. Raises `StageRefused` or a `StepFailed`."""
        try:
            await self._send(request)
            async with asyncio.timeout(limit_s):
                while True:
                    answer = await self._receive()
                    if isinstance(answer, protocol.Remark):
                        if answer.id == request.id:
                            on_event(answer)
                    elif isinstance(answer, protocol.Done) and answer.id == request.id:
                        self._gpu_memory_mb = answer.gpu_memory_mb
                        self._peak_mb = max(self._peak_mb, answer.memory_mb or 0.0)
                        return answer
                    elif not isinstance(answer, protocol.Done | protocol.Cancelled):
                        raise self._answer_error(answer)
        except TimeoutError as error:
            self.usable = False
            await self._end_job(request.id)
            await self._terminate()
            raise self._errors.late(limit_s) from error
        except asyncio.CancelledError:
            self.usable = False
            if await self._end_job(request.id):
                self.usable = True
            else:
                await self._terminate()
            raise

    async def stop(self) -> None:
        """Ask the worker to exit, and kill it if it does not."""
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, StepFailed):
                await self._send(protocol.Stop())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TERMINATE_GRACE_S):
                    await self._process.wait()
        finally:
            await self.kill()  # at once if this task is cancelled, as at the end of a run

    async def kill(self) -> None:
        """Kill the worker and every process that it started."""
        self.usable = False
        if self._started is None:
            return
        if self._watch:
            self._watch.cancel()
        kill_group(self._process.pid)
        await self._process.wait()
        shorten(self._launch.log, self._quoted)
        if self._process.stdin:
            self._process.stdin.close()

    def kill_now(self) -> None:
        """Kill the worker without waiting for its end."""
        if self._started is not None:
            kill_group(self._process.pid)

    def resource_use(self) -> ResourceUse | None:
        """Return the current resource use, or None if the system does not report it."""
        used = resident_and_cpu(self._started.pid) if self._started else None
        if used is None:
            return None
        memory_mb, cpu_s = used
        self._peak_mb = max(self._peak_mb, memory_mb)
        return ResourceUse(cpu_s, memory_mb, self._gpu_memory_mb, self._peak_mb)

    async def _end_job(self, job: int) -> bool:
        """Cancel the job, and wait briefly. Return whether it ended, so that the worker can take another job."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError, StepFailed):
            await self._send(protocol.Cancel(id=job))
            async with asyncio.timeout(_CANCEL_GRACE_S):
                while isinstance(answer := await self._receive(), protocol.Remark):
                    pass
            return isinstance(answer, protocol.Cancelled | protocol.Done)
        return False

    async def _terminate(self) -> None:
        """Send the process a signal to exit, and kill it if it does not."""
        self.usable = False
        with contextlib.suppress(TimeoutError, StepFailed, ReelError):
            terminate_group(self._process.pid)
            async with asyncio.timeout(_TERMINATE_GRACE_S):
                await self._process.wait()
        await self.kill()

    async def _send(self, message: protocol.Message) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(protocol.encode(message))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise await self._exit_error() from error

    async def _answer(self, limit_s: float, what: str) -> protocol.Event:
        try:
            async with asyncio.timeout(limit_s):
                return await self._receive()
        except TimeoutError as error:
            await self.kill()
            raise self._errors.no_answer(what, limit_s) from error

    async def _receive(self) -> protocol.Event:
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
        except ValueError as error:  # longer than the limit
            raise self._protocol_error("a line longer than a megabyte") from error
        if not line:
            raise await self._exit_error()
        try:
            return protocol.decode_event(line)
        except protocol.ProtocolError as error:
            raise self._protocol_error(str(error)) from error

    async def _exit_error(self) -> StepFailed:
        """Return the error for a worker that has ended. Each cause has an error of its own."""
        self.usable = False
        status = await self._process.wait()
        kill_group(self._process.pid)  # the processes that it started may still run
        shorten(self._launch.log, self._quoted)
        if self._memory_exceeded_mb is not None:
            return self._errors.over_limit(self._memory_exceeded_mb, self._launch.memory_limit_bytes)
        if was_killed(status) and system_kills() > self._system_kills:
            return self._errors.killed_by_system()
        return self._errors.ended(status)

    def _answer_error(self, answer: protocol.Event) -> ReelError:
        """Return the error for an answer that is not the expected one."""
        if isinstance(answer, protocol.Refused):
            return StageRefused(answer.code, answer.message, hint=answer.hint, log=self._launch.log)
        if isinstance(answer, protocol.OutOfMemory | protocol.CardFailed | protocol.Failed):
            self._quoted.append(answer.traceback)
        if isinstance(answer, protocol.OutOfMemory):
            self.usable = False
            return self._errors.out_of_memory(described(answer))
        if isinstance(answer, protocol.CardFailed):
            self.usable = False
            return self._errors.card_failed(answer)
        if isinstance(answer, protocol.Failed):
            return self._errors.raised(answer)
        return self._protocol_error(f"`{answer.ev}` where an answer was expected")

    def _protocol_error(self, what: str) -> StepFailed:
        self.usable = False
        return self._errors.broken_protocol(what)

    async def _watch_log_and_memory(self) -> None:
        """Keep the log short, and kill the worker if it holds more memory than its limit.

        Resident memory is measured, not the address space: libraries reserve far more than they use.
        """
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            if is_too_long(self._launch.log):
                self._shorten_log()
            if self._launch.memory_limit_bytes and self._exceeds_memory_limit():
                kill_group(self._process.pid)
                return

    def _shorten_log(self) -> None:
        """Shorten the log while all its writers are paused.

        Of 100 MB that a program wrote as fast as it could, at most 18 MB were on the disk. The ten pauses took 0.9 s on
        a busy machine, and one check of the size 20 microseconds.
        """
        with paused_group(self._process.pid):
            shorten(self._launch.log, self._quoted)

    def _exceeds_memory_limit(self) -> bool:
        held_mb = resident_mb(self._process.pid) or 0.0
        self._peak_mb = max(self._peak_mb, held_mb)
        if held_mb * 1e6 <= self._launch.memory_limit_bytes:
            return False
        self._memory_exceeded_mb = held_mb
        return True


async def _spawn(launch: Launch) -> asyncio.subprocess.Process:
    for folder in (launch.folder, *launch.folders, launch.log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with open(launch.log, "ab") as log:
        return await asyncio.create_subprocess_exec(
            str(launch.python), "-m", "shared.worker_main",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            env={**launch.environment, PARENT: str(os.getpid())}, cwd=launch.folder,
            limit=protocol.LINE_BYTES + 1, **group_options(),
        )  # fmt: skip
