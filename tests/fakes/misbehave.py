"""A stage that behaves as badly as its parameters say; it is its own backend."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.processes import child_options
from shared.stage import CORE_ENVIRONMENT, Backend, Device, Fallback, Files, Job, Params, Resources, Stage, StageError


class MisbehaveInputs(Files):
    media: Path | None = None


class MisbehaveParams(Params):
    how: str = "well"
    value: int = 0
    path: str = ""
    precision: str = "full"
    batch: int = 16


class MisbehaveOutputs(Files):
    text: Path
    extra: Path | None = None


MisbehaveJob = Job[MisbehaveInputs, MisbehaveParams]


class Engine:
    """Remembers what `reset` should make it forget."""

    def __init__(self, precision: object) -> None:
        self.memory: list[int] = []
        self.precision = precision

    def reset(self) -> None:
        self.memory.clear()


_LOADED_ON: list[str] = []


def load(models: Mapping[str, Path], device: Device) -> Engine:
    print("loaded")
    _LOADED_ON[:] = [device.kind]
    return Engine(device.options["precision"])


def run(engine: Engine, job: MisbehaveJob) -> MisbehaveOutputs:
    text = job.out_dir / "text.txt"
    text.write_text(f"{job.params.how} {job.params.value}\n", encoding="utf-8")
    engine.memory.append(job.params.value)
    job.note("memory", len(engine.memory))
    job.note("loaded_with", str(engine.precision))
    job.note("batch", job.params.batch)
    how = job.params.how
    if how in _ACTS:
        _ACTS[how](job)
    return MisbehaveOutputs(text=_LIES[how](job) if how in _LIES else text)


def stub(job: MisbehaveJob) -> MisbehaveOutputs:
    text = job.out_dir / "text.txt"
    text.write_text("stub\n", encoding="utf-8")
    return MisbehaveOutputs(text=text)


def _make_noise(job: MisbehaveJob) -> None:
    print('{"ev":"done"}')
    os.write(1, b"raw bytes \xff without a line end")
    ctypes.CDLL(None).puts(b"from C")
    subprocess.run([sys.executable, "-c", "import sys; print('child read', repr(sys.stdin.read()))"], check=True)
    sys.stderr.write("x" * 300_000)


def _flood(job: MisbehaveJob) -> None:
    """Write so many MB of lines to the log, as a library does that warns of every frame; then raise, where there is a
    path."""
    for number in range(job.params.value * 10):
        sys.stderr.write(f"warning {number:06d} {'x' * 83}\n" * 1_000)
    sys.stderr.flush()
    if job.params.path:
        raise LookupError("the last straw")


def _hang(job: MisbehaveJob) -> None:
    while True:
        time.sleep(0.05)


def _hang_politely(job: MisbehaveJob) -> None:
    while True:
        job.progress(0.5)
        time.sleep(0.02)


def _hang_in_c(job: MisbehaveJob) -> None:
    sleep = ctypes.PYFUNCTYPE(ctypes.c_uint, ctypes.c_uint)(("sleep", ctypes.PyDLL(None)))
    sleep(3600)  # keeps the interpreter's lock


def _leave_a_grandchild(job: MisbehaveJob) -> None:
    child = subprocess.Popen(["sleep", "3600"])
    Path(job.params.path).write_text(str(child.pid), encoding="utf-8")
    _hang(job)


def _run_a_program_once(job: MisbehaveJob) -> None:
    """Run a program as a backend runs ffmpeg; it has no end the first time."""
    told = Path(job.params.path)
    if not told.exists():
        child = subprocess.Popen(["sleep", "3600"], **child_options())
        told.write_text(str(child.pid), encoding="utf-8")
        _hang(job)


def _hold_memory(job: MisbehaveJob) -> None:
    held = bytearray(job.params.value << 20)
    held[:: os.sysconf("SC_PAGE_SIZE")] = b"x" * len(held[:: os.sysconf("SC_PAGE_SIZE")])
    _hang(job)


_LEAKED: list[bytes] = []


def _leak(job: MisbehaveJob) -> None:
    _LEAKED.append(b"x" * (job.params.value << 20))


def _run_out_of_memory(job: MisbehaveJob) -> None:
    """Fail in the words of a library on a GPU, unless what is asked for is small enough: at most `value` at once, and,
    where there is a path, only in low precision."""
    if job.params.batch > job.params.value or (job.params.path and job.params.precision != "low"):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


def _abort_without_memory(job: MisbehaveJob) -> None:
    """Ends as MLX does: it prints Metal's error and aborts."""
    print("[METAL] Command buffer execution failed: Insufficient Memory (00000008:OutOfMemory)", file=sys.stderr)
    sys.stderr.flush()
    os.abort()


def _fail_on_a_card(job: MisbehaveJob) -> None:
    """Raise what the path says, as a library does on a card; do nothing on the processor."""
    if _LOADED_ON == ["cuda"]:
        raise RuntimeError(job.params.path)


def _crash_on_a_card(job: MisbehaveJob) -> None:
    if _LOADED_ON == ["cuda"]:
        os.abort()


def _refuse(job: MisbehaveJob) -> None:
    raise StageError("misbehave.refused", "it will not do this", "ask something else")


def _raise(job: MisbehaveJob) -> None:
    raise LookupError("an unexpected error")


def _crash_once(job: MisbehaveJob) -> None:
    if not Path(job.params.path).exists():
        Path(job.params.path).touch()
        os.kill(os.getpid(), signal.SIGSEGV)


def _warn(job: MisbehaveJob) -> None:
    job.warn("mind the gap")
    job.progress(1.0)


def _link(job: MisbehaveJob) -> Path:
    place = job.out_dir / "link"
    place.symlink_to("/etc/hostname")
    return place


def _tell_where(job: MisbehaveJob) -> None:
    """Tell the network this process is in, and the cards it is allowed to see."""
    cards = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
    (job.out_dir / "text.txt").write_text(f"{Path('/proc/self/ns/net').readlink()} {cards}", encoding="utf-8")


_ACTS: dict[str, Callable[[MisbehaveJob], object]] = {
    "noisily": _make_noise,
    "flood": _flood,
    "hang": _hang,
    "hang politely": _hang_politely,
    "hang in C": _hang_in_c,
    "grandchild": _leave_a_grandchild,
    "program once": _run_a_program_once,
    "memory": _hold_memory,
    "leak": _leak,
    "out of memory": _run_out_of_memory,
    "fail on a card": _fail_on_a_card,
    "crash on a card": _crash_on_a_card,
    "refuse": _refuse,
    "raise": _raise,
    "segfault": lambda job: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": lambda job: os.abort(),
    "abort without memory": _abort_without_memory,
    "exit": lambda job: os._exit(job.params.value),
    "sys.exit": lambda job: sys.exit(job.params.value),
    "killed": lambda job: os.kill(os.getpid(), signal.SIGKILL),
    "crash once": _crash_once,
    "warn": _warn,
    "provisional": lambda job: job.mark_provisional("a service was away"),
    "where": _tell_where,
}
_LIES: dict[str, Callable[[MisbehaveJob], Path]] = {
    "lie: missing": lambda job: job.out_dir / "nothing",
    "lie: outside": lambda job: Path("/etc/hostname"),
    "lie: above": lambda job: job.out_dir / ".." / ".." / ".." / "lock",
    "lie: link": _link,
    "lie: folder": lambda job: job.out_dir,
}

FALLBACKS = (Fallback("batches of 4", {"batch": 4}), Fallback("low precision", {"batch": 1, "precision": "low"}))

STAGE = Stage(
    name="misbehave",
    version=1,
    summary="does as it is told, badly",
    inputs=MisbehaveInputs,
    params=MisbehaveParams,
    outputs=MisbehaveOutputs,
    backends={
        "itself": Backend(
            module=__name__,
            environment=CORE_ENVIRONMENT,
            summary="itself",
            resources=Resources(time_base_s=60.0),
            load_params=("precision",),
            neutral_params=("batch",),
            oom_fallbacks=FALLBACKS,
        )
    },
    run=run,
    stub=stub,
)
