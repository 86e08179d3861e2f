"""`reel config`, `stages`, `recipes`, `profiles` and `guides`: show the settings, and the names that flags accept."""

from __future__ import annotations

import json

from pydantic import JsonValue

from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, settings_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.machine import ShowSettings
from pipeline.cli.options.single import ShowStage
from pipeline.plan.language_tables import load_languages
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.registry import BROKEN, STAGES, stage_named
from pipeline.plan.subtitle_guides import load_guide
from shared.stage import Files
from shared.text.guide_limits import ReadingParams
from shared.text.language_params import LanguageParams


def show(arguments: ShowSettings) -> CommandResult:
    """Show the settings and the parameters of every stage."""
    settings, origins = settings_of(arguments)
    rows: list[tuple[str, str, str]] = []
    values = settings.model_dump(mode="json")
    given = values.pop("stages")
    for name, value in values.items():
        rows.append((name, json.dumps(value, ensure_ascii=False), origins.of[name]))
    guide, languages = load_guide(settings.guide, CONFIG / "guides").params, load_languages(CONFIG / "languages")
    long: dict[str, str] = {}
    for stage_name, stage in STAGES.items():
        users = given.get(stage_name, {})
        for name, field in stage.params.model_fields.items():
            key = f"stages.{stage_name}.{name}"
            value, origin = field.get_default(call_default_factory=True), f"stage {stage_name}"
            if name in users:
                value, origin = users[name], origins.of.get(key, origin)
            elif name in guide and issubclass(stage.params, ReadingParams):
                value, origin = guide[name], f"guide {settings.guide}"
            elif name in languages and issubclass(stage.params, LanguageParams):
                value, origin = languages[name], "config/languages"
                long[key] = f"for {', '.join(languages[name])}: see config/languages"
            rows.append((key, json.dumps(value, ensure_ascii=False, default=str), origin))
    data: dict[str, JsonValue] = {name: {"value": json.loads(value), "origin": origin} for name, value, origin in rows}
    rows = [(name, long.get(name, value), origin) for name, value, origin in rows]
    return CommandResult({"settings": data}, table(rows if arguments.origin else [row[:2] for row in rows]))


def list_stages(arguments: Arguments) -> CommandResult:
    """List the stages; one that cannot be loaded is listed with its error."""
    rows = [(name, ", ".join(stage.backends), stage.summary) for name, stage in STAGES.items()]
    rows += [(name, "-", error.message) for name, error in BROKEN.items()]
    data: list[JsonValue] = [{"name": name, "backends": backends, "summary": text} for name, backends, text in rows]
    return CommandResult({"stages": data}, table(rows, ("STAGE", "BACKENDS", "WHAT IT DOES")))


def show_stage(arguments: ShowStage) -> CommandResult:
    """Show the inputs, outputs, parameters and backends of a stage."""
    stage = stage_named(arguments.name)
    inputs, outputs = _files(stage.inputs), _files(stage.outputs)
    params = [
        (name, json.dumps(field.get_default(call_default_factory=True), default=str), field.description or "")
        for name, field in stage.params.model_fields.items()
    ]
    backends = [
        (name, backend.environment, ", ".join(backend.models), backend.summary)
        for name, backend in stage.backends.items()
    ]
    parts = [f"{stage.name}: {stage.summary}; version {stage.version}"]
    parts += [f"inputs:\n{table(inputs)}", f"outputs:\n{table(outputs)}"]
    parts += [f"parameters, as `--set {stage.name}.NAME=VALUE`:\n{table(params)}"] if params else []
    parts += [table(backends, ("BACKEND", "ENVIRONMENT", "MODELS", "WHAT IT IS"))]
    parts += [f"`./reel stage {stage.name} FILE... -o DIR` runs it; `./reel help stage` shows the flags."]
    data: dict[str, JsonValue] = {"name": stage.name, "version": stage.version, "summary": stage.summary}
    data |= {"inputs": dict(inputs), "outputs": dict(outputs), "parameters": {name: value for name, value, _ in params}}
    data |= {"backends": [name for name, *_ in backends]}
    return CommandResult(data, "\n\n".join(parts))


def _files(kind: type[Files]) -> list[tuple[str, str]]:
    return [(name, "needed" if field.is_required() else "optional") for name, field in kind.model_fields.items()]


def list_recipes(arguments: Arguments) -> CommandResult:
    """List the recipes."""
    return _listed("recipes", {name: load_recipe(name, CONFIG / "recipes").summary for name in _names("recipes")})


def list_profiles(arguments: Arguments) -> CommandResult:
    """List the profiles."""
    return _listed("profiles", {name: profile.summary for name, profile in load_profiles(CONFIG / "profiles").items()})


def list_guides(arguments: Arguments) -> CommandResult:
    """List the guides for subtitles."""
    return _listed("guides", {name: load_guide(name, CONFIG / "guides").summary for name in _names("guides")})


def _names(folder: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG / folder).glob("*.toml"))


def _listed(what: str, summaries: dict[str, str]) -> CommandResult:
    data: list[JsonValue] = [{"name": name, "summary": summary} for name, summary in summaries.items()]
    return CommandResult({what: data}, table(list(summaries.items()), ("NAME", "WHAT IT IS")))
