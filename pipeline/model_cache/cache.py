"""The cache of one project: which models are complete, and how to get the others. Complete means: every file of the
lock is there with its size (the quick check, milliseconds, at every start) and its sha256 (the deep check, after a
fetch and on demand). A folder that exists proves nothing."""

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
from pipeline.model_cache.fetch import Want, fetch_from, no_token
from pipeline.model_cache.fetch.errors import SourceFailed, disk_refusal, refusal
from pipeline.model_cache.fetch.pieces import fetched_bytes
from pipeline.model_cache.fetch.retry_policy import PATIENCE, Patience
from pipeline.model_cache.layout import Layout, layout_of
from pipeline.model_cache.locked_here import Overlay
from pipeline.model_cache.manifest import UNKNOWN, LockedFile, LockedModel, Model
from pipeline.model_cache.selection import model_hint, with_needs
from shared.files import sha256_of

_NO_OVERLAY = Overlay()
_SPARE = 1.05  # what must be free beyond the bytes that are missing


class ModelCache:
    """Models by name. `hub` is the address of the model hub, `token` finds the user's token for it when asked."""

    def __init__(
        self, cache: Path, models: Mapping[str, Model], locked: Mapping[str, LockedModel], hub: str,
        token: Callable[[], Token | None] = no_token, patience: Patience = PATIENCE, overlay: Overlay = _NO_OVERLAY,
    ) -> None:  # fmt: skip
        self._cache, self.models, self.locked, self.hub = cache, models, locked, hub
        self.token, self.patience, self.overlay = token, patience, overlay

    def knowing(self, more: Mapping[str, LockedModel]) -> ModelCache:
        """Return the cache as it is with these entries in its lock."""
        locked = {**self.locked, **more}
        return ModelCache(self._cache, self.models, locked, self.hub, self.token, self.patience, self.overlay)

    @property
    def folder(self) -> Path:
        """The one cache's folder."""
        return self._cache

    def snapshot(self, name: str) -> Path:
        """The folder of a model's files, for a stage."""
        return self._layout(name).snapshot

    def digest(self, name: str) -> str:
        """Return a model's part of a result key: a digest of its bytes and of those of the models that it needs."""
        self._entry(name)
        digests = [self._entry(model).digest for model in with_needs([name], self.models)]
        return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def problem(self, name: str) -> str | None:
        """Return what is first found missing or wrong in a model, by names and sizes; None when it is complete."""
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
        """Return the error for a model of which two locks say different things; None if they do not."""
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

    def lacking(self, names: Iterable[str]) -> list[str]:
        """Return the models that are incomplete, or need an incomplete one."""
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
        """Ensure that the model is complete. Raises `Missing` with the answer of each source."""
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
            with self._alone(layout, name, emit):
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
            refused = disk_refusal(error, layout.root)
            raise self._missing(name, str(refused), refused) from error

    @contextlib.contextmanager
    def _alone(self, layout: Layout, name: str, emit: Emit) -> Iterator[None]:
        """One process fetches a model; a second one waits for the same bytes instead of asking for them again."""
        lock = FileLock(layout.root / "fetch.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            emit(events.Notice(None, None, f"another process is fetching model {name}; waiting for it"))
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _fetch_files(self, name: str, layout: Layout, locked: LockedModel, emit: Emit) -> None:
        model, refusals = self.models[name], []
        for source in model.sources:
            wanted = {file: entry for file, entry in locked.files.items() if not _keep_if_good(layout, entry)}
            want = Want(
                name, self.hub, locked, layout, wanted, self._cache, emit, model.gated, self.token, self.patience
            )
            try:
                fetch_from(source, want)
                break
            except SourceFailed as failure:
                refusals.append((source.kind, failure))
        else:
            reasons = "; ".join(f"{kind}: {failure}" for kind, failure in refusals)
            raise self._missing(name, reasons, refusals[0][1] if refusals else None)
        for file, entry in locked.files.items():
            layout.link(file, entry.sha256)
        layout.write_reference()

    def _still_missing(self, name: str) -> int:
        """Bytes that no earlier attempt has brought."""
        layout = self._layout(name)
        return sum(
            max(0, file.size - max(_size(layout.blob(file.sha256)), fetched_bytes(layout.partial(file.sha256))))
            for file in self._entry(name).files.values()
        )

    def _missing(self, name: str, why: str, refused: SourceFailed | None = None) -> Missing:
        """`refused` is the first source's answer: what it names is the cause, what the others say is told as well."""
        cause = refused or refusal("model.missing", why)
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
    """The digest of each model of a cache, as its lock is now: a model may be locked in the middle of a run."""

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


def _keep_if_good(layout: Layout, file: LockedFile) -> bool:
    """Return whether the blob is there and correct. A wrong blob is deleted, so that it cannot pass for the file."""
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
