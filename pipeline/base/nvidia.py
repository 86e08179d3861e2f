"""The NVIDIA cards of this machine, as the tool of their driver, `nvidia-smi`, reports them.

The driver brings the tool on every system, also inside WSL2 and containers, so that the core needs no binding to the
driver's library: decision 0022. A card is known by its UUID: the numbers of the tool and those of CUDA may differ.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.documents.base import Frozen

VISIBLE = "CUDA_VISIBLE_DEVICES"
NO_CARD = "-1"  # as its value, hides every card: Windows takes an empty variable for one that is not set
_TOOL = "nvidia-smi"
# Where the tool is when it is not on the PATH: inside WSL2, and where drivers for Windows before 2020 put it.
_FOLDERS = ("/usr/lib/wsl/lib", r"C:\Program Files\NVIDIA Corporation\NVSMI")
_LIMIT_S = 10.0
_FIELDS = ("uuid", "name", "memory.total", "driver_version", "compute_cap", "mig.mode.current")
_OLD_FIELDS = (
    "uuid",
    "name",
    "memory.total",
    "driver_version",
)  # drivers before 510 refuse the question for a field that they do not know
_NOTHING_FOUND = "No devices were found"  # what the tool says, and fails, where there is a driver and no card
_UUID = re.compile(r"GPU-[0-9a-fA-F-]{36}")
_LISTED_CARD = re.compile(r"GPU \d+: .*\(UUID: (?P<uuid>GPU-[^)]+)\)")
_LISTED_SLICE = re.compile(r"MIG (?P<profile>\S*?(?P<gb>\d+)gb\S*)\s.*\(UUID: (?P<uuid>MIG-[^)]+)\)")


class Card(Frozen):
    """A graphics card, or a MIG slice of one. A text is empty, and memory None, where the driver does not tell."""

    name: str
    memory_mib: int | None = None
    uuid: str = ""  # what CUDA takes for it: its UUID, or its number where nothing tells the UUID
    capability: str = ""  # compute capability: `8.6`
    driver: str = ""
    slice_of: str = ""  # the UUID of the card, for a slice

    @property
    def version(self) -> tuple[int, ...]:
        """Return the compute capability as numbers; empty where it is not known."""
        return numbers(self.capability)


@dataclass(frozen=True)
class CardsFound:
    """The cards, and what the tool said where it could not tell of all."""

    cards: tuple[Card, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class CardUse:
    """Memory of one card in 10^6 bytes: in total, free now, and held by each process, as far as the driver tells.
    `busy` is the share of the last second in which it computed, 0 to 1; None where the driver does not tell."""

    total_mb: float
    free_mb: float
    processes: dict[int, float]
    busy: float | None = None


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: `535.183.01` as (535, 183, 1)."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def find_tool(path: str | None) -> str | None:
    """Return the tool in the folders of `path`, else where drivers put it; None without a driver."""
    return shutil.which(_TOOL, path=os.pathsep.join([*([path] if path else []), *_FOLDERS]))


def find_traces(path: str | None, devices: Path = Path("/dev"), driver: Path = Path("/proc/driver/nvidia")) -> str:
    """Return what shows without asking any program that the cards may have changed: device files, what the driver tells
    in `driver` of itself, its cards and their slices, and the tool. Empty on a machine without NVIDIA's driver. Takes
    microseconds."""
    files = [file.name for pattern in ("nvidia[0-9]*", "dxg") for file in sorted(devices.glob(pattern))]
    tool = find_tool(path)
    if files in ([], ["dxg"]) and not tool:
        return ""  # no card, or inside WSL2 that of another maker
    told = _lines_of(driver / "version", "NVRM")
    if not told and tool:  # inside WSL2 and on Windows; each driver brings a tool of its own there
        told = [f"{Path(tool).stat().st_mtime:.0f}"]
    for card in sorted(driver.glob("gpus/*")):
        told += [card.name, *_lines_of(card / "information", "Model", "GPU UUID")]
    told += [str(part.relative_to(driver)) for part in sorted(driver.glob("capabilities/gpu*/mig/gi*/ci*"))]
    return " ".join([*files, *told, *([tool] if tool else [])])


def _lines_of(file: Path, *names: str) -> list[str]:
    """Return the lines of a file of the driver that begin with one of the names; none where there is no file."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [" ".join(line.split()) for line in lines if line.startswith(names)]


def ask_cards(path: str | None, devices: Path = Path("/dev")) -> CardsFound:
    """Ask the tool for all cards, with MIG slices in place of a card that is cut into them. Takes a second at most;
    10 s where the driver hangs. Without the tool, each device file is a card of which nothing is known."""
    tool = find_tool(path)
    if tool is None:
        files = sorted(devices.glob("nvidia[0-9]*"), key=lambda file: numbers(file.name))
        without = f"{_TOOL} was not found, so nothing is known of the card but its device file" if files else ""
        unnamed = (Card(name=f"NVIDIA card {file.name[6:]}", uuid=str(at)) for at, file in enumerate(files))
        return CardsFound(tuple(unnamed), without)
    fields: Sequence[str] = _FIELDS
    lines, trouble = _ask(tool, _query(fields))
    if any("not a valid field" in line for line in (*lines, trouble)):
        fields = _OLD_FIELDS
        lines, trouble = _ask(tool, _query(fields))
    if any(_NOTHING_FOUND in line for line in (*lines, trouble)):
        return CardsFound()
    cards: list[Card] = []
    for line in lines:
        values = dict(zip(fields, map(str.strip, line.split(",")), strict=False))
        if not _UUID.fullmatch(values.get("uuid", "")):
            trouble = trouble or f"{_TOOL}: {line.strip()}"
        elif values.get("mig.mode.current") == "Enabled":
            slices = _slices(tool, _card(values))
            trouble = trouble or ("" if slices else f"{values['name']} is in MIG mode and has no slice")
            cards += slices
        else:
            cards.append(_card(values))
    return CardsFound(tuple(cards), trouble)


def ask_use(path: str | None) -> dict[str, CardUse]:
    """Ask the tool what memory of each card is free, which processes hold it, and how busy the card is, by UUID; empty
    where it does not tell. The driver shows no processes inside WSL2, and on Windows none with their memory."""
    tool = find_tool(path)
    if tool is None:
        return {}
    held: dict[str, dict[int, float]] = {}
    fields = "--query-compute-apps=gpu_uuid,pid,used_memory"
    for line in _ask(tool, [fields, "--format=csv,noheader,nounits"])[0]:
        uuid, _, rest = line.partition(",")
        pid, _, mib = rest.partition(",")
        if pid.strip().isdigit() and mib.strip().isdigit():
            held.setdefault(uuid.strip(), {})[int(pid)] = int(mib) * 2**20 / 1e6
    found: dict[str, CardUse] = {}
    for line in _ask(tool, _query(("uuid", "memory.total", "memory.free", "utilization.gpu")))[0]:
        uuid, *told = map(str.strip, line.split(","))
        if _UUID.fullmatch(uuid) and len(told) == 3 and all(map(str.isdigit, told[:2])):
            total, free = (int(size) * 2**20 / 1e6 for size in told[:2])
            share = int(told[2]) / 100 if told[2].isdigit() else None
            found[uuid] = CardUse(total, free, held.get(uuid, {}), share)
    return found


def visible_cards(cards: Sequence[Card], chosen: str | None) -> tuple[Card, ...]:
    """Return the cards that `CUDA_VISIBLE_DEVICES` leaves, in its order; all where it is not set.

    As CUDA reads it: numbers, UUIDs or their beginnings, and the first name that is not that of one card ends the list,
    so that `-1` and an empty value hide all. Numbers count as the driver's tool does; a number takes every slice of its
    card.
    """
    if chosen is None:
        return tuple(cards)
    physical = list(dict.fromkeys(card.slice_of or card.uuid or card.name for card in cards))
    found: list[Card] = []
    for name in map(str.strip, chosen.split(",")):
        if name.isdecimal():
            owner = physical[int(name)] if int(name) < len(physical) else None
            matching = [card for card in cards if owner in {card.slice_of, card.uuid, card.name}]
        else:
            matching = _named(cards, name)
        if not matching:
            break
        found += [card for card in matching if card not in found]
    return tuple(found)


def _named(cards: Sequence[Card], name: str) -> list[Card]:
    """Return the one card or slice whose UUID begins with the name, or the slices of the one card; none for a beginning
    that several have."""
    if not name.startswith(("GPU-", "MIG-")):
        return []
    owners = {uuid for card in cards for uuid in (card.uuid, card.slice_of) if uuid.lower().startswith(name.lower())}
    return [card for card in cards if {card.uuid, card.slice_of} & owners] if len(owners) == 1 else []


def _query(fields: Sequence[str]) -> list[str]:
    return [f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]


def _ask(tool: str, words: Sequence[str]) -> tuple[list[str], str]:
    """Return the lines that the tool writes, and what is wrong where it fails."""
    try:
        done = subprocess.run(
            [tool, *words], capture_output=True, encoding="utf-8", errors="replace", timeout=_LIMIT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [], f"{_TOOL} gave no answer within {_LIMIT_S:.0f} s"
    except OSError as error:
        return [], f"{_TOOL} cannot be run: {error.strerror or error}"
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode == 0:
        return lines, ""
    messages = [*lines, *(line for line in done.stderr.splitlines() if line.strip())]
    return lines, f"{_TOOL}: {messages[0].strip()}" if messages else f"{_TOOL} ended with exit status {done.returncode}"


def _card(values: dict[str, str]) -> Card:
    size, capability = values.get("memory.total", ""), values.get("compute_cap", "")
    return Card(
        name=values.get("name", ""),
        memory_mib=int(size) if size.isdigit() else None,
        uuid=values["uuid"],
        capability=capability if numbers(capability) else "",
        driver=values.get("driver_version", ""),
    )


def _slices(tool: str, card: Card) -> list[Card]:
    """Return the MIG slices of a card. A slice `1g.10gb` has slightly more than the 10^10 bytes of its name."""
    found, owner = [], ""
    for line in _ask(tool, ["-L"])[0]:
        if listed := _LISTED_CARD.match(line.strip()):
            owner = listed["uuid"]
        elif owner == card.uuid and (listed := _LISTED_SLICE.match(line.strip())):
            memory_mib = int(int(listed["gb"]) * 1e9 / 2**20)
            name = f"{card.name} MIG {listed['profile']}"
            update = {"name": name, "memory_mib": memory_mib, "uuid": listed["uuid"], "slice_of": card.uuid}
            found.append(card.model_copy(update=update))
    return found
