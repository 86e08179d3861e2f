"""The steps down when memory runs out: what a step becomes on each rung that its backend declares. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from pipeline.plan.model import Step
from shared.stage import Rung


def rungs_below(step: Step) -> list[Step]:
    """Return the step on each rung of its backend's ladder, from the first to the last. Rungs equal to an earlier one
    are skipped."""
    found: list[Step] = []
    for rung in step.backend.oom_ladder:
        lower = _on(step, rung)
        if all(_asks(lower) != _asks(tried) for tried in (step, *found)):
            found.append(lower)
    return found


def ladder_name(step: Step) -> str:
    """Return the name that a rung is recorded under: the backend with its models, on a kind of device."""
    models = ",".join(f"{role}={model}" for role, model in sorted(step.models.items()))
    return f"{step.stage.name}/{step.backend_name}/{models}/{step.placed}"


def descent(step: Step, rungs: Mapping[str, str]) -> list[Step]:
    """Return the step as it is to be tried, one after the other: from the rung that its backend was seen to fit on,
    else as it was asked for, down to the last."""
    below = rungs_below(step)
    seen = rungs.get(ladder_name(step))
    at = next((number for number, lower in enumerate(below) if lower.rung and lower.rung.name == seen), None)
    return [step, *below] if at is None else below[at:]


def changes_bytes(step: Step) -> bool:
    """Return whether the rung that the step stands on may give other bytes than what was asked for."""
    rung = step.rung
    return rung is not None and bool(rung.options or rung.device or set(rung.params) - set(step.backend.neutral_params))


def _on(step: Step, rung: Rung) -> Step:
    asked: Mapping[str, JsonValue] = step.params.model_dump(mode="json")
    params = {**asked, **{name: _at_most(asked[name], value) for name, value in rung.params.items()}}
    return replace(step, params=type(step.params).model_validate(params), rung=rung)


def _at_most(asked: JsonValue, limit: JsonValue) -> JsonValue:
    """Combine a fallback's value with the asked one: a number is an upper limit, anything else replaces what was
    asked."""
    numbers = [value for value in (asked, limit) if isinstance(value, int | float) and not isinstance(value, bool)]
    return min(numbers) if len(numbers) == 2 else limit


def _asks(step: Step) -> tuple[object, ...]:
    """Return the properties in which two rungs can differ."""
    return step.params, dict(step.rung.options) if step.rung else {}, step.device
