"""Computes the fallbacks of a step that runs out of memory, or whose card fails or is too small: the variants that its
backend declares, and the step on the processor. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from pipeline.plan.model import CardLimit, Step
from shared.stage import Fallback

_PROCESSOR = Fallback("the processor", device="cpu")


def fallback_steps(step: Step) -> list[Step]:
    """Return the variants of the step, one for each fallback of its backend, in order. The last is always on the
    processor. A fallback that needs the same as an earlier one, or that saves nothing on the step's device, is left
    out."""
    declared = [fallback for fallback in step.backend.oom_fallbacks if fallback.only_on in {None, step.placed}]
    if all(fallback.device != "cpu" for fallback in declared):
        declared.append(_PROCESSOR)
    found: list[Step] = []
    for fallback in declared:
        variant = _with_fallback(step, fallback)
        if all(_demands(variant) != _demands(tried) for tried in (step, *found)):
            found.append(variant)
    return found


def fallback_record_name(step: Step) -> str:
    """Return the name that a fallback is recorded under: the backend with its models, on a kind of device."""
    models = ",".join(f"{role}={model}" for role, model in sorted(step.models.items()))
    return f"{step.stage.name}/{step.backend_name}/{models}/{step.placed}"


def steps_to_try(step: Step, recorded: Mapping[str, str]) -> list[Step]:
    """Return the variants of the step in the order in which they are tried.

    The first is the step as requested; or, if a fallback is recorded for the backend or needed for the card's size, the
    later of these two fallbacks.
    """
    variants = [step, *fallback_steps(step)]
    known = recorded.get(fallback_record_name(step)), step.card_limit.fallback if step.card_limit else None
    starts = [number for number, variant in enumerate(variants) if variant.fallback and variant.fallback.name in known]
    return variants[max(starts, default=0) :]


def stored_variants(step: Step, recorded: Mapping[str, str]) -> list[Step]:
    """Return the variants of the step whose stored results are accepted, the best first: the step as requested, and its
    fallbacks if this machine needed one. So files are not done again when the machine can do better later."""
    needed = fallback_record_name(step) in recorded or step.card_limit
    return [step, *fallback_steps(step)] if needed else [step]


def card_mb(step: Step, model_bytes: int) -> float | None:
    """Return the memory that a worker needs on a card for the step, in 10^6 bytes; None if that is not known.

    `model_bytes` is the size of its models. The CUDA context of the process is not included.
    """
    resources = step.fallback.resources if step.fallback else step.backend.resources
    if resources is None:
        return None
    return (resources.gpu_memory_gib * 2**30 + resources.gpu_per_weight * model_bytes) / 1e6


def card_limit(step: Step, model_bytes: int, room_mb: float) -> CardLimit | None:
    """Return the fallback that the step begins with if a worker may use `room_mb` of a card. None if the step fits as
    requested, if the backend does not state the memory of its fallbacks, or if the user set a parameter that they
    change.

    The size of the card decides, not the memory that is free now, so that the same command gives the same result.
    """
    asked_mb = card_mb(step, model_bytes)
    if step.device != "cuda" or asked_mb is None or asked_mb <= room_mb or _is_chosen(step):
        return None
    for variant in fallback_steps(step):
        takes_mb = card_mb(variant, model_bytes) if variant.device == "cuda" else 0.0
        if takes_mb is None:
            return None
        if variant.fallback and takes_mb <= room_mb:
            return CardLimit(variant.fallback.name, asked_mb, room_mb)
    return None


def _is_chosen(step: Step) -> bool:
    """Tell whether a parameter that a fallback changes differs from its default."""
    changed = {name for fallback in step.backend.oom_fallbacks for name in fallback.params}
    fields = type(step.params).model_fields
    return any(getattr(step.params, name) != fields[name].default for name in changed)


def on_processor(step: Step, reason: str) -> Step:
    """Return the step as on a machine without a card. `reason` says what is wrong with the card."""
    return replace(step, placed="cpu", fallback=None, off_card=reason, card_limit=None)


def changes_bytes(step: Step) -> bool:
    """Tell whether the fallback of the step may give another result than the step as requested."""
    fallback = step.fallback
    return fallback is not None and bool(
        fallback.options or fallback.device or set(fallback.params) - set(step.backend.neutral_params)
    )


def _with_fallback(step: Step, fallback: Fallback) -> Step:
    requested: Mapping[str, JsonValue] = step.params.model_dump(mode="json")
    params = {**requested, **{name: _limited(requested[name], limit) for name, limit in fallback.params.items()}}
    return replace(step, params=type(step.params).model_validate(params), fallback=fallback)


def _limited(requested: JsonValue, limit: JsonValue) -> JsonValue:
    """Return the lesser of two numbers; a limit of another type replaces the requested value."""
    numbers = [value for value in (requested, limit) if isinstance(value, int | float) and not isinstance(value, bool)]
    return min(numbers) if len(numbers) == 2 else limit


def _demands(step: Step) -> tuple[object, ...]:
    """Return the properties in which two fallbacks can differ."""
    return step.params, dict(step.fallback.options) if step.fallback else {}, step.device
