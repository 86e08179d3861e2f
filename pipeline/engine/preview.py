"""What a run would do and why, step by step, without doing any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pydantic import JsonValue

from pipeline.engine.language_models import for_inputs, for_language, language_heard
from pipeline.plan.model import (
    AllOf,
    FirstOf,
    FromFile,
    FromMedia,
    FromStep,
    FromUser,
    Leaf,
    Plan,
    Source,
    Step,
    leaves,
)
from pipeline.plan.oom_fallback import descent
from pipeline.plan.result_key import Change, InputDigests, Surroundings, differences, ingredients, result_key
from pipeline.store.results import ResultStore, StoredResult

Verdict = Literal["reused", "new", "redone"]
LastIngredients = Callable[[str], Mapping[str, JsonValue] | None]
"""A step's id to the ingredients it had when it last ran for this media; None when it never did."""


@dataclass(frozen=True)
class StepPreview:
    """What would happen to one step. `result` is there when it is reused."""

    step: Step
    verdict: Verdict
    reason: str
    result: StoredResult | None = None
    changes: tuple[Change, ...] = ()  # of its key since it last ran for this media, as far as they are known yet
    key: str | None = None  # of the result that is reused

    @cached_property
    def why(self) -> str:
        """The reason, which corrections the step takes in, and what its backend was chosen for."""
        names = dict.fromkeys(
            f"{leaf.name} if {' or '.join(leaf.languages)} is spoken" if leaf.languages else leaf.name
            for leaf in leaves(self.step.inputs)
            if isinstance(leaf, FromFile)
        )
        takes = [f"takes in the corrected {' and '.join(names)}"] if names else []
        choice = [self.step.choice] if self.step.choice and self.verdict != "reused" else []
        return "; ".join([self.reason, *takes, *choice])


def published_before(plan: Plan, keys: Mapping[str, str]) -> list[StepPreview]:
    """A preview of each step where everything of a media lies published as it would be now: its results are not even
    looked for, so that those of old jobs may be deleted."""
    why = "what it was made for is published and untouched"
    return [StepPreview(step, "reused", why, key=keys[step.id]) for step in plan.steps]


def preview(
    plan: Plan, media_digest: str, store: ResultStore, surroundings: Surroundings, last: LastIngredients
) -> list[StepPreview]:
    """A preview of each step, in the plan's order."""
    results: dict[str, StoredResult] = {}
    previews = []
    for step in plan.steps:
        if waiting := sorted(step.needs - results.keys()):
            previews.append(_behind(step, waiting, surroundings, last(step.id)))
            continue
        language = language_heard(step.inputs, results)
        step = replace(step, inputs=for_inputs(step.inputs, language))
        step = for_language(step, language, surroundings.at_hand.__contains__)
        digests = gather(step.inputs, media_digest, results)
        parts = ingredients(step, digests, surroundings)
        found = store.lookup(result_key(parts))
        if not found and (step.backend.oom_ladder and surroundings.rungs):
            parts = ingredients(descent(step, surroundings.rungs)[0], digests, surroundings)
            found = store.lookup(result_key(parts))
        if found and found.makeshift:
            previews.append(StepPreview(step, "redone", f"its result is makeshift: {found.makeshift}"))
            continue
        if found:
            results[step.id] = found
            previews.append(
                StepPreview(step, "reused", f"its result {found.key[:8]} is in the store", found, key=found.key)
            )
            continue
        before = last(step.id)
        if before is None:
            previews.append(StepPreview(step, "new", "it has not run for this media yet"))
        else:
            changes = tuple(differences(before, parts))
            reasons = [change.phrase for change in changes] or ["its result is no longer in the store"]
            previews.append(StepPreview(step, "redone", "; ".join(reasons), changes=changes))
    return previews


def gather(inputs: Mapping[str, Source], media_digest: str, results: Mapping[str, StoredResult]) -> InputDigests:
    """The digests of a step's inputs, from the results of the steps before it; a correction counts where its language
    is the one heard. Of several files, those count that could be made."""

    def one(source: Leaf) -> str | None:
        if isinstance(source, FromMedia):
            return media_digest
        if isinstance(source, FromFile | FromUser):
            return source.sha256
        digest = results[source.step].digests(source.role)
        assert digest is None or isinstance(digest, str), f"{source} is several files"
        return digest

    digests: dict[str, str | list[str] | None] = {}
    for role, source in for_inputs(inputs, language_heard(inputs, results)).items():
        if isinstance(source, AllOf):
            there = [leaf for leaf in source.sources if not isinstance(leaf, FromStep) or leaf.step in results]
            digests[role] = [digest for leaf in there if (digest := one(leaf)) is not None]
        elif isinstance(source, FirstOf):
            digests[role] = next((digest for leaf in source.sources if (digest := one(leaf)) is not None), None)
        else:
            digests[role] = one(source)
    return digests


def _behind(
    step: Step, waiting: list[str], surroundings: Surroundings, before: Mapping[str, JsonValue] | None
) -> StepPreview:
    """A step whose inputs are not known yet: what can be compared is, the rest follows from what runs before it."""
    behind = f"{', '.join(waiting)} {'runs' if len(waiting) == 1 else 'run'} before it"
    if before is None:
        return StepPreview(step, "new", behind)
    known = ingredients(step, {}, surroundings)
    open_yet: dict[str, JsonValue] = {"inputs": {}, "models": {}} if step.waits_for_language else {"inputs": {}}
    changes = tuple(differences({**before, **open_yet}, {**known, **open_yet}))
    return StepPreview(step, "redone", "; ".join([*(change.phrase for change in changes), behind]), changes=changes)
