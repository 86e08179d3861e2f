"""Previews a run: decides for each step whether it will run, and why, without running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pydantic import JsonValue

from pipeline.engine.language_models import for_inputs, for_language, transcript_language
from pipeline.plan.model import (
    AllOf,
    FirstOf,
    FromCorrection,
    FromGlossary,
    FromMedia,
    FromPath,
    FromStep,
    Plan,
    SingleSource,
    Source,
    Step,
    single_sources,
)
from pipeline.plan.oom_fallback import steps_to_try, stored_variants
from pipeline.plan.registry import READ
from pipeline.plan.result_key import Change, InputDigests, KeyContext, differences, ingredients, result_key
from pipeline.store.results import ResultStore, StoredResult

Verdict = Literal["reused", "new", "redone"]
LastIngredients = Callable[[str], Mapping[str, JsonValue] | None]
"""Returns the ingredients with which a step, named by its id, last ran for this file; None if it never ran."""


@dataclass(frozen=True)
class StepPreview:
    """Decision about one step: what a run would do with it, and why."""

    step: Step
    verdict: Verdict
    reason: str
    result: StoredResult | None = None  # the reused result, if it was looked up
    changes: tuple[Change, ...] = ()  # of its key since it last ran for this file, as far as they are known yet
    key: str | None = None  # of the reused result

    @property
    def is_due(self) -> bool:
        """Tell whether a run would do the step."""
        return self.verdict != "reused"

    @cached_property
    def why(self) -> str:
        """Return the reason, with the corrections that the step uses and the choice of its backend."""
        names = dict.fromkeys(
            f"{source.name} if {' or '.join(source.languages)} is spoken" if source.languages else source.name
            for source in single_sources(self.step.inputs)
            if isinstance(source, FromCorrection)
        )
        corrections = [f"uses the corrected {' and '.join(names)}"] if names else []
        shows_choice = self.step.choice and (self.is_due or self.step.stage.name == READ)
        return "; ".join([self.reason, *corrections, *([self.step.choice] if shows_choice else [])])


def published_before(plan: Plan, keys: Mapping[str, str]) -> list[StepPreview]:
    """Return a preview of each step of a file whose results are all published and up to date.

    The results are not looked up: they may have been deleted from the store.
    """
    why = "its files are published and unchanged"
    return [StepPreview(step, "reused", why, key=keys[step.id]) for step in plan.steps]


def preview(
    plan: Plan, media_digest: str, store: ResultStore, key_context: KeyContext, last: LastIngredients
) -> list[StepPreview]:
    """Return a preview of each step, in the plan's order."""
    previewer = _Previewer(plan, media_digest, store, key_context, last)
    results: dict[str, StoredResult] = {}
    previews = []
    for step in plan.steps:
        if waiting := sorted(step.needs - results.keys()):
            found = previewer.waiting_step(step, waiting)
        else:
            found = previewer.ready_step(step, results)
        if found.result:
            results[step.id] = found.result
        previews.append(found)
    return previews


@dataclass(frozen=True)
class _Previewer:
    """Decides about single steps of a plan for one media file."""

    plan: Plan
    media_digest: str
    store: ResultStore
    key_context: KeyContext
    last: LastIngredients

    def ready_step(self, step: Step, results: Mapping[str, StoredResult]) -> StepPreview:
        """Return the preview of a step whose inputs are among `results`."""
        language = transcript_language(step.inputs, results)
        step = replace(step, inputs=for_inputs(step.inputs, language))
        step = for_language(step, language, self.key_context.complete_models.__contains__)
        digests = gather(step.inputs, self.media_digest, results)
        found = self._stored_result(step, digests)
        if found and step.id in self.plan.again:
            return StepPreview(step, "redone", "you asked for it again")
        if found and found.provisional:
            return StepPreview(step, "redone", f"its result is provisional: {found.provisional}")
        if found:
            return StepPreview(step, "reused", f"its result {found.key[:8]} is in the store", found, key=found.key)
        before = self.last(step.id)
        if before is None:
            return StepPreview(step, "new", "it has not run for this file yet")
        first = steps_to_try(step, self.key_context.fallbacks)[0]
        changes = tuple(differences(before, ingredients(first, digests, self.key_context)))
        reasons = [change.phrase for change in changes] or ["its result is no longer in the store"]
        return StepPreview(step, "redone", "; ".join(reasons), changes=changes)

    def _stored_result(self, step: Step, digests: InputDigests) -> StoredResult | None:
        """Return the best stored result of the step or of a variant that may stand for it."""
        for variant in stored_variants(step, self.key_context.fallbacks):
            if found := self.store.lookup(result_key(ingredients(variant, digests, self.key_context))):
                return found
        return None

    def waiting_step(self, step: Step, waiting: Sequence[str]) -> StepPreview:
        """Return the preview of a step whose inputs are not known yet, because the steps `waiting` run before it.

        The known parts of its key are compared; the rest depends on those steps.
        """
        behind = f"{', '.join(waiting)} {'runs' if len(waiting) == 1 else 'run'} before it"
        before = self.last(step.id)
        if before is None:
            return StepPreview(step, "new", behind)
        known = ingredients(step, {}, self.key_context)
        unknown: dict[str, JsonValue] = {"inputs": {}, "models": {}} if step.waits_for_language else {"inputs": {}}
        changes = tuple(differences({**before, **unknown}, {**known, **unknown}))
        return StepPreview(step, "redone", "; ".join([*(change.phrase for change in changes), behind]), changes=changes)


def gather(inputs: Mapping[str, Source], media_digest: str, results: Mapping[str, StoredResult]) -> InputDigests:
    """Return the digests of a step's inputs, from the results of the steps before it.

    A correction counts if it is in the language of the transcript. Of `FirstOf` the first existing file counts, and of
    `AllOf` all existing files.
    """

    def all_digests(source: SingleSource) -> list[str]:
        if isinstance(source, FromMedia):
            return [media_digest]
        if isinstance(source, FromCorrection | FromGlossary | FromPath):
            return [source.sha256]
        digest = results[source.step].digests(source.role)
        return [digest] if isinstance(digest, str) else list(digest or ())

    def single_digest(source: SingleSource) -> str | None:
        digests = all_digests(source)
        assert len(digests) <= 1, f"{source} is several files"
        return next(iter(digests), None)

    digests: dict[str, str | list[str] | None] = {}
    for role, source in for_inputs(inputs, transcript_language(inputs, results)).items():
        if isinstance(source, AllOf):
            made = [part for part in source.sources if not isinstance(part, FromStep) or part.step in results]
            digests[role] = [digest for part in made for digest in all_digests(part)]
        elif isinstance(source, FirstOf):
            digests[role] = next(filter(None, map(single_digest, source.sources)), None)
        else:
            digests[role] = single_digest(source)
    return digests
