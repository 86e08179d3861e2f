"""Tell which models of a project's cache are complete, and fetch the others.

A model is complete if it has every file of the lock with its size (the quick check, which takes milliseconds at every
start) and its sha256 (the deep check, after a fetch and on demand). A folder that exists proves nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.base import events
from pipeline.base.errors import Missing, ReelError, UsageError
from pipeline.base.events import Emit
from pipeline.base.secret_file import Token
from pipeline.model_cache.fetch import FetchRequest, fetch_from, no_token
from pipeline.model_cache.fetch.errors import FetchError, disk_error
from pipeline.model_cache.fetch.pieces import fetched_bytes
from pipeline.model_cache.fetch.retry_policy import DEFAULT_POLICY, RetryPolicy
from pipeline.model_cache.fetch_lock import FETCH_LOCK, MARK
from pipeline.model_cache.layout import Layout, layout_of
from pipeline.model_cache.manifest import UNKNOWN, LockedFile, LockedModel, Model
from pipeline.model_cache.overlay import Overlay
from pipeline.model_cache.selection import model_hint, with_needs
from shared.files import sha256_of

_NO_OVERLAY = Overlay()
_SPARE = 1.05  # times the missing bytes must be free


class ModelCache:
    """Models by name. `hub` is the address of the model hub; `token` returns the user's token for it."""

    def __init__(
        self, cache: Path, models: Mapping[str, Model], locked: Mapping[str, LockedModel], hub: str,
        token: Callable[[], Token | None] = no_token, policy: RetryPolicy = DEFAULT_POLICY,
        overlay: Overlay = _NO_OVERLAY,
    ) -> None:  # fmt: skip
        self._cache, self.models, self.locked, self.hub = cache, models, locked, hub
        self.token, self.policy, self.overlay = token, policy, overlay

    def with_locked(self, more: Mapping[str, LockedModel]) -> ModelCache:
        """Return a copy of the cache with these entries in its lock."""
        locked = {**self.locked, **more}
        return ModelCache(self._cache, self.models, locked, self.hub, self.token, self.policy, self.overlay)

    @property
    def folder(self) -> Path:
        """Return the folder of the cache."""
        return self._cache

    def snapshot(self, name: str) -> Path:
        """Return the folder of a model's files, which a stage gets."""
        return self._layout(name).snapshot

    def digest(self, name: str) -> str:
        """Return a model's part of a result key: a digest of its bytes and of those of the models that it needs."""
        self._entry(name)
        digests = [self._entry(model).digest for model in with_needs([name], self.models)]
        return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def problem(self, name: str) -> str | None:
        """Return the first missing or wrong part of a model, by names and sizes; None if it is complete."""
        return next(self.problems(name), None)

    def problems(self, name: str) -> Iterator[str]:
        """Yield everything that is missing or wrong in a model, each file by its path."""
        entry = self._entry(name)
        snapshot = self._layout(name).snapshot
        if conflict := self.overlay.conflicts.get(name):
            yield conflict
            return
        if not entry.resolved:
            yield f"the lock does not know {_unknown_of(entry)}, which belong in {snapshot}"
            return
        for file, locked in entry.files.items():
            place = snapshot / file
            try:
                size = place.stat().st_size
            except OSError:
                yield f"{place} is not there"
                continue
            if size != locked.size:
                yield f"{place} has {size} bytes, expected {locked.size}"

    def unresolved(self, name: str) -> str:
        """Return the sentence about a model whose bytes are not known."""
        return f"the model {name} cannot be fetched: the lock does not know {_unknown_of(self._entry(name))}"

    def conflict(self, name: str) -> Missing | None:
        """Return the error for a model on which two locks disagree; None if they agree."""
        if name not in self.overlay.conflicts:
            return None
        return Missing(
            "model.lock-conflict",
            f"the model {name} is not used: {self.overlay.conflicts[name]}",
            hint=f"`./reel models lock {name} --drop` forgets what was locked here, and the shipped lock counts",
        )

    def without_network(self, name: str) -> Missing:
        """Return the error for an incomplete model where the settings forbid the network."""
        return self._missing(name, "the setting `offline` forbids fetching it")

    def incomplete(self, names: Iterable[str]) -> dict[str, str]:
        """Return the incomplete models, with the reason for each."""
        return {name: problem for name in names if (problem := self.problem(name))}

    def incomplete_with_needs(self, names: Iterable[str]) -> list[str]:
        """Return the models that are incomplete, or that need an incomplete model."""
        incomplete = self.incomplete(self.models)
        return [name for name in names if not incomplete.keys().isdisjoint(with_needs([name], self.models))]

    def missing_bytes(self, names: Iterable[str]) -> int:
        """Return the number of bytes that a fetch of these models would download."""
        return sum(self._still_missing(name) for name in names if self.problem(name))

    def free_bytes(self) -> int:
        """Return the free space of the cache's disk."""
        return shutil.disk_usage(next(path for path in (self._cache, *self._cache.parents) if path.exists())).free

    def check_space(self, names: Iterable[str]) -> None:
        """Raise `Missing` when the disk has no room for all of these together."""
        missing, free = self.missing_bytes(names), self.free_bytes()
        if free < missing * _SPARE:
            raise Missing(
                "model.no-space",
                f"{missing * _SPARE / 1e6:.0f} MB are needed, and {self._cache} has {free / 1e6:.0f} MB free",
                hint="free some space, fetch fewer models, or move the cache with the setting `cache_dir`",
            )

    def fetch(self, name: str, emit: Emit, *, offline: bool = False) -> None:
        """Make the model complete. Raises `Missing` with the answer of each source."""
        if not self.problem(name):
            return
        layout, locked = self._layout(name), self._entry(name)
        if conflict := self.conflict(name):
            raise conflict
        if not locked.resolved:
            raise Missing(
                "model.unresolved", self.unresolved(name), hint=f"with a network, run `./reel models lock {name}`"
            )
        if offline:
            raise self.without_network(name)
        try:
            (layout.root / "blobs").mkdir(parents=True, exist_ok=True)
            with self._fetch_lock(layout, name, emit):
                if not self.problem(name):  # another process fetched it while we waited
                    return
                started = time.monotonic()
                emit(events.SetupStarted(f"model {name}", self._still_missing(name)))
                try:
                    self.check_space([name])
                    self._fetch_files(name, layout, locked, emit)
                except ReelError as failure:
                    emit(events.SetupFailed(f"model {name}", failure.code))
                    raise
                emit(events.SetupFinished(f"model {name}", time.monotonic() - started))
        except OSError as error:
            refused = disk_error(error, layout.root)
            raise self._missing(name, str(refused), refused) from error

    @contextlib.contextmanager
    def _fetch_lock(self, layout: Layout, name: str, emit: Emit) -> Iterator[None]:
        """Hold the fetch lock of a model. A second process waits for the same bytes instead of fetching them again."""
        lock = FileLock(layout.root / FETCH_LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            emit(events.Notice(None, None, f"another process is fetching model {name}; waiting for it"))
            lock.acquire()
        try:
            (layout.root / MARK).touch()
            yield
        finally:
            lock.release()

    def _fetch_files(self, name: str, layout: Layout, locked: LockedModel, emit: Emit) -> None:
        model, refusals = self.models[name], []
        for source in model.sources:
            wanted = {file: entry for file, entry in locked.files.items() if not _has_correct_blob(layout, entry)}
            request = FetchRequest(
                name, self.hub, locked, layout, wanted, self._cache, emit, model.gated, self.token, self.policy
            )
            try:
                fetch_from(source, request)
                break
            except FetchError as failure:
                refusals.append((source.kind, failure))
        else:
            reasons = "; ".join(f"{kind}: {failure}" for kind, failure in refusals)
            raise self._missing(name, reasons, refusals[0][1] if refusals else None)
        for file, entry in locked.files.items():
            layout.link(file, entry.sha256)
        layout.write_reference()

    def _still_missing(self, name: str) -> int:
        """Return the number of bytes that no earlier attempt has fetched."""
        layout = self._layout(name)
        return sum(
            max(0, file.size - max(_size(layout.blob(file.sha256)), fetched_bytes(layout.partial(file.sha256))))
            for file in self._entry(name).files.values()
        )

    def _missing(self, name: str, why: str, refused: FetchError | None = None) -> Missing:
        """Return the error for an incomplete model. `refused` is the answer of the first source, whose code and hint
        the error gets; `why` names the answers of all sources."""
        cause = refused or FetchError("model.missing", why)
        problem = self.problem(name) or "it is incomplete"
        command = f"run `./reel models fetch {name}`"
        return Missing(
            cause.code,
            f"the model {name}{_for(self.models[name])} is not complete: {problem}; {why}",
            hint=f"{cause.hint}; then {command}" if cause.hint else command,
        )

    def _entry(self, name: str) -> LockedModel:
        if name in self.locked and name in self.models:
            return self.locked[name]
        raise UsageError("model.unknown", f"there is no model `{name}`", hint=model_hint(name, self.models))

    def _layout(self, name: str) -> Layout:
        return layout_of(self._cache, name, self._entry(name))


class ModelDigests(Mapping[str, str]):
    """The digest of each model of a cache under its present lock: a model may be locked during a run."""

    def __init__(self, cache: ModelCache) -> None:
        self._cache = cache

    def __getitem__(self, name: str) -> str:
        if name not in self._cache.models:
            raise KeyError(name)
        return self._cache.digest(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._cache.models)

    def __len__(self) -> int:
        return len(self._cache.models)


def _for(model: Model) -> str:
    return f" for {' and '.join(model.stages)}" if model.stages else ""


def _unknown_of(locked: LockedModel) -> str:
    if locked.revision == UNKNOWN:
        return "its revision"
    return f"the bytes of {len(locked.unknown)} of its files" if locked.unknown else "its files"


def _has_correct_blob(layout: Layout, file: LockedFile) -> bool:
    """Tell whether the blob is there and correct. A wrong blob is deleted, so that it cannot pass for the file."""
    blob = layout.blob(file.sha256)
    if not blob.is_file():
        return False
    if blob.stat().st_size == file.size and sha256_of(blob) == file.sha256:
        return True
    blob.unlink()
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
