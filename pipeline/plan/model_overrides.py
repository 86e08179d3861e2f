"""Replaces models of the profile by those that the user names: `asr.models.whisper = "my-whisper"`, or for one language
`align.languages.cy = "my-welsh"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic import JsonValue

from pipeline.base.errors import UsageError
from pipeline.base.setting_names import MODEL_SETTINGS
from pipeline.plan.profile import ProfileChoice, ProfileStage
from pipeline.plan.registry import stage_named
from shared.stage import Stage
from shared.text.language import primary
from shared.text.language_names import known_language

Check = Callable[[str], object]
"""Raises `UsageError` for a name that no model has."""


def apply_model_overrides(
    choice: ProfileChoice, stages: Mapping[str, Mapping[str, JsonValue]], check: Check
) -> ProfileChoice:
    """Return the profile with the models that the settings of stages name. Raises `UsageError`."""
    filled = dict(choice.profile.stages)
    for name, settings in stages.items():
        if MODEL_SETTINGS.isdisjoint(settings):
            continue
        stage = stage_named(name)
        before = filled.get(name, ProfileStage(backend=next(iter(stage.backends))))
        models = dict(_models_in(name, "models", settings))
        for role in models:
            _check_role(stage, role)
        languages = {_language(name, tag): model for tag, model in _models_in(name, "languages", settings)}
        for model in (*models.values(), *languages.values()):
            check(model)
        filled[name] = before.model_copy(
            update={"models": {**before.models, **models}, "languages": {**before.languages, **languages}}
        )
    return replace(choice, profile=choice.profile.model_copy(update={"stages": filled}))


def _models_in(stage: str, setting: str, settings: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    table = settings.get(setting, {})
    if not isinstance(table, dict) or not all(isinstance(model, str) for model in table.values()):
        raise UsageError(
            "settings.models",
            f"`{stage}.{setting}` cannot be {table!r}, expected names of models",
            hint=f"write `--set {stage}.{setting}.NAME=MODEL`; `./reel models list` shows the models",
        )
    return [(name, str(model)) for name, model in table.items()]


def _check_role(stage: Stage, role: str) -> None:
    """Raise `UsageError` unless a backend of the stage takes a model as `role`."""
    roles = sorted({known for backend in stage.backends.values() for known in backend.models})
    if role not in roles:
        raise UsageError(
            "settings.models",
            f"no backend of the stage {stage.name} takes a model as `{role}`",
            hint=f"what they take is {', '.join(roles) or 'none'}",
        )


def _language(stage: str, tag: str) -> str:
    try:
        return primary(known_language(tag))
    except ValueError as error:
        raise UsageError("settings.models", f"`{stage}.languages.{tag}`: {error}") from error
