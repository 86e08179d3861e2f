"""Previews a run: decides for each step whether it will run, and why, without running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pydantic import JsonValue

from pipeline.engine.language_models import for_inputs, for_language, transcript_language
from pipeline.plan.model import (
    AllOf,
    FirstOf,
    FromFile,
    FromMedia,
    FromPath,
    FromStep,
    FromUser,
    Leaf,
    Plan,
    Source,
    Step,
    leaves,
)
from pipeline.plan.oom_fallback import steps_to_try, stored_variants
from pipeline.plan.registry import READ
from pipeline.plan.result_key import Change, InputDigests, Surroundings, differences, ingredients, result_key
from pipeline.store.results import ResultStore, StoredResult

Verdict = Literal["reused", "new", "redone"]
LastIngredients = Callable[[str], Mapping[str, JsonValue] | None]
"""Returns, for a step's id, the ingredients of its last run for this file; None if it never ran."""


@dataclass(frozen=True)
class StepPreview:
    """Decision about one step. `result` is set if it is reused."""

    step: Step
    verdict: Verdict
    reason: str
    result: StoredResult | None = None
    changes: tuple[Change, ...] = ()  # of its key since it last ran for this file, as far as they are known yet
    key: str | None = None  # of the result that is reused

    @cached_property
    def why(self) -> str:
        """Return the reason, with the corrections that the step uses and the choice of its backend."""
        names = dict.fromkeys(
            f"{leaf.name} if {' or '.join(leaf.languages)} is spoken" if leaf.languages else leaf.name
            for leaf in leaves(self.step.inputs)
            if isinstance(leaf, FromFile)
        )
        takes = [f"uses the corrected {' and '.join(names)}"] if names else []
        is_told = self.verdict != "reused" or self.step.stage.name == READ
        choice = [self.step.choice] if self.step.choice and is_told else []
        return "; ".join([self.reason, *takes, *choice])


def published_before(plan: Plan, keys: Mapping[str, str]) -> list[StepPreview]:
    """Return a preview of each step of a file whose results are all published and up to date.

    The results are not looked up, so that those of old jobs may be deleted.
    """
    why = "its files are published and unchanged"
    return [StepPreview(step, "reused", why, key=keys[step.id]) for step in plan.steps]


def preview(
    plan: Plan, media_digest: str, store: ResultStore, surroundings: Surroundings, last: LastIngredients
) -> list[StepPreview]:
    """Return a preview of each step, in the plan's order."""
    results: dict[str, StoredResult] = {}
    previews = []
    for step in plan.steps:
        if waiting := sorted(step.needs - results.keys()):
            previews.append(_behind(step, waiting, surroundings, last(step.id)))
            continue
        language = transcript_language(step.inputs, results)
        step = replace(step, inputs=for_inputs(step.inputs, language))
        step = for_language(step, language, surroundings.at_hand.__contains__)
        digests = gather(step.inputs, media_digest, results)
        parts = ingredients(step, digests, surroundings)
        found = store.lookup(result_key(parts))
        for variant in [] if found else stored_variants(step, surroundings.fallbacks)[1:]:
            found = found or store.lookup(result_key(ingredients(variant, digests, surroundings)))
        if not found and step.backend.oom_fallbacks:
            parts = ingredients(steps_to_try(step, surroundings.fallbacks)[0], digests, surroundings)
        if found and step.id in plan.again:
            previews.append(StepPreview(step, "redone", "you asked for it again"))
            continue
        if found and found.provisional:
            previews.append(StepPreview(step, "redone", f"its result is provisional: {found.provisional}"))
            continue
        if found:
            results[step.id] = found
            previews.append(
                StepPreview(step, "reused", f"its result {found.key[:8]} is in the store", found, key=found.key)
            )
            continue
        before = last(step.id)
        if before is None:
            previews.append(StepPreview(step, "new", "it has not run for this file yet"))
        else:
            changes = tuple(differences(before, parts))
            reasons = [change.phrase for change in changes] or ["its result is no longer in the store"]
            previews.append(StepPreview(step, "redone", "; ".join(reasons), changes=changes))
    return previews


def gather(inputs: Mapping[str, Source], media_digest: str, results: Mapping[str, StoredResult]) -> InputDigests:
    """Return the digests of a step's inputs, from the results of the steps before it.

    A correction counts if it is in the language of the transcript. An input with several sources gets those that exist,
    and all files of a source that is several.
    """

    def each(source: Leaf) -> list[str]:
        if isinstance(source, FromMedia):
            return [media_digest]
        if isinstance(source, FromFile | FromUser | FromPath):
            return [source.sha256]
        digest = results[source.step].digests(source.role)
        return [digest] if isinstance(digest, str) else list(digest or ())

    def one(source: Leaf) -> str | None:
        digests = each(source)
        assert len(digests) <= 1, f"{source} is several files"
        return next(iter(digests), None)

    digests: dict[str, str | list[str] | None] = {}
    for role, source in for_inputs(inputs, transcript_language(inputs, results)).items():
        if isinstance(source, AllOf):
            there = [leaf for leaf in source.sources if not isinstance(leaf, FromStep) or leaf.step in results]
            digests[role] = [digest for leaf in there for digest in each(leaf)]
        elif isinstance(source, FirstOf):
            digests[role] = next((digest for leaf in source.sources if (digest := one(leaf)) is not None), None)
        else:
            digests[role] = one(source)
    return digests


def _behind(
    step: Step, waiting: list[str], surroundings: Surroundings, before: Mapping[str, JsonValue] | None
) -> StepPreview:
    """Return the preview of a step whose inputs are not known yet.

    Known parts of its key are compared; the rest follows from the steps that run before it.
    """
    behind = f"{', '.join(waiting)} {'runs' if len(waiting) == 1 else 'run'} before it"
    if before is None:
        return StepPreview(step, "new", behind)
    known = ingredients(step, {}, surroundings)
    open_yet: dict[str, JsonValue] = {"inputs": {}, "models": {}} if step.waits_for_language else {"inputs": {}}
    changes = tuple(differences({**before, **open_yet}, {**known, **open_yet}))
    return StepPreview(step, "redone", "; ".join([*(change.phrase for change in changes), behind]), changes=changes)
