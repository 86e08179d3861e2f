"""Records what was published for a media file under which plan, so that a run without work opens no result.

The record is a cache in the index: without it, the results themselves are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.model_cache.manifest import Model
from pipeline.plan.model import Plan
from pipeline.plan.oom_fallback import steps_to_try
from pipeline.plan.result_key import KeyContext, ingredients
from pipeline.publishing.beside import place_of
from pipeline.publishing.publish import PublishedFiles
from pipeline.publishing.record import JOB
from pipeline.store.results import ResultStore


@dataclass(frozen=True)
class PublishedJob:
    """Published files of a media file, and the key of each step's result."""

    published: PublishedFiles
    keys: Mapping[str, str]


def plan_digest(plan: Plan, models: Mapping[str, Model], key_context: KeyContext) -> str:
    """Return the digest of everything but the media file that decides what is published."""
    steps: list[JsonValue] = []
    for step in plan.steps:
        first = steps_to_try(step, key_context.fallbacks)[0]
        # A model for one language that was downloaded later may change what is published.
        by_language = {tag: name for tag, name in step.language_models.items() if name in key_context.complete_models}
        names = {**step.models, **by_language, **step.direction_models}
        licences = sorted(f"{name} {models[name].licence}" for name in names.values())
        known: list[JsonValue] = [
            ingredients(first, {}, key_context),
            _with_digests(names, key_context),
            list(licences),
        ]
        steps.append([step.id, repr(sorted(step.inputs.items())), step.backend.licence_note, *known])
    text = json.dumps([plan.recipe, plan.profile, repr(plan.publications), steps], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _with_digests(names: Mapping[str, str], key_context: KeyContext) -> JsonValue:
    """Return the models by role, each with its digest. `ingredients` has only those that are decided already."""
    return {role: [name, key_context.models[name]] for role, name in names.items()}


class UpToDateCache:
    """Published jobs of one store, as the index records them."""

    def __init__(self, store: ResultStore) -> None:
        self._index = store.index

    def has(self, media: Path, digest: str, plan: str) -> bool:
        """Tell whether a job was published for this content and plan, even if the files have changed since."""
        query = "SELECT 1 FROM receipts WHERE media = ? AND digest = ? AND plan = ?"
        return bool(self._index.query(query, (str(media), digest, plan)))

    def find(self, media: Path, digest: str, plan: str) -> PublishedJob | None:
        """Return what was published for this content and plan, or None if a published file has changed since."""
        query = "SELECT folder, files, keys FROM receipts WHERE media = ? AND digest = ? AND plan = ?"
        for folder, files, keys in self._index.query(query, (str(media), digest, plan)):
            try:
                states, result_keys = json.loads(str(files)), json.loads(str(keys))
            except ValueError:  # the index is damaged
                return None
            if all(state_of(f"{folder}/{name}") == state for name, state in states.items()):
                place = Path(str(folder))
                paths = tuple(place_of(place, name) for name in states if name != JOB)
                return PublishedJob(PublishedFiles(place, paths, ()), result_keys)
        return None

    def states(self, media: Path) -> dict[str, list[int] | None]:
        """Return the recorded size and time of each file published for a media file, by path."""
        query = "SELECT folder, files FROM receipts WHERE media = ?"
        found: dict[str, list[int] | None] = {}
        for folder, files in self._index.query(query, (str(media),)):
            with contextlib.suppress(ValueError):  # the index is damaged
                found |= {os.path.join(str(folder), name): state for name, state in json.loads(str(files)).items()}
        return found

    def note(self, media: Path, digest: str, plan: str, published: PublishedFiles, keys: Mapping[str, str]) -> None:
        """Record what was published; nothing if a file that the user edited was kept."""
        if published.edited:
            return
        files = [*(os.path.relpath(path, published.folder) for path in published.files), JOB]
        states = {name: state_of(f"{published.folder}/{name}") for name in files}
        row = {"media": str(media), "digest": digest, "plan": plan, "folder": str(published.folder)}
        self._index.put("receipts", {**row, "files": json.dumps(states), "keys": json.dumps(dict(keys))})


def state_of(path: str) -> list[int] | None:
    """Return a file's size and modification time; None if it does not exist."""
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast for a path that is text, and there are thousands
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
