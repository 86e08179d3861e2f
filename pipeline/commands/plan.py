"""`reel plan`: what `run` would do and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import JsonValue

from pipeline.app import App
from pipeline.batch import find_media, make_item, plan_for, preview_item
from pipeline.commands.common import CommandResult, app_of, megabytes, table
from pipeline.preview import StepPreview
from pipeline.runs import Runs


def execute(arguments: argparse.Namespace) -> CommandResult:
    """Preview every media; writes nothing."""
    app = app_of(arguments)
    plan, runs = app.plan(), Runs(app.store, app.project.runs)
    taken: set[str] = set()
    items: list[JsonValue] = []
    texts = [f"recipe {plan.recipe}, profile {plan.profile}"]
    due: list[StepPreview] = []
    for media in find_media(arguments.media, Path.cwd()):
        item = make_item(media, app, taken)
        previews = preview_item(item, plan_for(item, plan, app), app, runs)
        due += [preview for preview in previews if preview.verdict != "reused"]
        items.append({"name": item.name, "media": str(item.media), "steps": [_data(preview) for preview in previews]})
        rows = [(p.step.id, p.step.backend_name, p.verdict, p.why) for p in previews]
        texts.append(f"{item.name}\n{table(rows)}")
    needs = _needs(due, app)
    texts += [f"to set up first: {', '.join(needs)}"] if needs else []
    data: JsonValue = {"recipe": plan.recipe, "profile": plan.profile, "items": items, "needs": list(needs)}
    return CommandResult(data, "\n\n".join(texts))


def _data(preview: StepPreview) -> JsonValue:
    return {
        "step": preview.step.id,
        "stage": preview.step.stage.name,
        "backend": preview.step.backend_name,
        "verdict": preview.verdict,
        "reason": preview.why,
        "key": preview.result.key if preview.result else None,
    }


def _needs(due: list[StepPreview], app: App) -> list[str]:
    """What is not there yet, in words."""
    steps = [preview.step for preview in due]
    families = dict.fromkeys(step.backend.environment for step in steps)
    if app.tool.family and any(step.backend.tools for step in steps):
        families[app.tool.family] = None
    needs = [f"environment {family}" for family in families if app.environments.status(family).state != "ready"]
    models = dict.fromkeys(name for step in steps for name in step.models.values())
    for name in app.models.incomplete(models):
        needs.append(f"model {name} ({megabytes(app.models.locked[name].size)}, {app.models.models[name].licence})")
    return needs
