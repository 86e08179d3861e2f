"""Computes the key of a result from its ingredients, and describes how the ingredients of two keys differ. Pure.

Left out on purpose, because they do not change the result: paths and names of files, modification times, the batch,
numbers of threads and workers, limits, log levels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from pipeline.plan.model import Step

KEY_FORMAT = 1  # raised when the ingredients change; old results are then not found

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

InputDigests = Mapping[str, str | list[str] | None]
Ingredients = dict[str, JsonValue]


@dataclass(frozen=True)
class KeyContext:
    """Inputs of result keys that do not come from the plan: the state of environments, models and tools.

    `fallbacks` are recorded for backends that ran out of memory: see `pipeline.plan.oom_fallback`. `complete_models`
    are the complete ones among the models for single languages: see `pipeline.engine.language_models`.
    """

    environments: Mapping[str, str]  # family to the digest of its lock and Python
    models: Mapping[str, str]  # model to the digest of its lock entry
    tools: Mapping[str, str]  # tool to its version
    sources: Mapping[str, str] = field(default_factory=dict)  # stage to the digest of its code, if that is not pinned
    torch: Mapping[str, str] = field(default_factory=dict)  # family to the build of torch on this machine
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    complete_models: frozenset[str] = frozenset()


def ingredients(step: Step, inputs: InputDigests, key_context: KeyContext) -> Ingredients:
    """Return everything that decides the result of `step`, as JSON values.

    They describe what is computed, not what was requested: for a step with a fallback, those of the fallback.
    """
    parts: Ingredients = {
        "format": KEY_FORMAT,
        "stage": step.stage.name,
        "version": step.stage.version,
        "backend": step.backend_name,
        "environment": key_context.environments[step.environment],
        "models": {role: key_context.models[model] for role, model in step.models.items()},
        "tools": {tool: key_context.tools[tool] for tool in step.backend.tools},
        "params": step.params.model_dump(mode="json", exclude=set(step.backend.neutral_params)),
        "inputs": {role: list(digest) if isinstance(digest, list) else digest for role, digest in inputs.items()},
        "device": step.device,  # another kind of hardware rounds differently
    }
    if step.fallback and step.fallback.options:
        parts["options"] = dict(step.fallback.options)
    if sources := key_context.sources.get(step.stage.name):
        parts["sources"] = sources
    if torch := key_context.torch.get(step.environment):
        parts["torch"] = torch
    return parts


def result_key(parts: Ingredients) -> str:
    """Return the sha256 of the ingredients as canonical JSON, together with the kind of the key."""
    return hashlib.sha256(_CANONICAL.encode(["stage-result", parts]).encode()).hexdigest()


_PHRASES = {
    "stage": "the stage", "version": "the stage's version", "backend": "the backend", "environment": "the environment",
    "sources": "the code", "device": "the device", "torch": "the build of torch", "format": "the format of keys",
}  # fmt: skip
_KINDS = {"params": "parameter", "models": "model", "tools": "tool", "options": "option", "inputs": "input"}


@dataclass(frozen=True)
class Change:
    """Ingredient that differs between two keys: `part` is for example `params`, and `name` the name of a parameter."""

    part: str
    name: str
    old: JsonValue
    new: JsonValue

    @property
    def place(self) -> str:
        """Return its place in the ingredients: `params.beam_size`."""
        return f"{self.part}.{self.name}" if self.name else self.part

    @property
    def phrase(self) -> str:
        """Return the change as part of a sentence: `parameter beam_size is 3, was 5`."""
        if self.part == "inputs":
            return f"input {self.name} changed"
        what = f"{_KINDS.get(self.part, self.part)} {self.name}" if self.name else _PHRASES.get(self.part, self.part)
        return f"{what} is {short(self.new)}, was {short(self.old)}"


def differences(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> list[Change]:
    """Return the changes from the ingredients `old` to `new`, in the order of their names."""
    changes = []
    for part in sorted(set(old) | set(new)):
        before, after = old.get(part), new.get(part)
        if part in _KINDS:
            old_values, new_values = (value if isinstance(value, dict) else {} for value in (before, after))
            changes += [
                Change(part, name, old_values.get(name), new_values.get(name))
                for name in sorted(set(old_values) | set(new_values))
                if old_values.get(name) != new_values.get(name)
            ]
        elif before != after:
            changes.append(Change(part, "", before, after))
    return changes


def short(value: JsonValue) -> str:
    """Return a short text for a value of an ingredient: the beginning of a digest, the first items of a long list."""
    if value is None:
        return "nothing"
    if isinstance(value, list):
        parts = [short(item) for item in value]
        return f"[{', '.join(parts)}]" if len(parts) <= 3 else f"[{', '.join(parts[:2])} and {len(parts) - 2} more]"
    text = str(value)
    return text[:12] if len(text) == 64 else text if len(text) <= 60 else f"{text[:57]}..."
