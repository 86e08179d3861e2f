"""The processors, memory and accelerators of this machine, remembered in `config/hardware_cache.json`.

The file exists because asking a card's own tool takes longer than a whole command may. It decides which build of torch
an environment gets and which profiles `auto` may take. `reel doctor --remember` asks again.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from pathlib import Path

from pipeline.base.nvidia import Card, CardsFound, ask_cards, find_traces
from shared.documents.base import Document, DocumentError
from shared.stage import DeviceKind

REMEMBERED = "hardware_cache.json"
UNKNOWN_CARD_MB = 4096 * 2**20 / 1e6  # of a card that does not tell its memory: room for one model at a time


class Hardware(Document):
    """`config/hardware_cache.json`. `profile` is the best one that suits the machine."""

    system: str
    machine: str
    cpus: int
    memory_gib: float | None
    cuda: tuple[Card, ...]
    mps: bool
    mlx: bool
    profile: str = ""
    card_trouble: str = ""  # what the driver's tool said where it could not tell of all cards
    traces: str = ""  # of cards and drivers, see `find_traces`: others mean that the machine is to be looked at again
    card_problems: dict[str, str] = {}  # why a library computes on none of the cards; see `usable_hardware`

    @property
    def device(self) -> DeviceKind:
        """Return the kind of device that computes fastest here."""
        return "cuda" if self.cuda else "mps" if self.mps else "cpu"

    def remember(self, place: Path) -> None:
        """Write it to `place`, whose folder is made; a project of an installed reel may have none."""
        place.parent.mkdir(exist_ok=True)
        self.write(place)


def cards_key(hardware: Hardware) -> str:
    """Return a text that differs for other cards, another driver or another choice among them; empty without cards."""
    return " ".join(f"{card.uuid or card.name}/{card.memory_mib}/{card.driver}" for card in hardware.cuda)


def recall(
    remembered: Path,
    path: str | None = None,
    devices: Path = Path("/dev"),
    driver: Path = Path("/proc/driver/nvidia"),
    *,
    makes_folder: bool = False,
) -> Hardware:
    """Return the machine as remembered, which takes microseconds.

    Where nothing is remembered, or the cards or their driver have changed since, the machine is looked at. It is
    remembered if it has a driver that answers and the file can be written, in a folder that is there or may be made.
    `path` lists the folders of programs.
    """
    traces = find_traces(path, devices, driver)
    with contextlib.suppress(OSError, DocumentError):
        known = Hardware.read(remembered)
        if known.traces == traces:
            return known
    found = detect(path, devices, driver)
    if traces and not found.card_trouble:
        with contextlib.suppress(OSError):
            if makes_folder:
                found.remember(remembered)
            else:
                found.write(remembered)
    return found


def detect(path: str | None, devices: Path = Path("/dev"), driver: Path = Path("/proc/driver/nvidia")) -> Hardware:
    """Look at this machine, which takes a second at most. `path` lists the folders to look for programs in."""
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    traces = "" if apple else find_traces(path, devices, driver)
    found = ask_cards(path, devices) if traces else CardsFound()
    return Hardware(
        system=platform.system(),
        machine=platform.machine(),
        cpus=available_cores(),
        memory_gib=_memory_gib(),
        cuda=found.cards,
        mps=apple,
        mlx=apple,
        card_trouble=found.trouble,
        traces=traces,
    )


def available_cores() -> int:
    """Return the number of cores that this process may use.

    In a container they are fewer than the machine's. Of a Mac only the performance cores count: a step on an efficiency
    core holds up all that wait for it.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return _performance_cores() or os.cpu_count() or 1


def _performance_cores() -> int | None:
    """Return the number of performance cores that macOS reports; None on other systems."""
    command = ["sysctl", "-n", "hw.perflevel0.logicalcpu"]
    try:
        asked = subprocess.run(command, capture_output=True, encoding="ascii", errors="replace", timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return int(asked.stdout) if asked.stdout.strip().isdigit() else None


def describe(hardware: Hardware) -> str:
    """Return a description of the machine: `2 cores, 8 GiB, no accelerator; suits the profile starter`."""
    memory = f", {hardware.memory_gib:.0f} GiB of memory" if hardware.memory_gib else ""
    cards = [f"{a.name}{f' ({a.memory_mib / 1024:.0f} GiB)' if a.memory_mib else ''}" for a in hardware.cuda]
    power = ", ".join(cards) or ("MPS and MLX" if hardware.mps else "no accelerator")
    return f"{hardware.cpus} cores{memory}, {power}; suits the profile {hardware.profile}"


def card_memory_mb(card: Card) -> float:
    """Return the memory of a card in 10^6 bytes; a small amount where it is not known."""
    return card.memory_mib * 2**20 / 1e6 if card.memory_mib else UNKNOWN_CARD_MB


def find_memory_mb() -> float | None:
    """Return the memory of the machine, or of the container of this process, in 10^6 bytes."""
    try:
        physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except AttributeError:  # Windows
        import psutil

        return float(psutil.virtual_memory().total) / 1e6
    except (ValueError, OSError):
        return None
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        with contextlib.suppress(OSError, ValueError):
            return min(physical, int(limit.read_text(encoding="utf-8")) / 1e6)
    return physical


def _memory_gib() -> float | None:
    memory_mb = find_memory_mb()
    return round(memory_mb * 1e6 / 2**30, 1) if memory_mb else None
