"""A driver's tool that reports made-up cards, as a program in a folder of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SCRIPT = """#!{python}
import sys
asked = sys.argv[1]
if asked == "-L":
    print({listed!r})
elif asked.startswith("--query-compute-apps"):
    print({processes!r})
else:
    for card in {cards!r}:
        print(", ".join(card.get(field, "[N/A]") for field in asked.partition("=")[2].split(",")))
"""


def uuid_of(number: int) -> str:
    """Return the UUID of the card with this number."""
    return f"GPU-00000000-0000-0000-0000-{number:012d}"


def fake_card(
    name: str = "NVIDIA GeForce RTX 3090", capability: str = "8.6", mib: int = 24576, driver: str = "550.54.14",
    free: int | None = None, mig: str = "[N/A]", busy: str = "[N/A]",
) -> dict[str, str]:  # fmt: skip
    """Return what the tool tells of a card, by field, less its UUID."""
    return {
        "name": name, "compute_cap": capability, "memory.total": str(mib), "driver_version": driver,
        "memory.free": str(mib if free is None else free), "mig.mode.current": mig,
        "utilization.gpu": busy,
    }  # fmt: skip


def fake_tool(
    folder: Path, cards: Sequence[Mapping[str, str]], listed: str = "", processes: str = "", ends_with: str = ""
) -> str:
    """Write the tool, and return its folder: a PATH. `ends_with` is a line of Python that it ends with."""
    told = [{"uuid": uuid_of(number), **card} for number, card in enumerate(cards)]
    script = _SCRIPT.format(python=sys.executable, listed=listed, processes=processes, cards=told) + ends_with
    return broken_tool(folder, script)


def broken_tool(folder: Path, script: str) -> str:
    """Write a tool with a script of its own, and return its folder."""
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    return str(folder)
