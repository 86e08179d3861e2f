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

from pipeline.base.code_place import place_in_code
from pipeline.base.errors import (
    EXIT_BUG,
    CardFailed,
    OutOfMemory,
    ReelError,
    StageRaised,
    StageRefused,
    StepFailed,
    WorkerCrashed,
    WorkerKilled,
    WorkerTimedOut,
)
from pipeline.base.project import CODE_ROOT
from pipeline.workers.interfaces import OnEvent, ResourceUse
from pipeline.workers.resource_use import resident_and_cpu, resident_mb
from pipeline.workers.worker_log import is_too_long, last_lines, shorten
from shared import protocol
from shared.process_memory import says_out_of_memory, system_kills
from shared.processes import (
    PARENT,
    ending_signal,
    group_options,
    kill_group,
    paused_group,
    terminate_group,
    was_killed,
)
from shared.text.timecode import span

_START_LIMIT_S = 120.0
_PROOF_LIMIT_S = 300.0  # the driver may have to compile a library's code for the card first
_CANCEL_GRACE_S = 3.0
_TERMINATE_GRACE_S = 5.0
_WATCH_EVERY_S = 0.5
_LAST_LINES = 20  # of a log, in which the cause of an abort is looked for
_SHOWN_LINES = 5  # of a log, below the error of a stage that failed
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
        self._launch = launch
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
        launch = self._launch
        try:
            self._started = await _spawn(launch)
        except OSError as error:
            why = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
            raise StepFailed(
                "worker.start",
                f"no process could be started for {launch.name}: {why}",
                hint="make room for it on this machine: disk, memory, processes, open files; then repeat the command",
            ) from error
        self._watch = asyncio.create_task(self._watch_log_and_memory())
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self.kill)
            greeting = await self._answer(_START_LIMIT_S, "start")
            if isinstance(greeting, protocol.NotInjected):
                raise _Bug(
                    "worker.not-injected", f"{launch.name} does not use reel's cache: {'; '.join(greeting.problems)}"
                )
            if not isinstance(greeting, protocol.Hello) or greeting.protocol != protocol.PROTOCOL:
                raise _Bug("worker.protocol", f"{launch.name} does not speak the protocol {protocol.PROTOCOL}")
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
            raise self._card_failed("stage.card-proof", how) from error
        if isinstance(answer, protocol.Failed | protocol.CardFailed):
            raise self._card_failed("stage.card-proof", self._cannot_compute(answer))
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
            late = WorkerTimedOut(
                "worker.timed-out",
                f"{self._launch.name} did not finish within {span(limit_s)}",
                hint="raise `time_limit_factor` if the machine is slow; the log shows what it did last",
                log=self._launch.log,
            )
            raise self._with_log(late) from error
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
            raise WorkerTimedOut(
                "worker.timed-out", f"{self._launch.name} did not {what} within {span(limit_s)}", log=self._launch.log
            ) from error

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
        name, log = self._launch.name, self._launch.log
        if lacked_memory := self._lack_of_memory(status):
            return lacked_memory
        number = ending_signal(status)
        if number in {"SIGKILL", "SIGTERM"}:
            return WorkerKilled(
                "worker.killed",
                f"{name} was killed ({number}), by another process or for lack of memory",
                hint="close other programs or take a smaller model, then run the same command again",
                log=log,
            )
        how = f"by signal {number}" if number else f"with exit status {status}"
        crashed = WorkerCrashed("worker.crashed", f"{name} ended by itself, {how}, in the middle of its work", log=log)
        return self._with_log(crashed)

    def _lack_of_memory(self, status: int) -> OutOfMemory | None:
        """Return the error if the process has ended because memory ran out."""
        name, log = self._launch.name, self._launch.log
        if self._memory_exceeded_mb is not None:
            return OutOfMemory(
                "worker.memory",
                f"{name} was ended: it held {self._memory_exceeded_mb * 1e6 / 2**30:.1f} GiB, its limit is"
                f" {self._launch.memory_limit_bytes / 2**30:.1f} GiB",
                hint="raise `memory_limit_gib`, or take a smaller model",
                log=log,
            )
        if was_killed(status) and system_kills() > self._system_kills:
            return OutOfMemory(
                "worker.system-memory",
                f"{name} was killed by the system, because the machine's memory ran out",
                hint="close other programs, or take a smaller model",
                log=log,
            )
        if ending_signal(status) == "SIGABRT" and (complaint := self._memory_complaint()):
            # MLX and C++ programs end the process where Python would raise an exception.
            return _no_memory(name, complaint, log)
        return None

    def _answer_error(self, answer: protocol.Event) -> ReelError:
        if isinstance(answer, protocol.Refused):
            return StageRefused(answer.code, answer.message, hint=answer.hint, log=self._launch.log)
        if isinstance(answer, protocol.OutOfMemory | protocol.CardFailed | protocol.Failed):
            self._quoted.append(answer.traceback)
        if isinstance(answer, protocol.OutOfMemory):
            self.usable = False
            return _no_memory(self._launch.name, f"{answer.type}: {answer.message or 'no message'}", self._launch.log)
        if isinstance(answer, protocol.CardFailed):
            self.usable = False
            return self._card_failed("stage.card", self._cannot_compute(answer))
        if isinstance(answer, protocol.Failed):
            place = place_in_code(answer.traceback, CODE_ROOT)
            message = f"{self._launch.name} raised {answer.type}: {answer.message or 'no message'}"
            message += f", at {place}" if place else ""
            raised = StageRaised("stage.raised", message, hint="the log holds the traceback", log=self._launch.log)
            return self._with_log(raised)
        return self._protocol_error(f"`{answer.ev}` where an answer was expected")

    def _cannot_compute(self, answer: protocol.Failed | protocol.CardFailed) -> str:
        return f"{self._launch.name} cannot compute on the card: {answer.type}: {answer.message or 'no message'}"

    def _card_failed(self, code: str, message: str) -> CardFailed:
        hint = "update the driver, or take the processor with `--set device=cpu`"
        return CardFailed(code, message, hint=hint, log=self._launch.log)

    def _with_log(self, error: StepFailed) -> StepFailed:
        """Return the error with the last lines of the log, which often hold the cause."""
        error.log_lines = tuple(last_lines(self._launch.log, _SHOWN_LINES))
        return error

    def _memory_complaint(self) -> str | None:
        """Return the line of the log's end that says that memory ran out; None if none does."""
        lines = last_lines(self._launch.log, _LAST_LINES)
        return next((line for line in reversed(lines) if says_out_of_memory(line)), None)

    def _protocol_error(self, what: str) -> StepFailed:
        self.usable = False
        return WorkerCrashed("worker.protocol", f"{self._launch.name} broke the protocol: {what}", log=self._launch.log)

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


def _no_memory(name: str, complaint: str, log: Path) -> OutOfMemory:
    hint = "close other programs, or take a smaller model"
    return OutOfMemory("stage.out-of-memory", f"{name} ran out of memory: {complaint}", hint=hint, log=log)


class _Bug(ReelError):
    """A failure that only a bug in reel can cause."""

    exit_code = EXIT_BUG


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
