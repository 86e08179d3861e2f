"""Tell whether a library computes on a card, by what its package holds, before anything is downloaded or tried.

`config/cards.toml` states for which compute capabilities and drivers each locked library is built. The table only
rules out what cannot work; whether a card does work is proved later, in the environment itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from pipeline.base.errors import UsageError
from pipeline.base.hardware import Hardware
from pipeline.base.nvidia import VISIBLE, Card, numbers, visible_cards
from shared.documents.base import Frozen
from shared.mistakes import first_mistake, text_mistake

TORCH = "torch"


class CardLibrary(Frozen):
    """A table of `config/cards.toml`."""

    version: str
    machines: tuple[str, ...]  # `Linux x86_64`: where its package computes on cards at all
    capabilities: tuple[str, ...]
    driver: dict[str, str]
    ptx: str = ""
    ptx_driver: dict[str, str] = {}

    def problem(self, name: str, card: Card, system: str, machine: str) -> str:
        """Return why the library cannot compute on the card, as a sentence; empty where nothing speaks against it."""
        what = f"{name} {self.version}"
        if f"{system} {machine}" not in self.machines:
            return f"{what} for {system} {machine} computes on the processor only"
        if reason := _too_old(what, card, self.driver.get(system, "")):
            return reason
        if not card.capability:
            return ""
        if any(_runs(code, card) for code in self.capabilities):
            return ""
        if self.ptx and card.version >= numbers(self.ptx):
            return _too_old(f"{what} on compute capability {card.capability}", card, self.ptx_driver.get(system, ""))
        known = ", ".join(self.capabilities)
        return f"{what} has no code for the {card.name}: its compute capability is {card.capability}, not {known}"


@lru_cache
def load_card_libraries(path: Path) -> Mapping[str, CardLibrary]:
    """Return the tables by library. Raises `UsageError` for a file that is not such a table."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: CardLibrary.model_validate(table) for name, table in tables.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("cards.invalid", f"{path} is not TOML: {text_mistake(error)}") from error
    except ValidationError as error:
        raise UsageError("cards.invalid", f"{path} does not describe cards: {first_mistake(error)}") from error


def usable_hardware(hardware: Hardware, libraries: Mapping[str, CardLibrary], environ: Mapping[str, str]) -> Hardware:
    """Return the machine with the cards that work is placed on, and why some libraries compute on none of them.

    They are those that the user's variable leaves, and among these the ones on which the most libraries compute, the
    same ones on each: an old card beside a new one is left alone. A card on which no library computes counts as none.
    Where the driver's tool fails, no library computes on a card, for the reason that the tool gives.
    """
    system, machine = hardware.system, hardware.machine
    visible = visible_cards(hardware.cuda, environ.get(VISIBLE))
    problems = {
        card: {
            name: why for name, library in libraries.items() if (why := library.problem(name, card, system, machine))
        }
        for card in visible
    }
    reasons = min(problems.values(), key=len, default={})
    best = tuple(card for card in visible if problems[card].keys() == reasons.keys() != libraries.keys())
    if hardware.card_trouble and not hardware.cuda:
        reasons = dict.fromkeys(libraries, hardware.card_trouble)
    return hardware.model_copy(update={"cuda": best, "card_problems": reasons})


def computes_on_cards(hardware: Hardware, library: str, libraries: Mapping[str, CardLibrary]) -> bool:
    """Tell whether a library computes on some card of the machine, whichever the user's variable leaves."""
    usable = usable_hardware(hardware, libraries, {})
    return bool(usable.cuda) and library not in usable.card_problems


def _runs(code: str, card: Card) -> bool:
    """Tell whether machine code runs on a card: it does on later capabilities of its own major number."""
    major, minor = numbers(code)
    return card.version[0] == major and card.version[1] >= minor


def _too_old(what: str, card: Card, oldest: str) -> str:
    if not card.driver or numbers(card.driver) >= numbers(oldest):
        return ""
    return f"{what} needs driver {oldest} or newer, and the {card.name} has {card.driver}: update the driver"
