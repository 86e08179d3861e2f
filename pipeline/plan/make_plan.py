"""Make a plan: apply a recipe, a profile and the user's options to one media file. Pure."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from pydantic import JsonValue, ValidationError

from pipeline.base.errors import UsageError
from pipeline.base.setting_names import MODEL_SETTINGS
from pipeline.plan.model import (
    AllOf,
    ExistingSubtitle,
    FirstOf,
    FromGlossary,
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
from pipeline.plan.placement import choose_device, off_card
from pipeline.plan.profile import AUTO, Profile, ProfileStage
from pipeline.plan.recipe import GLOSSARY, MEDIA, SUBTITLES, Recipe, RecipeStep, as_list
from pipeline.plan.registry import MUX, READ, TRANSLATE, listens, stage_named
from pipeline.plan.translation_backends import choose_translator, lacking_for, needed_roles, spoken
from shared.mistakes import first_mistake
from shared.nearest import suggestion
from shared.remote_code import pinned_code
from shared.stage import CORE_ENVIRONMENT, STUB_BACKEND, Backend, DeviceKind, Option, Params, Stage
from shared.text.glossary import Glossary
from shared.text.guide_limits import ReadingParams
from shared.text.language import english_name
from shared.text.language_params import LanguageParams

_NO_PARAMS = {"backend", *MODEL_SETTINGS}  # among the settings of a stage
STUB = Backend(module="", environment=CORE_ENVIRONMENT, summary="valid outputs without a model")


@dataclass(frozen=True)
class Choices:
    """Options that, together with the recipe, determine the plan. They come from the user or the profile."""

    recipe_name: str
    profile_name: str
    profile: Profile
    targets: tuple[str, ...]
    stages: Mapping[str, Mapping[str, JsonValue]]  # settings by stage: `backend` and parameters
    stub: bool = False
    film: bool = True  # a copy of the film is made, where the recipe makes one
    defaults: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)  # by stage: below all but the guide's
    guide: Mapping[str, JsonValue] = field(default_factory=dict)  # for every stage that takes a guide's limits
    languages: Mapping[str, JsonValue] = field(default_factory=dict)  # tables by name, for stages that take them
    error_rates: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)  # published, by model and language
    glossary: FromGlossary | None = None
    subtitle: ExistingSubtitle | None = None  # that stands for recognition
    incomplete: Collection[str] = ()  # the models that are not whole
    device: DeviceKind = "cpu"  # the machine's or the user's, for backends that can compute there
    card_problems: Mapping[str, str] = field(default_factory=dict)  # why a library computes on no card, by library
    card_room_mb: float = math.inf  # what a worker may take of the largest card; without end where that is not known
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # of each model, by name: its files' sha256
    sizes: Mapping[str, int] = field(default_factory=dict)  # of each model, by name, in bytes

    @property
    def has_sound(self) -> bool:
        """Tell whether the media file can be listened to."""
        return self.subtitle is None or not self.subtitle.alone

    @property
    def source(self) -> str | None:
        """Return the language to translate from; None while it is to be identified."""
        return self.subtitle.language if self.subtitle else spoken(self.stages.get("asr", {}))

    def settings_of(self, stage: str) -> Mapping[str, JsonValue]:
        """Return the backend and the parameters of a stage that are set for this job."""
        found = self.subtitle.params if self.subtitle and stage == READ else {}
        return {**found, **self.stages.get(stage, {})}


def make_plan(recipe: Recipe, choices: Choices) -> Plan:
    """Return the plan; raises `UsageError` for parameters or pairs of languages that no backend takes."""
    if recipe.needs_target and not choices.targets:
        raise UsageError(
            "plan.no-target", f"the recipe {choices.recipe_name} needs a target language", hint="for example `--to en`"
        )
    recipe = _reduced(recipe, choices)
    steps = {
        step_id: _make_step(step_id, target, recipe, recipe.steps[name], choices)
        for name, step_id, target in _instances(recipe, choices)
    }
    try:
        order = tuple(TopologicalSorter({step_id: sorted(steps[step_id].needs) for step_id in steps}).static_order())
    except CycleError as error:
        raise UsageError(
            "recipe.cycle", f"the recipe {choices.recipe_name} has steps that depend on each other: {error.args[1]}"
        ) from error
    publications = tuple(
        Publication(source.step, source.role, rule.name)
        for rule in recipe.publish
        for source in _resolve(rule.file, recipe, None, choices)
        if isinstance(source, FromStep)
    )
    if not choices.has_sound and choices.stages.get(MUX, {}).get("burn_in"):
        raise UsageError(
            "subtitles.no-film",
            "`mux.burn_in` draws into the picture of a film, and what is named is a subtitle",
            hint="name the film, and the subtitle after `--subtitles`",
        )
    if not publications and not choices.has_sound:
        raise UsageError(
            "subtitles.no-film",
            f"the recipe {choices.recipe_name} works on a film, and what is named is a subtitle",
            hint="name the film; the recipes for subtitles are subtitle, translate and transcribe",
        )
    return Plan(
        choices.recipe_name, choices.profile_name, tuple(steps[step_id] for step_id in order), publications,
        partial=not recipe.publish,
    )  # fmt: skip


def _reduced(recipe: Recipe, choices: Choices) -> Recipe:
    """Return the recipe with the steps that the job has: those that are wanted and get every input that they
    require."""
    left = {name: step for name, step in recipe.steps.items() if _is_wanted(step, choices)}
    while True:
        reduced = recipe.model_copy(update={"steps": left})
        lacking = [name for name, step in left.items() if _lacks_input(step, reduced, choices)]
        if not lacking:
            return reduced
        left = {name: step for name, step in left.items() if name not in lacking}


def _lacks_input(step: RecipeStep, recipe: Recipe, choices: Choices) -> bool:
    """Tell whether nothing gives an input that the recipe writes, and the stage or the recipe requires."""
    fields = stage_named(step.stage).inputs.model_fields
    return any(
        (fields[role].is_required() or role in step.requires)
        and not any(_resolve(name, recipe, None, choices) for name in as_list(written))
        for role, written in step.inputs.items()
    )


def single_step(stage: Stage, choices: Choices, inputs: Mapping[str, Source], backend: str | None) -> Step:
    """Return a step that stands alone, for a developer who runs one stage."""
    recipe_step = RecipeStep(stage=stage.name, inputs={})
    target = choices.targets[0] if choices.targets else None
    overridden = {
        **choices.stages,
        stage.name: {**choices.stages.get(stage.name, {}), **({"backend": backend} if backend else {})},
    }
    alone = replace(choices, stages=overridden)
    return _filled(stage.name, stage, recipe_step, alone, target, inputs)


def _instances(recipe: Recipe, choices: Choices) -> list[tuple[str, str, str | None]]:
    """Return each step's name, its id and its target language: `("translate", "translate:pt", "pt")`."""
    return [
        (name, f"{name}:{target}" if target else name, target)
        for name, step in recipe.steps.items()
        for target in (choices.targets if step.each else (None,))
    ]


def _is_wanted(step: RecipeStep, choices: Choices) -> bool:
    """Tell whether a step stands in the plan: one with a condition only where the user named a backend for it."""
    with_film = choices.film or step.stage != MUX
    return with_film and (step.only_with is None or "backend" in choices.stages.get(step.only_with, {}))


def _make_step(step_id: str, target: str | None, recipe: Recipe, step: RecipeStep, choices: Choices) -> Step:
    stage = stage_named(step.stage)
    inputs: dict[str, Source] = {}
    for role, written in step.inputs.items():
        sources = tuple(source for name in as_list(written) for source in _resolve(name, recipe, target, choices))
        if takes_several(stage.inputs, role):
            inputs[role] = AllOf(sources)
            continue
        first = _up_to_a_certain_one(sources, recipe)
        if len(first) == 1:
            inputs[role] = first[0]
        elif first:
            inputs[role] = FirstOf(first)
    return _filled(step_id, stage, step, choices, target, inputs)


def _up_to_a_certain_one(sources: tuple[SingleSource, ...], recipe: Recipe) -> tuple[SingleSource, ...]:
    """Return the sources up to the first that every run has: an output that its stage always makes."""
    for number, source in enumerate(sources, 1):
        if not isinstance(source, FromStep):
            return sources[:number]
        outputs = stage_named(recipe.steps[source.step.partition(":")[0]].stage).outputs
        if outputs.model_fields[source.role].is_required():
            return sources[:number]
    return sources


def _filled(
    step_id: str, stage: Stage, step: RecipeStep, choices: Choices, target: str | None, inputs: Mapping[str, Source]
) -> Step:
    """Return the step with its backend, models and parameters."""
    name, backend, models, choice = _backend(stage, choices, target)
    params = _params(stage, step, choices, target, models)
    by_language = _language_models(stage, backend, choices)
    code: dict[str, Option] = {}
    for role, model in {**models, **by_language}.items():
        code |= pinned_code(role, choices.files.get(model, {}))
    # Of several directions a translation goes into one; which, is known with the transcript.
    by_direction = models if stage.name == TRANSLATE and len(models) > 1 else {}
    filled = Step(
        step_id, stage, name, backend, params, inputs, {} if by_direction else models, by_language, target,
        placed=choose_device(backend, choices.device, choices.card_problems),
        off_card=off_card(backend, choices.card_problems),
        choice=choice, code=code, direction_models=by_direction,
    )  # fmt: skip
    model_bytes = sum(choices.sizes.get(model, 0) for model in filled.models.values())
    return replace(filled, card_limit=card_limit(filled, model_bytes, choices.card_room_mb))


def _resolve(reference: str, recipe: Recipe, target: str | None, choices: Choices) -> tuple[SingleSource, ...]:
    if reference == MEDIA:
        return (FromMedia(),) if choices.has_sound else ()
    if reference == GLOSSARY:
        return (choices.glossary,) if choices.glossary else ()
    if reference == SUBTITLES:
        return (choices.subtitle.source,) if choices.subtitle else ()
    name, _, role = reference.partition(".")
    if name not in recipe.steps:
        return ()
    if not recipe.steps[name].each:
        return (FromStep(name, role),)
    return tuple(FromStep(f"{name}:{tag}", role) for tag in ((target,) if target else choices.targets))


def _backend(stage: Stage, choices: Choices, target: str | None) -> tuple[str, Backend, Mapping[str, str], str]:
    """Return the backend's name, its declaration, the model for each role that is needed, and why it was chosen, if
    it was."""
    choice = choices.subtitle.reason if choices.subtitle and stage.name == READ else ""
    if choices.stub:
        return STUB_BACKEND, STUB, {}, choice
    filled = choices.profile.stages.get(stage.name, ProfileStage(backend=next(iter(stage.backends))))
    name = str(choices.settings_of(stage.name).get("backend", filled.backend))
    source = choices.source
    target = target or str(choices.stages.get(stage.name, {}).get("target", "en"))
    if name == AUTO:
        name, choice = _translator(choices, filled, source, target)
    backend = stage.backends.get(name)
    if backend is None:
        raise UsageError(
            "backend.unknown",
            f"the stage {stage.name} has no backend `{name}`",
            hint=suggestion(name, stage.backends, f"its backends are {', '.join(stage.backends)}"),
        )
    if stage.name == TRANSLATE and not choices.has_sound and listens(name):
        raise UsageError(
            "translate.no-sound",
            f"the backend {name} translates what it hears, and a subtitle without its film has no sound",
            hint="leave `translate.backend` out, and another backend translates the text",
        )
    if backend.platforms and sys.platform not in backend.platforms:
        raise UsageError(
            "backend.platform", f"the backend {name} runs on {', '.join(backend.platforms)}, and this is {sys.platform}"
        )
    roles = needed_roles(stage.name, name, source, target)
    unfilled = [role for role in roles if role not in filled.models]
    if unfilled:
        raise UsageError(
            "backend.models",
            f"profile {choices.profile_name} names no model for `{unfilled[0]}` of the backend {name}",
            hint=f"add it under `[stages.{stage.name}.models]` in the profile",
        )
    return name, backend, {role: filled.models[role] for role in roles}, choice


def _language_models(stage: Stage, backend: Backend, choices: Choices) -> Mapping[str, str]:
    """Return the models of which the step will get one, by language."""
    filled = choices.profile.stages.get(stage.name)
    return filled.languages if filled and backend.by_language else {}


def _translator(choices: Choices, filled: ProfileStage, source: str | None, target: str) -> tuple[str, str]:
    """Return the backend for a pair of languages and why; the source is known at this time only when the user has
    said it."""
    sound = choices.has_sound
    if found := choose_translator(source, target, filled.models, choices.incomplete, filled.spare, sound=sound):
        return found.backend, found.reason
    pair = f"{english_name(source)} into {english_name(target)}" if source else f"into {english_name(target)}"
    fetches = [
        f"`./reel models fetch {' '.join(models)}`, for {backend}"
        for backend, models in lacking_for(source, target, filled.models, choices.incomplete, sound=sound).items()
    ]
    if not fetches:
        raise UsageError(
            "translate.pair",
            f"no backend of profile {choices.profile_name} translates {pair}",
            hint="a language model does: see docs/how-to/use-a-language-model.md",
        )
    raise UsageError(
        "translate.pair",
        f"the models with which profile {choices.profile_name} translates {pair} are not in the cache",
        hint=f"run once: {', or '.join(fetches)}",
    )


def _params(stage: Stage, step: RecipeStep, choices: Choices, target: str | None, models: Mapping[str, str]) -> Params:
    """Return the parameters: the stage's defaults < the guide and the glossary < the profile < the recipe < the
    user."""
    filled = choices.profile.stages.get(stage.name)
    limits = choices.guide if issubclass(stage.params, ReadingParams) else {}
    guide = {name: limit for name, limit in limits.items() if name in stage.params.model_fields}
    tables = choices.languages if issubclass(stage.params, LanguageParams) else {}
    by_language = {name: table for name, table in tables.items() if name in stage.params.model_fields}
    words = _hotwords(choices) if "hotwords" in stage.params.model_fields else {}
    if "error_rates" in stage.params.model_fields:
        rates = [choices.error_rates.get(model, {}) for model in models.values()]
        by_language["error_rates"] = {tag: rate for one in rates for tag, rate in one.items()}
    ours = choices.defaults.get(stage.name, {})
    users = {name: value for name, value in choices.settings_of(stage.name).items() if name not in _NO_PARAMS}
    values: dict[str, JsonValue] = {
        **guide, **by_language, **words, **ours, **(filled.params if filled else {}), **step.params, **users
    }  # fmt: skip
    if target and "target" in stage.params.model_fields:
        values["target"] = target
    for name, value in values.items():
        if isinstance(value, str) and name in stage.params.model_fields and takes_several(stage.params, name):
            values[name] = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return stage.params.model_validate(values)
    except ValidationError as error:
        mistake = first_mistake(error)
        if mistake.unknown:
            known = ", ".join(stage.params.model_fields) or "none"
            hint = suggestion(mistake.place, stage.params.model_fields, f"the parameters of {stage.name} are {known}")
            text = f"the stage {stage.name} has no parameter `{mistake.place}`"
            raise UsageError("params.invalid", text, hint=hint) from error
        found = (
            f"`{stage.name}.{mistake.place}` cannot be {mistake.shown}"
            if mistake.place
            else (f"the parameters of {stage.name} do not go together")
        )
        raise UsageError(
            "params.invalid",
            f"{found}: {mistake.text}",
            hint=f"docs/reference/stages.md#{stage.name} says what its parameters mean",
        ) from error


def _hotwords(choices: Choices) -> Mapping[str, JsonValue]:
    """Return the glossary's terms for a recogniser, without their renderings: a changed rendering must not repeat
    recognition."""
    if choices.glossary is None:
        return {}
    return {"hotwords": Glossary.parse(choices.glossary.content, choices.glossary.name).hotwords or None}
