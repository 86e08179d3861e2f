"""The key of a result: the one recipe for it, and what to say when two differ. Pure.

Left out on purpose, because the same result comes out whatever they are: paths and names of files, modification
times, the batch, threads and worker counts, limits, log levels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from pipeline.plan import Step

KEY_FORMAT = 1  # raised when the ingredients change; old results are then simply not found

InputDigests = Mapping[str, str | list[str] | None]
Ingredients = dict[str, JsonValue]


@dataclass(frozen=True)
class Surroundings:
    """What a step's result depends on beyond the plan: digests of what it will run with."""

    environments: Mapping[str, str]  # family to the digest of its lock and Python
    models: Mapping[str, str]  # model to the digest of its lock entry
    tools: Mapping[str, str]  # tool to its version
    device: str  # the kind: another kind of hardware rounds differently
    rungs: Mapping[str, str] = field(default_factory=dict)  # where backends were seen to fit; see `pipeline.ladder`


def ingredients(step: Step, inputs: InputDigests, surroundings: Surroundings) -> Ingredients:
    """Everything that decides the result of `step`, as canonical JSON can hold it.

    They name what is computed, not what was asked for: a step on a lower rung has the ingredients that its rung gives.
    """
    parts: Ingredients = {
        "format": KEY_FORMAT,
        "stage": step.stage.name,
        "version": step.stage.version,
        "backend": step.backend_name,
        "environment": surroundings.environments[step.backend.environment],
        "models": {role: surroundings.models[model] for role, model in step.models.items()},
        "tools": {tool: surroundings.tools[tool] for tool in step.backend.tools},
        "params": step.params.model_dump(mode="json", exclude=set(step.backend.neutral_params)),
        "inputs": {role: list(digest) if isinstance(digest, list) else digest for role, digest in inputs.items()},
        "device": step.device or surroundings.device,
    }
    if step.rung and step.rung.options:
        parts["options"] = dict(step.rung.options)
    return parts


def result_key(parts: Ingredients) -> str:
    """The sha256 of the ingredients as canonical JSON, led by what it is a key of."""
    canonical = json.dumps(["stage-result", parts], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


_PHRASES = {
    "stage": "the stage", "version": "the stage's version", "backend": "the backend", "environment": "the environment",
    "device": "the device", "format": "the format of keys",
}  # fmt: skip


def differences(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> list[str]:
    """What changed between two keys' ingredients, one phrase each: `parameter beam_size is 3, was 5`."""
    phrases = []
    for name in sorted(set(old) | set(new)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if name == "inputs" and isinstance(before, dict) and isinstance(after, dict):
            phrases += [
                f"input {role} changed"
                for role in sorted(set(before) | set(after))
                if before.get(role) != after.get(role)
            ]
        elif isinstance(before, dict) and isinstance(after, dict):
            kind = {"params": "parameter", "models": "model", "tools": "tool"}.get(name, name)
            phrases += [
                f"{kind} {key} is {_short(after.get(key))}, was {_short(before.get(key))}"
                for key in sorted(set(before) | set(after))
                if before.get(key) != after.get(key)
            ]
        else:
            phrases.append(f"{_PHRASES.get(name, name)} is {_short(after)}, was {_short(before)}")
    return phrases


def _short(value: JsonValue) -> str:
    text = "nothing" if value is None else str(value)
    return text[:12] if len(text) == 64 else text
