"""The processors, memory and accelerators of this machine, remembered in `config/hardware_cache.json`.

The file exists because asking a card's own tool takes longer than a whole command may. It decides which build of torch
an environment gets and which profiles `auto` may take. `reel doctor --remember` asks again.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from shared.documents.base import Document, DocumentError, Frozen
from shared.stage import DeviceKind

REMEMBERED = "hardware_cache.json"
_ASK = ("--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
_ASK_LIMIT_S = 10.0


class Accelerator(Frozen):
    """A graphics card. `memory_mib` is None where only its device file says that it is there."""

    name: str
    memory_mib: int | None = None


class Hardware(Document):
    """`config/hardware_cache.json`. `profile` is the best one that suits the machine."""

    system: str
    machine: str
    cpus: int
    memory_gib: float | None
    cuda: tuple[Accelerator, ...]
    mps: bool
    mlx: bool
    profile: str = ""

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device that computes fastest here."""
        return "cuda" if self.cuda else "mps" if self.mps else "cpu"


def recall(remembered: Path, devices: Path = Path("/dev")) -> Hardware:
    """Return the machine as remembered; where nothing is, what can be seen without asking any program. Microseconds."""
    try:
        return Hardware.read(remembered)
    except (OSError, DocumentError):
        return detect(None, devices)


def detect(path: str | None, devices: Path = Path("/dev")) -> Hardware:
    """Look at this machine, which takes a second at most. `path` lists the folders to look for programs in."""
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return Hardware(
        system=platform.system(),
        machine=platform.machine(),
        cpus=available_cores(),
        memory_gib=_memory_gib(),
        cuda=() if apple else _cuda(path, devices),
        mps=apple,
        mlx=apple,
    )


def available_cores() -> int:
    """Return the number of cores that this process may use; in a container they are fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(hardware: Hardware) -> str:
    """Return a description of the machine: `2 cores, 8 GiB, no accelerator; suits the profile starter`."""
    memory = f", {hardware.memory_gib:.0f} GiB of memory" if hardware.memory_gib else ""
    cards = [f"{a.name}{f' ({a.memory_mib / 1024:.0f} GiB)' if a.memory_mib else ''}" for a in hardware.cuda]
    power = ", ".join(cards) or ("MPS and MLX" if hardware.mps else "no accelerator")
    return f"{hardware.cpus} cores{memory}, {power}; suits the profile {hardware.profile}"


def find_cards(path: str | None) -> list[float]:
    """Return the memory of each card that may be used, in 10^6 bytes; infinite where it is not known."""
    cards = _cuda(path, Path("/dev"))
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    memory = [card.memory_mib * 2**20 / 1e6 if card.memory_mib else float("inf") for card in cards]
    if chosen is None:
        return memory or [float("inf")]
    numbers = [name.strip() for name in chosen.split(",") if name.strip()]
    return [memory[int(n)] if n.isdigit() and int(n) < len(memory) else min(memory, default=0.0) for n in numbers]


def find_memory_mb() -> float | None:
    """Return the memory of the machine, or of the container of this process, in 10^6 bytes."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (ValueError, OSError, AttributeError):
        return None
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        with contextlib.suppress(OSError, ValueError):
            return min(physical, int(limit.read_text(encoding="utf-8")) / 1e6)
    return physical


def _cuda(path: str | None, devices: Path) -> tuple[Accelerator, ...]:
    """Return the cards that NVIDIA's own tool lists; without it, those that have a device file."""
    program = shutil.which("nvidia-smi", path=path) if path else None
    if program:
        try:
            asked = subprocess.run(
                [program, *_ASK],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_ASK_LIMIT_S,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ()
        return tuple(_card(line) for line in asked.stdout.splitlines() if line.strip()) if not asked.returncode else ()
    return tuple(Accelerator(name=f"NVIDIA card {p.name[6:]}") for p in sorted(devices.glob("nvidia[0-9]*")))


def _card(line: str) -> Accelerator:
    name, _, memory = line.rpartition(",")
    size = memory.strip()
    return Accelerator(name=(name or line).strip(), memory_mib=int(size) if size.isdigit() else None)


def _memory_gib() -> float | None:
    memory_mb = find_memory_mb()
    return round(memory_mb * 1e6 / 2**30, 1) if memory_mb else None
