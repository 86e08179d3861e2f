"""Find the steps of a plan that can still run after others have failed. Pure."""

from __future__ import annotations

from collections.abc import Set

from pipeline.plan.model import AllOf, FirstOf, FromStep, Plan, Source, Step


def without(plan: Plan, failed: Set[str]) -> frozenset[str]:
    """Return the steps that failed with all that cannot be done without them.

    A step that takes several files, all that there are, does with those of the others: a film is made with the
    subtitles in the languages that could be translated.
    """
    lost: set[str] = set()
    for step in plan.steps:  # each after what it needs
        if step.id in failed or any(_is_lost(source, lost) for source in step.inputs.values()):
            lost.add(step.id)
    return frozenset(lost)


def still_of_use(plan: Plan, failed: Set[str]) -> frozenset[str]:
    """Return the steps that something which is published needs and that can be done; of a plan that publishes nothing,
    all that can be done."""
    lost = without(plan, failed)
    left = {step.id: step for step in plan.steps if step.id not in lost}
    if not plan.publications:
        return frozenset(left)
    found: set[str] = set()
    waiting = [publication.step for publication in plan.publications]
    while waiting:
        name = waiting.pop()
        if name in left and name not in found:
            found.add(name)
            waiting += left[name].needs
    return frozenset(found)


def cause(plan: Plan, step: str, failed: Set[str]) -> str | None:
    """Return the failed step because of which another could not be done; None where none of them is."""
    steps: dict[str, Step] = {planned.id: planned for planned in plan.steps}
    waiting, seen = [step], set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in failed:
            return name
        if name in steps and name not in seen:
            seen.add(name)
            waiting += sorted(steps[name].needs)
    return None


def _is_lost(source: Source, lost: Set[str]) -> bool:
    if isinstance(source, AllOf):
        return bool(source.sources) and all(isinstance(leaf, FromStep) and leaf.step in lost for leaf in source.sources)
    parts = source.sources if isinstance(source, FirstOf) else (source,)
    return any(isinstance(leaf, FromStep) and leaf.step in lost for leaf in parts)
