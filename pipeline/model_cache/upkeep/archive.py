"""Export and import an archive with models, their lock, and the wheels of environments, for machines without a network.

    reel-archive.json       the table of contents
    config/models.toml      manifest and lock of the exporting checkout, for people
    config/models.lock.json
    blobs/<sha256>          files of models, each once
    wheels/<name>.whl       packages, if requested

An import trusts no part of the archive. The lock of the importing checkout decides which content is accepted, and the
locks of its environments which wheels. There is one exception: the facts of a model that this lock does not know
completely, and that the exporting machine locked at first use, are taken from the archive if they contradict nothing.
An import writes everything to a temporary folder, and moves it into place only if the whole archive is correct."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from pydantic import Field, ValidationError

from pipeline.base.errors import BadInput, Missing
from pipeline.environments.environments import wheel_folder
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.facts import differences
from pipeline.model_cache.fetch_lock import hold_fetch_locks
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import UNKNOWN, LockedModel, ModelLock
from pipeline.model_cache.overlay import LocalEntry, read_overlay
from pipeline.model_cache.upkeep import plain_tar
from pipeline.model_cache.upkeep.plain_tar import InvalidArchive
from pipeline.model_cache.upkeep.verify import Tick, wrong_with
from shared.copying import hash_stream
from shared.documents.base import Document, Frozen
from shared.files import sha256_of, try_link
from shared.mistakes import first_mistake

INDEX = "reel-archive.json"
_LOCK = "config/models.lock.json"
_MANIFEST = "config/models.toml"
_TEXT_BYTES = 16 << 20  # no index, manifest or lock is longer
_SPARE = 1.02
_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]+\.whl")
Part = tuple[tarfile.TarInfo, IO[bytes]]  # a file of an archive, and its bytes


class ArchivedWheel(Frozen):
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ArchiveIndex(Document):
    """`reel-archive.json`: the names of the models, the wheels by file name, and the facts about models that the
    exporting machine locked at first use."""

    models: tuple[str, ...]
    wheels: dict[str, ArchivedWheel] = {}
    here: dict[str, LocalEntry] = {}


@dataclass(frozen=True)
class Contents:
    """The content of an archive: models that are now complete, and the number of packages kept for environments."""

    models: tuple[str, ...]
    wheels: int
    bytes: int
    here: Mapping[str, LocalEntry] = field(default_factory=dict)  # facts that the importing machine did not have


Accepts = Callable[[Mapping[str, LockedModel]], None]
"""Called with models of which only the archive states the bytes; raises an error if they are not accepted."""


def export(
    target: Path, names: Sequence[str], models: ModelCache, config: Path, wheels: Sequence[Path], tick: Tick
) -> Contents:
    """Write the archive, which appears complete or not at all. Raises `Missing` if a model is not correct."""
    names, cache, locked = sorted(set(names)), models.folder, models.locked
    blobs = {
        entry.sha256: (name, layout_of(cache, name, locked[name]).snapshot / file, entry.size)
        for name in names
        for file, entry in locked[name].files.items()
    }
    listed = {
        wheel.name: ArchivedWheel(size=wheel.stat().st_size, sha256=sha256_of(wheel))
        for wheel in sorted(wheels, key=lambda wheel: wheel.name)
    }
    folder = models.overlay.folder
    own = {name: entry for name, entry in (read_overlay(folder) if folder else {}).items() if name in names}
    here = {name: entry for name, entry in own.items() if name in models.overlay.names}
    index = ArchiveIndex(models=tuple(names), wheels=listed, here=here)
    temporary = target.with_name(f".reel-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(temporary, "xb") as stream:
            with plain_tar.create(stream) as archive:
                plain_tar.add_bytes(archive, INDEX, _index_text(index).encode())
                plain_tar.add_bytes(archive, _MANIFEST, (config / "models.toml").read_bytes())
                plain_tar.add_bytes(archive, _LOCK, (config / "models.lock.json").read_bytes())
                for sha256, (name, place, size) in sorted(blobs.items()):
                    if _add(archive, f"blobs/{sha256}", place, size, tick) != sha256:
                        raise Missing(
                            "model.missing", f"the model {name} is not complete: {place} is not what the lock says",
                            hint=f"run `./reel models verify {name} --repair`",
                        )  # fmt: skip
                for wheel in sorted(wheels, key=lambda wheel: wheel.name):
                    _add(archive, f"wheels/{wheel.name}", wheel, listed[wheel.name].size, tick)
            stream.flush()
            os.fsync(stream.fileno())
            total = stream.tell()
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return Contents(tuple(names), len(listed), total)


def _index_text(index: ArchiveIndex) -> str:
    """Return the text of the index. Older releases can read it if no model was locked at first use."""
    return index.model_dump_json(indent=1, exclude=None if index.here else {"here"}) + "\n"


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, source: BinaryIO, tick: Tick) -> None:
        self._source, self._tick, self.digest = source, tick, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        piece = self._source.read(size)
        self.digest.update(piece)
        self._tick(len(piece))
        return piece


def _add(archive: tarfile.TarFile, name: str, place: Path, size: int, tick: Tick) -> str:
    """Add a file of the given size. Return its sha256, or an empty text if the file has another size."""
    with open(place, "rb") as stream:
        if os.fstat(stream.fileno()).st_size != size:
            return ""
        source = _Hashing(stream, tick)
        plain_tar.add(archive, name, size, source)
    return source.digest.hexdigest()


def import_archive(
    source: Path, cache: Path, locked: Mapping[str, LockedModel], allowed_wheels: Collection[str], tick: Tick,
    accepts: Accepts = lambda found: None,
) -> Contents:  # fmt: skip
    """Check every byte of the archive, then put its models and wheels into place.

    `allowed_wheels` are the digests in the environments' locks. Models that the lock here does not know are taken as
    the exporting machine locked them, if `accepts` raises nothing. Raises `BadInput`, and then nothing has changed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with (
            open(str(source), "rb") as stream,
            plain_tar.reading(stream) as members,
            tempfile.TemporaryDirectory(dir=cache, prefix="import-") as aside,
        ):
            return _Import(members, Path(aside), cache, locked, allowed_wheels, tick, accepts).run()
    except InvalidArchive as error:
        raise _refused(source, error) from error
    except OSError as error:
        if error.filename != str(source):
            raise
        raise BadInput("archive.unreadable", f"{source} cannot be read: {error.strerror}") from error


class OtherLock(InvalidArchive):
    """The archive is correct, but its models are not those of the lock here."""


def _refused(source: Path, error: InvalidArchive) -> BadInput:
    hint = "copy the archive again, or make a new one with `./reel models export`"
    if isinstance(error, OtherLock):
        hint = "use the same release of reel on both machines: its `config/models.lock.json` must be the same file"
    return BadInput("archive.refused", f"{source} is not imported: {error}; nothing was changed", hint=hint)


class _Import:
    """The import of one archive."""

    def __init__(
        self, members: Iterator[Part], aside: Path, cache: Path, locked: Mapping[str, LockedModel],
        allowed_wheels: Collection[str], tick: Tick, accepts: Accepts,
    ) -> None:  # fmt: skip
        self._members, self._aside, self._cache, self._locked = members, aside, cache, locked
        self._allowed_wheels, self._tick = allowed_wheels, tick
        self._accepts = accepts
        self._bytes = 0
        self._here: dict[str, LocalEntry] = {}

    def run(self) -> Contents:
        """Read and check the archive, then move its files into place."""
        index = self._read_index()
        self._accept_facts(index)
        wanted = self._wanted(index)
        self._check_space(sum(size for size, _ in wanted.values()))
        for member, content in self._members:
            if member.name == _LOCK:
                self._compare_locks(index, self._read_text(member, content))
            elif member.name != _MANIFEST:
                self._take(member, content, wanted)
        if wanted:
            raise InvalidArchive(f"it does not hold `{next(iter(wanted))}`")
        self._place(index)
        return Contents(index.models, len(index.wheels), self._bytes, self._here)

    def _read_index(self) -> ArchiveIndex:
        first, content = next(self._members, (None, None))
        if first is None or content is None or first.name != INDEX:
            raise InvalidArchive(f"it does not begin with `{INDEX}`")
        try:
            return ArchiveIndex.model_validate_json(self._read_text(first, content))
        except ValidationError as error:
            raise InvalidArchive(f"`{INDEX}`: {first_mistake(error)}") from error

    def _accept_facts(self, index: ArchiveIndex) -> None:
        """Use the facts of the exporting machine for models that the lock here does not know completely."""
        for name, entry in index.here.items():
            if name not in index.models or name not in self._locked or self._locked[name].resolved:
                continue
            known = self._locked[name]
            if known.repo != entry.repo or known.revision not in (UNKNOWN, entry.revision):
                raise OtherLock(f"it holds {name} at {entry.revision}, and the lock here has it at {known.revision}")
            if (contradiction := next(differences(known, entry.locked), None)) is not None:
                raise OtherLock(f"it contradicts the lock here about {contradiction[0]} of {name}")
            self._here[name] = entry
        found = {name: entry.locked for name, entry in self._here.items()}
        if found:
            self._accepts(found)
        self._locked = {**self._locked, **found}

    def _wanted(self, index: ArchiveIndex) -> dict[str, tuple[int, str]]:
        """Return size and sha256 of every member that the archive must hold, by its name, as the locks here state
        them."""
        wanted: dict[str, tuple[int, str]] = {}
        for name in index.models:
            if name not in self._locked:
                raise InvalidArchive(f"it holds the model {name[:80]!r}, which the lock here does not")
            for entry in self._locked[name].files.values():
                wanted[f"blobs/{entry.sha256}"] = entry.size, entry.sha256
        for name, wheel in index.wheels.items():
            if not _WHEEL.fullmatch(name):
                raise InvalidArchive(f"{name[:80]!r} is not the name of a wheel")
            if wheel.sha256 not in self._allowed_wheels:
                raise InvalidArchive(f"no lock of an environment here holds the wheel `{name}`")
            wanted[f"wheels/{name}"] = wheel.size, wheel.sha256
        return wanted

    def _read_text(self, member: tarfile.TarInfo, content: IO[bytes]) -> bytes:
        if member.size > _TEXT_BYTES:
            raise InvalidArchive(f"`{member.name}` has {member.size} bytes")
        return content.read()

    def _compare_locks(self, index: ArchiveIndex, text: bytes) -> None:
        """Raise a clearer error than a missing blob, if the two checkouts are of different releases."""
        try:
            exported = ModelLock.model_validate_json(text).models
        except ValidationError as error:
            raise InvalidArchive(f"its `{_LOCK}` is not a lock file") from error
        exported = {**exported, **{name: entry.locked for name, entry in index.here.items()}}
        for name in index.models:
            if name not in exported or exported[name].digest != self._locked[name].digest:
                raise OtherLock(f"it was made with another lock of the model {name} than the one here")

    def _take(self, member: tarfile.TarInfo, content: IO[bytes], wanted: dict[str, tuple[int, str]]) -> None:
        if member.name not in wanted:
            raise InvalidArchive(f"{member.name[:80]!r} does not belong in it, or stands in it twice")
        size, sha256 = wanted.pop(member.name)
        if member.size != size:
            raise InvalidArchive(f"`{member.name}` has {member.size} bytes, expected {size}")
        digest = hashlib.sha256()
        place = self._aside / member.name
        place.parent.mkdir(exist_ok=True)
        with open(place, "xb") as file:
            hash_stream(content, digest, file, self._tick)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != sha256:
            raise InvalidArchive(f"`{member.name}` has sha256 {digest.hexdigest()}, expected {sha256}")
        self._bytes += size

    def _check_space(self, size: int) -> None:
        free = shutil.disk_usage(self._cache).free
        if free < size * _SPARE:
            raise BadInput(
                "archive.no-space",
                f"the archive holds {size / 1e6:.0f} MB, and {self._cache} has {free / 1e6:.0f} MB free",
                hint="free some space, or choose another place with the setting `cache_dir`",
            )

    def _place(self, index: ArchiveIndex) -> None:
        layouts = {name: layout_of(self._cache, name, self._locked[name]) for name in index.models}
        with hold_fetch_locks(layout.root for layout in layouts.values()):
            for name, layout in layouts.items():
                for file, entry in self._locked[name].files.items():
                    blob = layout.blob(entry.sha256)
                    if wrong_with(blob, entry, lambda size: None):
                        _link(self._aside / "blobs" / entry.sha256, blob)
                    layout.link(file, entry.sha256)
                layout.write_reference()
        for wheel in index.wheels:
            _link(self._aside / "wheels" / wheel, wheel_folder(self._cache) / wheel)


def _link(source: Path, target: Path) -> None:
    """Put the file into place atomically, as a second name: two models may hold the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    if not try_link(source, temporary):
        shutil.copyfile(source, temporary)
    os.replace(temporary, target)
