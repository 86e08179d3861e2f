"""`reel config`: every setting, its value, and where that comes from."""

from __future__ import annotations

import json

from pydantic import JsonValue

from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, settings_of, table
from pipeline.cli.options.machine import ShowSettings
from pipeline.plan.language_tables import load_languages
from pipeline.plan.registry import STAGES
from pipeline.plan.subtitle_guides import load_guide
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
