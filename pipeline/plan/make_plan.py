"""Makes a plan: applies a recipe, a profile and the user's options to one media file. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from pipeline.base.errors import UsageError
from pipeline.plan.model import (
    AllOf,
    FirstOf,
    FromMedia,
    FromStep,
    Plan,
    Publication,
    SingleSource,
    Source,
    Step,
    takes_several,
)
from pipeline.plan.oom_fallback import card_limit
from pipeline.plan.options import PlanOptions, step_params
from pipeline.plan.placement import choose_device, off_card
from pipeline.plan.profile import AUTO, ProfileStage
from pipeline.plan.recipe import GLOSSARY, MEDIA, SUBTITLES, Recipe, RecipeStep, as_list
from pipeline.plan.registry import MUX, READ, TRANSLATE, listens, stage_named
from pipeline.plan.translation_backends import (
    Translator,
    choose_translator,
    missing_models,
    needed_roles,
)
from shared.nearest import suggestion
from shared.remote_code import pinned_code
from shared.stage import CORE_ENVIRONMENT, STUB_BACKEND, Backend, Option, Stage
from shared.text.language import english_name

STUB = Backend(module="", environment=CORE_ENVIRONMENT, summary="valid outputs without a model")


class _Instance(NamedTuple):
    """One step of a plan: `translate:pt` of the recipe's step `translate`, for the target language `pt`."""

    name: str
    id: str
    target: str | None


@dataclass(frozen=True)
class _ChosenBackend:
    """Backend of a step, with its models by role. `reason` says why it was chosen, if it was chosen for the job."""

    name: str
    backend: Backend
    models: Mapping[str, str]
    reason: str


def make_plan(recipe: Recipe, options: PlanOptions) -> Plan:
    """Return the plan. Raises `UsageError` for parameters or pairs of languages that no backend supports."""
    if recipe.needs_target and not options.targets:
        raise UsageError(
            "plan.no-target", f"the recipe {options.recipe_name} needs a target language", hint="for example `--to en`"
        )
    recipe = _reduced(recipe, options)
    steps = {
        instance.id: _make_step(instance, recipe, recipe.steps[instance.name], options)
        for instance in _instances(recipe, options)
    }
    publications = tuple(
        Publication(source.step, source.role, rule.name)
        for rule in recipe.publish
        for source in _resolve(rule.file, recipe, None, options)
        if isinstance(source, FromStep)
    )
    if not options.has_sound:
        _check_subtitle_only(publications, options)
    return Plan(
        options.recipe_name, options.profile_name, _ordered(steps, options.recipe_name), publications,
        partial=not recipe.publish,
    )  # fmt: skip


def _ordered(steps: Mapping[str, Step], recipe_name: str) -> tuple[Step, ...]:
    """Return the steps in an order in which each comes after those that it needs. Raises `UsageError` for a cycle."""
    try:
        order = TopologicalSorter({step_id: sorted(step.needs) for step_id, step in steps.items()}).static_order()
        return tuple(steps[step_id] for step_id in order)
    except CycleError as error:
        raise UsageError(
            "recipe.cycle", f"the recipe {recipe_name} has steps that depend on each other: {error.args[1]}"
        ) from error


def _check_subtitle_only(publications: Sequence[Publication], options: PlanOptions) -> None:
    """Raise `UsageError` if a subtitle file alone is not enough for the job."""
    if options.stages.get(MUX, {}).get("burn_in"):
        raise UsageError(
            "subtitles.no-film",
            "`mux.burn_in` draws into the picture of a film, and what is named is a subtitle",
            hint="name the film, and the subtitle after `--subtitles`",
        )
    if not publications:
        raise UsageError(
            "subtitles.no-film",
            f"the recipe {options.recipe_name} works on a film, and what is named is a subtitle",
            hint="name the film; the recipes for subtitles are subtitle, translate and transcribe",
        )


def _reduced(recipe: Recipe, options: PlanOptions) -> Recipe:
    """Return the recipe with the steps that this job has: those that are requested and have all required inputs."""
    steps = {name: step for name, step in recipe.steps.items() if _is_requested(step, options)}
    while True:
        reduced = recipe.model_copy(update={"steps": steps})
        incomplete = [name for name, step in steps.items() if _lacks_input(step, reduced, options)]
        if not incomplete:
            return reduced
        steps = {name: step for name, step in steps.items() if name not in incomplete}


def _lacks_input(step: RecipeStep, recipe: Recipe, options: PlanOptions) -> bool:
    """Tell whether an input that the stage or the recipe requires has no source."""
    fields = stage_named(step.stage).inputs.model_fields
    return any(
        (fields[role].is_required() or role in step.requires)
        and not any(_resolve(name, recipe, None, options) for name in as_list(written))
        for role, written in step.inputs.items()
    )


def single_step(stage: Stage, options: PlanOptions, inputs: Mapping[str, Source], backend: str | None) -> Step:
    """Return a step outside of any recipe, for example for a developer who runs one stage."""
    recipe_step = RecipeStep(stage=stage.name, inputs={})
    target = options.targets[0] if options.targets else None
    overridden = {
        **options.stages,
        stage.name: {**options.stages.get(stage.name, {}), **({"backend": backend} if backend else {})},
    }
    instance = _Instance(stage.name, stage.name, target)
    return _filled(instance, stage, recipe_step, replace(options, stages=overridden), inputs)


def _instances(recipe: Recipe, options: PlanOptions) -> list[_Instance]:
    """Return the steps of the plan: for a recipe's step with `each`, one for every target language."""
    return [
        _Instance(name, f"{name}:{target}" if target else name, target)
        for name, step in recipe.steps.items()
        for target in (options.targets if step.each else (None,))
    ]


def _is_requested(step: RecipeStep, options: PlanOptions) -> bool:
    """Tell whether the job has a step: not one for a film that is not made, and one with `only_with` only if the user
    named a backend of that stage."""
    with_film = options.film or step.stage != MUX
    return with_film and (step.only_with is None or "backend" in options.stages.get(step.only_with, {}))


def _make_step(instance: _Instance, recipe: Recipe, step: RecipeStep, options: PlanOptions) -> Step:
    stage = stage_named(step.stage)
    inputs: dict[str, Source] = {}
    for role, written in step.inputs.items():
        names = as_list(written)
        sources = tuple(source for name in names for source in _resolve(name, recipe, instance.target, options))
        if takes_several(stage.inputs, role):
            inputs[role] = AllOf(sources)
            continue
        sources = _until_certain(sources, recipe)
        if len(sources) == 1:
            inputs[role] = sources[0]
        elif sources:
            inputs[role] = FirstOf(sources)
    return _filled(instance, stage, step, options, inputs)


def _until_certain(sources: tuple[SingleSource, ...], recipe: Recipe) -> tuple[SingleSource, ...]:
    """Return the sources up to the first one that always exists: a file, or an output that its stage always makes."""
    for number, source in enumerate(sources, 1):
        if not isinstance(source, FromStep):
            return sources[:number]
        outputs = stage_named(recipe.steps[source.step.partition(":")[0]].stage).outputs
        if outputs.model_fields[source.role].is_required():
            return sources[:number]
    return sources


def _filled(
    instance: _Instance, stage: Stage, step: RecipeStep, options: PlanOptions, inputs: Mapping[str, Source]
) -> Step:
    """Return the step with its backend, models and parameters."""
    chosen = _choose_backend(stage, options, instance.target)
    backend, models = chosen.backend, chosen.models
    params = step_params(stage, step, options, instance.target, models)
    by_language = _language_models(stage, backend, options)
    code: dict[str, Option] = {}
    for role, model in {**models, **by_language}.items():
        code |= pinned_code(role, options.files.get(model, {}))
    # A translation uses the models of one direction, which is known once there is a transcript.
    by_direction = models if stage.name == TRANSLATE and len(models) > 1 else {}
    filled = Step(
        instance.id, stage, chosen.name, backend, params, inputs, {} if by_direction else models, by_language,
        instance.target,
        placed=choose_device(backend, options.device, options.card_problems),
        off_card=off_card(backend, options.card_problems),
        choice=chosen.reason, code=code, direction_models=by_direction,
    )  # fmt: skip
    model_bytes = sum(options.sizes.get(model, 0) for model in filled.models.values())
    return replace(filled, card_limit=card_limit(filled, model_bytes, options.card_room_mb))


def _resolve(reference: str, recipe: Recipe, target: str | None, options: PlanOptions) -> tuple[SingleSource, ...]:
    """Return the sources that a reference of the recipe stands for; none if the job does not have them."""
    if reference == MEDIA:
        return (FromMedia(),) if options.has_sound else ()
    if reference == GLOSSARY:
        return (options.glossary,) if options.glossary else ()
    if reference == SUBTITLES:
        return (options.subtitle.source,) if options.subtitle else ()
    name, _, role = reference.partition(".")
    if name not in recipe.steps:
        return ()
    if not recipe.steps[name].each:
        return (FromStep(name, role),)
    return tuple(FromStep(f"{name}:{tag}", role) for tag in ((target,) if target else options.targets))


def _choose_backend(stage: Stage, options: PlanOptions, target: str | None) -> _ChosenBackend:
    """Return the backend that the user or the profile names for a stage, or the one that suits the pair of languages.
    Raises `UsageError`."""
    reason = options.subtitle.reason if options.subtitle and stage.name == READ else ""
    if options.stub:
        return _ChosenBackend(STUB_BACKEND, STUB, {}, reason)
    filled = options.profile.stages.get(stage.name, ProfileStage(backend=next(iter(stage.backends))))
    name = str(options.settings_of(stage.name).get("backend", filled.backend))
    source = options.source_language
    target = target or str(options.stages.get(stage.name, {}).get("target", "en"))
    if name == AUTO:
        translator = _translator(options, filled, source, target)
        name, reason = translator.backend, translator.reason
    backend = _usable_backend(stage, name, options)
    roles = needed_roles(stage.name, name, source, target)
    unfilled = [role for role in roles if role not in filled.models]
    if unfilled:
        raise UsageError(
            "backend.models",
            f"profile {options.profile_name} names no model for `{unfilled[0]}` of the backend {name}",
            hint=f"add it under `[stages.{stage.name}.models]` in the profile",
        )
    return _ChosenBackend(name, backend, {role: filled.models[role] for role in roles}, reason)


def _usable_backend(stage: Stage, name: str, options: PlanOptions) -> Backend:
    """Return a backend of the stage. Raises `UsageError` if it does not exist, or cannot run on this machine or without
    sound."""
    backend = stage.backends.get(name)
    if backend is None:
        raise UsageError(
            "backend.unknown",
            f"the stage {stage.name} has no backend `{name}`",
            hint=suggestion(name, stage.backends, f"its backends are {', '.join(stage.backends)}"),
        )
    if stage.name == TRANSLATE and not options.has_sound and listens(name):
        raise UsageError(
            "translate.no-sound",
            f"the backend {name} translates what it hears, and a subtitle without its film has no sound",
            hint="leave `translate.backend` out, and another backend translates the text",
        )
    if backend.platforms and sys.platform not in backend.platforms:
        raise UsageError(
            "backend.platform", f"the backend {name} runs on {', '.join(backend.platforms)}, and this is {sys.platform}"
        )
    return backend


def _language_models(stage: Stage, backend: Backend, options: PlanOptions) -> Mapping[str, str]:
    """Return the models by language, of which the step will get one."""
    filled = options.profile.stages.get(stage.name)
    return filled.languages if filled and backend.by_language else {}


def _translator(options: PlanOptions, filled: ProfileStage, source: str | None, target: str) -> Translator:
    """Return the backend for a pair of languages. Raises `UsageError` if no backend with complete models translates
    it."""
    sound = options.has_sound
    if found := choose_translator(source, target, filled.models, options.incomplete, filled.spare, sound=sound):
        return found
    pair = f"{english_name(source)} into {english_name(target)}" if source else f"into {english_name(target)}"
    fetches = [
        f"`./reel models fetch {' '.join(models)}`, for {backend}"
        for backend, models in missing_models(source, target, filled.models, options.incomplete, sound=sound).items()
    ]
    if not fetches:
        raise UsageError(
            "translate.pair",
            f"no backend of profile {options.profile_name} translates {pair}",
            hint="a language model does: see docs/how-to/use-a-language-model.md",
        )
    raise UsageError(
        "translate.pair",
        f"the models with which profile {options.profile_name} translates {pair} are not in the cache",
        hint=f"run once: {', or '.join(fetches)}",
    )
