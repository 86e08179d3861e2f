"""Selects the steps of a plan that a user asks for: up to a step, or again from a step on. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.base.errors import UsageError
from pipeline.plan.model import Plan
from shared.nearest import suggestion


@dataclass(frozen=True)
class Selection:
    """Steps that a user names, as `asr` or `translate:pt`; `translate` means that step for every language.

    `start` is repeated with all steps that depend on it; the steps in `again` are repeated without those. Steps after
    `until` are left out; nothing is published then, so that the files of a complete run stay as they are.
    """

    start: str | None = None
    until: str | None = None
    again: tuple[str, ...] = ()

    def of(self, plan: Plan) -> Plan:
        """Return the plan with the selection. Raises `UsageError` for a step that the plan does not have."""
        repeated = {step for name in self.again for step in _ids(plan, name)}
        if self.start:
            repeated |= _depending(plan, _ids(plan, self.start))
        plan = replace(plan, again=frozenset(repeated))
        if not self.until:
            return plan
        kept = _needed(plan, _ids(plan, self.until))
        if self.start and not repeated & kept:
            text = f"the step `{self.start}` comes after `{self.until}`"
            raise UsageError("steps.order", text, hint="name them in the order of `./reel plan`")
        steps = tuple(step for step in plan.steps if step.id in kept)
        return replace(plan, steps=steps, publications=(), partial=True)


ALL_STEPS = Selection()


def _ids(plan: Plan, name: str) -> frozenset[str]:
    """Return the ids of the steps that a name stands for. Raises `UsageError` if there are none."""
    found = frozenset(step.id for step in plan.steps if name in {step.id, step.id.partition(":")[0]})
    if not found:
        known = [step.id for step in plan.steps]
        text = f"the recipe {plan.recipe} has no step `{name}` under these settings"
        raise UsageError("steps.unknown", text, hint=suggestion(name, known, f"its steps are {', '.join(known)}"))
    return found


def _depending(plan: Plan, first: Iterable[str]) -> set[str]:
    """Return these steps with all steps that depend on them."""
    found = set(first)
    for step in plan.steps:  # each after the steps that it needs
        if step.needs & found:
            found.add(step.id)
    return found


def _needed(plan: Plan, last: Iterable[str]) -> set[str]:
    """Return these steps with all steps that they depend on."""
    found = set(last)
    for step in reversed(plan.steps):
        if step.id in found:
            found |= step.needs
    return found
