"""The options of a plan, and the parameters of a step that follow from them. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from pipeline.base.errors import UsageError
from pipeline.base.setting_names import MODEL_SETTINGS
from pipeline.plan.model import ExistingSubtitle, FromGlossary, takes_several
from pipeline.plan.profile import Profile
from pipeline.plan.recipe import RecipeStep
from pipeline.plan.registry import READ
from pipeline.plan.translation_backends import stated_language
from shared.mistakes import first_mistake
from shared.nearest import suggestion
from shared.stage import DeviceKind, Params, Stage
from shared.text.glossary import Glossary
from shared.text.guide_limits import ReadingParams
from shared.text.language_params import LanguageParams

_NO_PARAMS = {"backend", *MODEL_SETTINGS}  # settings of a stage that are not parameters


@dataclass(frozen=True)
class PlanOptions:
    """Options that, together with the recipe, determine the plan. They come from the user, the profile and the
    machine."""

    recipe_name: str
    profile_name: str
    profile: Profile
    targets: tuple[str, ...]
    stages: Mapping[str, Mapping[str, JsonValue]]  # settings by stage: `backend` and parameters
    stub: bool = False
    film: bool = True  # make a copy of the film, if the recipe makes one
    defaults: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)  # parameters by stage
    guide: Mapping[str, JsonValue] = field(default_factory=dict)  # parameters of stages with a guide's limits
    languages: Mapping[str, JsonValue] = field(default_factory=dict)  # tables by language, for stages that take them
    error_rates: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)  # published, by model and language
    glossary: FromGlossary | None = None
    subtitle: ExistingSubtitle | None = None  # to use instead of recognition
    incomplete: Collection[str] = ()  # models that are not complete in the cache
    device: DeviceKind = "cpu"  # for every backend that supports it
    card_problems: Mapping[str, str] = field(default_factory=dict)  # library to why it computes on no card
    card_room_mb: float = math.inf  # memory of the largest card that a worker may take; infinite if not known
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # model to the sha256 of its files by name
    sizes: Mapping[str, int] = field(default_factory=dict)  # model to its size in bytes

    @property
    def has_sound(self) -> bool:
        """Tell whether the media file has sound: a subtitle file has none."""
        return self.subtitle is None or not self.subtitle.alone

    @property
    def source_language(self) -> str | None:
        """Return the language to translate from; None if it is to be identified."""
        return self.subtitle.language if self.subtitle else stated_language(self.stages.get("asr", {}))

    def settings_of(self, stage: str) -> Mapping[str, JsonValue]:
        """Return the backend and the parameters of a stage that are set for this job."""
        of_subtitle = self.subtitle.params if self.subtitle and stage == READ else {}
        return {**of_subtitle, **self.stages.get(stage, {})}


def step_params(
    stage: Stage, step: RecipeStep, options: PlanOptions, target: str | None, models: Mapping[str, str]
) -> Params:
    """Return the parameters of a step. The later of these overrides the earlier: the stage's defaults, the guide,
    tables by language and the glossary, the options' defaults, the profile, the recipe, the user. Raises
    `UsageError`."""
    filled = options.profile.stages.get(stage.name)
    settings = options.settings_of(stage.name)
    values: dict[str, JsonValue] = {
        **_shared_params(stage, options, models),
        **options.defaults.get(stage.name, {}),
        **(filled.params if filled else {}),
        **step.params,
        **{name: value for name, value in settings.items() if name not in _NO_PARAMS},
    }
    if target and "target" in stage.params.model_fields:
        values["target"] = target
    for name, value in values.items():
        if isinstance(value, str) and name in stage.params.model_fields and takes_several(stage.params, name):
            values[name] = [part.strip() for part in value.split(",") if part.strip()]
    try:
        return stage.params.model_validate(values)
    except ValidationError as error:
        raise _invalid_params(stage, error) from error


def _shared_params(stage: Stage, options: PlanOptions, models: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the parameters that several stages get from the same place: the guide, the tables by language, the
    glossary, and the published error rates of the step's models.

    A user's `line_length` is meant for every language, so the guide's `line_lengths` of single ones give way to it.
    """
    names = stage.params.model_fields
    replaced = {f"{name}s" for name in options.settings_of(stage.name)}
    limits = {name: value for name, value in options.guide.items() if name not in replaced}
    if not issubclass(stage.params, ReadingParams):
        limits = {}
    tables = options.languages if issubclass(stage.params, LanguageParams) else {}
    found = {name: value for name, value in {**limits, **tables}.items() if name in names}
    if "error_rates" in names:
        rates: dict[str, JsonValue] = {}
        for model in models.values():
            rates |= options.error_rates.get(model, {})
        found["error_rates"] = rates
    return {**found, **(_hotwords(options) if "hotwords" in names else {})}


def _invalid_params(stage: Stage, error: ValidationError) -> UsageError:
    mistake = first_mistake(error)
    if mistake.unknown:
        known = ", ".join(stage.params.model_fields) or "none"
        hint = suggestion(mistake.place, stage.params.model_fields, f"the parameters of {stage.name} are {known}")
        return UsageError("params.invalid", f"the stage {stage.name} has no parameter `{mistake.place}`", hint=hint)
    if mistake.place:
        what = f"`{stage.name}.{mistake.place}` cannot be {mistake.shown}"
    else:
        what = f"the parameters of {stage.name} do not go together"
    return UsageError(
        "params.invalid",
        f"{what}: {mistake.text}",
        hint=f"docs/reference/stages.md#{stage.name} says what its parameters mean",
    )


def _hotwords(options: PlanOptions) -> Mapping[str, JsonValue]:
    """Return the terms of the glossary for a recogniser, without their translations: a changed translation must not
    repeat recognition."""
    if options.glossary is None:
        return {}
    return {"hotwords": Glossary.parse(options.glossary.content, options.glossary.name).hotwords or None}
