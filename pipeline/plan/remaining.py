"""Finds the steps of a plan that can still run, and are still useful, after others have failed. Pure."""

from __future__ import annotations

from collections.abc import Set

from pipeline.plan.model import AllOf, FirstOf, FromStep, Plan, Source, Step


def impossible(plan: Plan, failed: Set[str]) -> frozenset[str]:
    """Return the failed steps, and those that cannot run without them.

    A step with an input that takes all existing files can do with the others: a film is made with the subtitles in the
    languages that could be translated.
    """
    lost: set[str] = set()
    for step in plan.steps:  # each after the steps that it needs
        if step.id in failed or any(_is_lost(source, lost) for source in step.inputs.values()):
            lost.add(step.id)
    return frozenset(lost)


def still_useful(plan: Plan, failed: Set[str]) -> frozenset[str]:
    """Return the steps that can run and that a published file needs; of a plan that publishes nothing, all steps that
    can run."""
    lost = impossible(plan, failed)
    possible = {step.id: step for step in plan.steps if step.id not in lost}
    if not plan.publications:
        return frozenset(possible)
    useful: set[str] = set()
    waiting = [publication.step for publication in plan.publications]
    while waiting:
        name = waiting.pop()
        if name in possible and name not in useful:
            useful.add(name)
            waiting += possible[name].needs
    return frozenset(useful)


def cause(plan: Plan, step: str, failed: Set[str]) -> str | None:
    """Return the failed step because of which `step` could not run; None if none of them is the cause."""
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
        return bool(source.sources) and all(isinstance(part, FromStep) and part.step in lost for part in source.sources)
    parts = source.sources if isinstance(source, FirstOf) else (source,)
    return any(isinstance(part, FromStep) and part.step in lost for part in parts)
