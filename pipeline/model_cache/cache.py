"""The cache of one project: which models are whole, and how the others get there.

Whole means: every file of the lock is there with its size (the quick check, milliseconds, at every start) and its
sha256 (the deep check, after a fetch and on demand). A folder that exists proves nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from pipeline import events
from pipeline.environments import Emit
from pipeline.errors import Missing, UsageError
from pipeline.model_cache.layout import Layout, layout_of
from pipeline.model_cache.manifest import LockedModel, Model
from pipeline.model_cache.sources import SourceFailed, Want, fetch_from
from shared.files import sha256_of

_SPARE = 1.05  # what must be free beyond the bytes that are missing


class ModelCache:
    """Models by name. `hub` is the address of the model hub."""

    def __init__(self, cache: Path, models: Mapping[str, Model], locked: Mapping[str, LockedModel], hub: str) -> None:
        self._cache, self.models, self.locked, self._hub = cache, models, locked, hub

    def snapshot(self, name: str) -> Path:
        """The folder of a model's files, for a stage."""
        return self._layout(name).snapshot

    def digest(self, name: str) -> str:
        """What a result's key holds of a model."""
        return self._entry(name).digest

    def problem(self, name: str) -> str | None:
        """What keeps a model from being whole, by names and sizes; None when it is."""
        layout = self._layout(name)
        for file, locked in self._entry(name).files.items():
            place = layout.snapshot / file
            try:
                size = place.stat().st_size
            except OSError:
                return f"{place} is not there"
            if size != locked.size:
                return f"{place} has {size} bytes, expected {locked.size}"
        return None

    def incomplete(self, names: Iterable[str]) -> dict[str, str]:
        """Those of the models that are not whole, with what is wrong."""
        return {name: problem for name in names if (problem := self.problem(name))}

    def verify(self, name: str) -> list[str]:
        """Every file of a model against its sha256; what is wrong, one sentence each."""
        layout, files = self._layout(name), self._entry(name).files

        def wrong(file: str) -> str | None:
            place = layout.snapshot / file
            if not place.is_file():
                return f"{place} is not there"
            found = sha256_of(place)
            return None if found == files[file].sha256 else f"{place} has sha256 {found}, expected {files[file].sha256}"

        with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter's lock alone
            return [problem for problem in pool.map(wrong, files) if problem]

    def discard(self, name: str) -> None:
        """Drop a model's files whose content is wrong, so that a fetch brings them again."""
        layout = self._layout(name)
        for file, locked in self._entry(name).files.items():
            place = layout.snapshot / file
            if place.is_file() and sha256_of(place) != locked.sha256:
                place.unlink()
                layout.blob(locked.sha256).unlink(missing_ok=True)

    def missing_bytes(self, names: Iterable[str]) -> int:
        """How much a fetch of these would bring at most."""
        return sum(self._entry(name).size for name in names if self.problem(name))

    def fetch(self, name: str, emit: Emit, *, offline: bool = False) -> None:
        """Have the model whole. Raises `Missing` with what each source said."""
        if not self.problem(name):
            return
        layout, locked = self._layout(name), self._entry(name)
        if offline:
            raise self._missing(name, "the setting `offline` forbids to fetch it", "./reel models fetch")
        (layout.root / "blobs").mkdir(parents=True, exist_ok=True)
        with FileLock(layout.root / "fetch.lock"):
            if not self.problem(name):  # somebody else has fetched it while we waited
                return
            started = time.monotonic()
            emit(events.SetupStarted(f"model {name}", locked.size))
            self._check_space(name, locked.size)
            self._fetch_files(name, layout, locked, emit)
            emit(events.SetupFinished(f"model {name}", time.monotonic() - started))

    def _fetch_files(self, name: str, layout: Layout, locked: LockedModel, emit: Emit) -> None:
        wanted = {
            file: entry for file, entry in locked.files.items() if not _is_good(layout.blob(entry.sha256), entry.sha256)
        }
        refusals = []
        for source in self.models[name].sources:
            want = Want(name, self._hub, locked, layout, wanted, self._cache, emit)
            try:
                fetch_from(source, want)
                break
            except SourceFailed as failure:
                refusals.append(f"{source.kind}: {failure}")
        else:
            raise self._missing(name, "; ".join(refusals), "./reel models fetch")
        for file, entry in locked.files.items():
            layout.link(file, entry.sha256)
        layout.write_reference()

    def _check_space(self, name: str, size: int) -> None:
        free = shutil.disk_usage(self._cache).free
        if free < size * _SPARE:
            raise self._missing(
                name, f"it needs {size * _SPARE / 1e6:.0f} MB and {self._cache} has {free / 1e6:.0f} MB free",
                "free some space, then run ./reel models fetch",
            )  # fmt: skip

    def _missing(self, name: str, why: str, command: str) -> Missing:
        problem = self.problem(name) or "it is incomplete"
        return Missing(
            "model.missing", f"the model {name} is not complete: {problem}; {why}", hint=f"run `{command} {name}`"
        )

    def _entry(self, name: str) -> LockedModel:
        if name in self.locked and name in self.models:
            return self.locked[name]
        raise UsageError(
            "model.unknown", f"there is no model `{name}`", hint=f"the models are {', '.join(self.models)}"
        )

    def _layout(self, name: str) -> Layout:
        return layout_of(self._cache, name, self._entry(name))


def _is_good(blob: Path, sha256: str) -> bool:
    return blob.is_file() and sha256_of(blob) == sha256
