"""The rows of `reel doctor` about the graphics cards of this machine, and about the libraries that compute on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.base.hardware import Hardware
from pipeline.base.nvidia import VISIBLE, Card, CardUse, visible_cards
from pipeline.environments.environments import Environments
from pipeline.plan.registry import STAGES
from pipeline.store.card_proofs import CardProofs
from shared.card_errors import FULL_MB
from shared.process_memory import says_out_of_memory

Row = tuple[str, str, str]
"""A line of `reel doctor`: a state, its subject, and the detail."""


def card_rows(machine: Hardware, usable: Hardware, use: Mapping[str, CardUse], environ: Mapping[str, str]) -> list[Row]:
    """Return a row for each card, and one for each reason why a card is not used.

    `usable` is the machine with the cards that work is placed on; `use` holds the memory that is free now, by UUID.
    """
    rows: list[Row] = [
        ("ok" if card in usable.cuda else "note", "card", _card_text(card, use)) for card in machine.cuda
    ]
    if machine.card_trouble and machine.cuda:  # else it is the reason why each library computes on the processor
        rows.append(("note", "card", machine.card_trouble))
    chosen = environ.get(VISIBLE)
    visible = visible_cards(machine.cuda, chosen)
    if machine.cuda and not visible:
        rows.append(("note", "card", f"{VISIBLE}={chosen} hides every card, so all computes on the processor"))
    elif usable.cuda:
        for card in machine.cuda:
            if card not in usable.cuda:
                why = "more computes on the other" if card in visible else f"{VISIBLE} hides it"
                rows.append(("note", "card", f"{card.name} is not used: {why}"))
    reasons: dict[str, list[str]] = {}
    for library, reason in usable.card_problems.items():
        reasons.setdefault(reason, []).append(library)
    rows += [("note", f"card, {', '.join(names)}", f"on the processor: {why}") for why, names in reasons.items()]
    return rows


def proof_rows(
    usable: Hardware, use: Mapping[str, CardUse], environments: Environments, families: Iterable[str],
    proofs: CardProofs,
) -> list[Row]:  # fmt: skip
    """Run a small computation on the first card with each library of these environments, if they are built. Record each
    outcome, and return a row for it. A failure on a card that is full proves nothing. Takes some seconds for each
    library."""
    rows: list[Row] = []
    for family, library in sorted(_card_libraries()):
        if not usable.cuda or library in usable.card_problems or family not in families:
            continue
        if environments.status(family).state == "ready":
            card = usable.cuda[0]
            problem = environments.prove(family, library, card=card.uuid)
            is_full = card.uuid in use and use[card.uuid].free_mb < FULL_MB
            if problem and (is_full or says_out_of_memory(problem)):
                detail = f"not proved, since the card is full: {problem}"
            else:
                proofs.record(family, library, problem)
                detail = f"on the processor: {problem}" if problem else "computes on the card"
            rows.append(("note" if problem else "ok", f"card, {library} of {family}", detail))
    return rows


def _card_libraries() -> set[tuple[str, str]]:
    """Return the pairs of an environment and a library in it that computes on cards."""
    backends = (backend for stage in STAGES.values() for backend in stage.backends.values())
    on_cards = (backend for backend in backends if "cuda" in backend.accelerators)
    return {(backend.card_environment or backend.environment, backend.card_library) for backend in on_cards}


def _card_text(card: Card, use: Mapping[str, CardUse]) -> str:
    memory = f"{card.memory_mib / 1024:.1f} GiB" if card.memory_mib else "memory unknown"
    now = use.get(card.uuid)
    free = f", {now.free_mb * 1e6 / 2**30:.1f} GiB free now" if now else ""
    free += f" and {100 * now.busy:.0f} % busy" if now and now.busy is not None else ""
    capability = f", compute capability {card.capability}" if card.capability else ""
    driver = f", driver {card.driver}" if card.driver else ""
    return f"{card.name}, {memory}{free}{capability}{driver}"
