"""Chooses the device that a step computes on, and explains why it is not the machine's card. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import fallback_record_name, steps_to_try
from shared.stage import Backend, DeviceKind


def choose_device(backend: Backend, device: DeviceKind, card_problems: Mapping[str, str]) -> DeviceKind:
    """Return `device` if the backend supports it, else the processor."""
    return device if device in backend.accelerators and not off_card(backend, card_problems) else "cpu"


def off_card(backend: Backend, card_problems: Mapping[str, str]) -> str:
    """Return why a backend that supports cards does not compute on the machine's card; empty if it does, or if it
    supports none.

    `card_problems` holds the reason for each library that computes on none of the cards, by its name, or by
    `environment/library` if that is so in one environment only.
    """
    if "cuda" not in backend.accelerators:
        return ""
    names = (backend.card_library, f"{backend.card_environment or backend.environment}/{backend.card_library}")
    return next((card_problems[name] for name in names if name in card_problems), "")


def fallback_notes(steps: Iterable[Step], recorded: Mapping[str, str]) -> list[str]:
    """Return sentences about the steps that begin with a fallback, because the card is too small, or because memory ran
    out in an earlier run."""
    notes, remembered = {}, {}
    for step in steps:
        known = recorded.get(fallback_record_name(step), "")
        limit, first = step.card_limit, steps_to_try(step, recorded)[0].fallback
        if limit and first and first.name == limit.fallback:
            notes[step.stage.name] = (
                f"{step.stage.name} begins with {limit.fallback}: as asked for it takes {limit.asked_mb / 1000:.1f} GB"
                f" of a card, and here a worker may take {max(limit.room_mb, 0.0) / 1000:.1f} GB"
            )
        elif known:
            remembered[step.stage.name] = known
    if not remembered:
        return [*notes.values()]
    stages = ", ".join(f"{stage} with {name}" for stage, name in remembered.items())
    again = "`./reel runs forget fallbacks` tries again without"
    return [*notes.values(), f"since memory ran out before, these begin lower: {stages}; {again}"]


def off_card_notes(steps: Iterable[Step]) -> list[str]:
    """Return a sentence for each reason why steps do not compute on the machine's card."""
    stages: dict[str, dict[str, None]] = {}
    for step in steps:
        if step.off_card:
            stages.setdefault(step.off_card, {})[step.stage.name] = None
    return [f"on the processor, not on the card: {', '.join(names)}; {reason}" for reason, names in stages.items()]
