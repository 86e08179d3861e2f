"""Describes the needs of a job for `reel plan`: what it would set up first, and what would prevent it."""

from __future__ import annotations

from pydantic import JsonValue

from pipeline.base.errors import ReelError
from pipeline.cli.arguments import megabytes
from pipeline.engine.set_up import ModelNeed, Needs


def needs_texts(needs: Needs) -> list[str]:
    """Return all needs as paragraphs."""
    first = _set_up_first(needs)
    texts = [*needs.notes, *([f"to set up first: {', '.join(first)}"] if first else [])]
    if needs.obstacles:
        texts.append("\n".join(["a run would end before its first step:", *map(_with_hint, needs.obstacles)]))
    return texts


def needs_data(needs: Needs) -> dict[str, JsonValue]:
    """Return all needs for `--json`."""
    obstacles: list[JsonValue] = [
        {"code": error.code, "message": error.message, "hint": error.hint} for error in needs.obstacles
    ]
    return {"needs": [*_set_up_first(needs)], "obstacles": obstacles, "notes": [*needs.notes]}


def _set_up_first(needs: Needs) -> list[str]:
    return [*(f"environment {family}" for family in needs.environments), *map(_model_text, needs.models)]


def _model_text(model: ModelNeed) -> str:
    parts = [megabytes(model.bytes), model.licence]
    parts += ["terms to accept"] if model.terms else []
    parts += ["locked at first use"] if not model.locked else []
    return f"model {model.name} ({', '.join(parts)})"


def _with_hint(error: ReelError) -> str:
    return f"  {error.message} [{error.code}]" + (f"\n    hint: {error.hint}" if error.hint else "")
