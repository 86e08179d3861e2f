"""`reel config`: every setting, its value, and where that comes from."""

from __future__ import annotations

import argparse
import json

from pydantic import JsonValue

from pipeline.commands.common import CommandResult, settings_of, table
from pipeline.errors import UsageError
from pipeline.registry import STAGES


def execute(arguments: argparse.Namespace) -> CommandResult:
    """Show the settings and the parameters of every stage."""
    settings, origins = settings_of(arguments)
    rows: list[tuple[str, str, str]] = []
    values = settings.model_dump(mode="json")
    given = values.pop("stages")
    for name, value in values.items():
        rows.append((name, json.dumps(value, ensure_ascii=False), origins.of[name]))
    for stage in given:
        if stage not in STAGES:
            raise UsageError(
                "stage.unknown", f"there is no stage `{stage}`", hint=f"the stages are {', '.join(STAGES)}"
            )
    for stage_name, stage in STAGES.items():
        for name, field in stage.params.model_fields.items():
            value = given.get(stage_name, {}).get(name, field.get_default(call_default_factory=True))
            key = f"stages.{stage_name}.{name}"
            rows.append(
                (key, json.dumps(value, ensure_ascii=False, default=str), origins.of.get(key, f"stage {stage_name}"))
            )
    data: dict[str, JsonValue] = {name: {"value": json.loads(value), "origin": origin} for name, value, origin in rows}
    shown = rows if arguments.origin else [row[:2] for row in rows]
    return CommandResult({"settings": data}, table(shown))
