"""Store results by key: objects named by content, a manifest for each result, and an index that can be rebuilt.

    objects/ab/ab12...        the content of a file under its sha256, never changed
    manifests/cd/cd34....json a result: the ingredients of its key, its files, the stage's facts
    history/<run>.json        an ended run: its steps and workers
    index.sqlite              the same facts for faster look-ups; see `pipeline.store.index`
    staging/                  the folders that steps write to; the owner empties it at its start and end
    lock                      locked by the one writer for as long as its process lives
    owner.json                names the writer; left behind if the last one was killed

A result is written in this order: objects, manifest, row. So no row lacks its objects, and a killed process leaves a
result that is either complete or not found. The next owner adds the row of a complete result that has none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Self

from pydantic import JsonValue, ValidationError

from pipeline.base.errors import ReelError
from pipeline.plan.result_key import InputDigests
from pipeline.store.contents import Contents, flush_folder
from pipeline.store.index import Index
from pipeline.store.index_file import OTHER_PLACE, index_error
from pipeline.store.media_file import MediaFile, identity_of, read_media
from pipeline.store.place import check_place, is_digest
from pipeline.store.store_lock import NOT_AT_ALL, Waiting, take_lock
from shared.documents.base import Document, DocumentError, Frozen
from shared.mistakes import first_mistake
from shared.stage import PROVISIONAL, Fact

_FORMERLY_PROVISIONAL = "makeshift"  # the fact `provisional` in results of earlier releases
_DISK_REFUSES = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
# A manifest ends with a checksum of its text, because its facts decide names and languages.
_CHECK, _CHECK_LENGTH, _END = b',\n "check": "', 16, b"\n}"


class StoredFile(Frozen):
    """File of a result, by its content. `name` is the one that the stage chose."""

    sha256: str
    size: int
    name: str


class ObjectDamaged(ReelError):
    """Error: the content of the stored `file` does not have its digest, so that no step may use it."""

    def __init__(self, code: str, message: str, *, hint: str, file: StoredFile) -> None:
        super().__init__(code, message, hint=hint)
        self.file = file


def object_damaged(file: StoredFile) -> ObjectDamaged:
    """Return the error for a stored file whose content has another digest than its own."""
    return ObjectDamaged(
        "results.content",
        f"the stored content of {file.name} is damaged: it does not have its digest {file.sha256[:12]}",
        hint="`./reel runs repair` removes damaged contents, and the next run makes them again",
        file=file,
    )


class StoredResult(Document):
    """Manifest of a result. Two runs of the same step write the same manifest, apart from times and memory."""

    key: str
    ingredients: dict[str, JsonValue]
    outputs: dict[str, StoredFile | tuple[StoredFile, ...] | None]
    facts: dict[str, Fact]
    warnings: tuple[str, ...]
    seconds: float
    cpu_s: float
    memory_mb: float | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the manifest and compare it with its checksum; manifests of earlier releases have none.

        Raises `DocumentError` if it is damaged.
        """
        body, mark, check = path.read_bytes().rpartition(_CHECK)
        if not mark:
            return super().read(path)
        if check[:_CHECK_LENGTH].decode(errors="replace") != _check_of(body):
            raise DocumentError(f"{path} is damaged: its content does not match its checksum")
        try:
            return cls.model_validate_json(body + _END)
        except ValidationError as error:
            raise DocumentError(f"{path} is not a {cls.__name__}: {first_mistake(error)}") from error

    def as_text(self) -> str:
        """Return the text of the file: the document with a checksum. Made by pydantic itself, which is faster than the
        base class, since there is a manifest for each step."""
        body = self.model_dump_json(indent=1).encode().removesuffix(_END)
        return f'{body.decode()}{_CHECK.decode()}{_check_of(body)}"\n}}\n'

    def digests(self, role: str) -> str | list[str] | None:
        """Return the digest or digests that a step with this input puts into its own key."""
        output = self.outputs[role]
        if output is None:
            return None
        return output.sha256 if isinstance(output, StoredFile) else [file.sha256 for file in output]

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """Return all files of the result."""
        found: list[StoredFile] = []
        for output in self.outputs.values():
            found += (output,) if isinstance(output, StoredFile) else (output or ())
        return tuple(found)

    @property
    def provisional(self) -> str:
        """Return why the step is to be done again although its result exists; empty for a permanent result."""
        return str(self.facts.get(PROVISIONAL) or self.facts.get(_FORMERLY_PROVISIONAL) or "")

    @property
    def row(self) -> dict[str, JsonValue]:
        """Return the result's row in the index."""
        return {
            "key": self.key,
            "stage": self.ingredients["stage"],
            "backend": self.ingredients["backend"],
            "bytes": sum(file.size for file in self.files),
            "seconds": self.seconds,
        }


class ResultStore:
    """Result store in one folder. `open_for_writing` makes this process its one writer; reading needs no lock."""

    def __init__(self, root: Path, index_folder: Path | None = None) -> None:
        self.root = root
        self.contents = Contents(root / "objects")
        self._manifests = str(root / "manifests")  # as text, which is joined faster
        self.index = Index((index_folder or root) / "index.sqlite")

    @property
    def history(self) -> Path:
        """Return the folder with the files of ended runs."""
        return self.root / "history"

    @contextlib.contextmanager
    def open_for_writing(self, purpose: str, waiting: Waiting = NOT_AT_ALL, *, checked: bool = False) -> Iterator[None]:
        """Hold the store's lock for the duration of the block.

        A damaged index is rebuilt; with `checked`, and after a killed owner, all of it is read to find damage. Raises
        `UsageError` if the folder is a user's and not a store, `Locked` if another process holds the store for longer
        than `waiting` allows, and `ReelError` if the disk refuses to write or the index is damaged during the block.
        """
        owner = self.root / "owner.json"
        try:
            check_place(self.root)
            self.root.mkdir(parents=True, exist_ok=True)
            lock = take_lock(self.root / "lock", waiting, self._owner)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            cut_off = owner.exists()
            # For people, and to tell the next owner whether this one was killed. It need not survive a loss of power.
            owner.write_text(
                json.dumps({"pid": os.getpid(), "host": platform.node(), "does": purpose}), encoding="utf-8"
            )
            self._sweep()
            with self.index.open_for_writing(self.refill, checked=checked or cut_off):
                if cut_off:
                    self._adopt()
                yield
            owner.unlink(missing_ok=True)
        except sqlite3.DatabaseError as error:
            raise index_error(self.index.file, error) from error
        except OSError as error:
            if error.errno in _DISK_REFUSES or str(error.filename).startswith(f"{self.root}{os.sep}"):
                raise self._unwritable(error) from error
            raise
        finally:
            self._sweep()  # an interrupted step may have left a film there
            lock.release()

    def _sweep(self) -> None:
        staging = self.root / "staging"
        shutil.rmtree(staging, ignore_errors=True)
        if not staging.is_dir():
            staging.unlink(missing_ok=True)  # the user has put a file in its place

    def refill(self, index: Index) -> None:
        """Fill an empty index with everything that the files of the store record."""
        for path in self.manifests():
            with contextlib.suppress(OSError, DocumentError):
                index.put("results", StoredResult.read(path).row)
        for file in sorted(self.history.glob("*.json")):
            index.read_run(file)

    def manifests(self) -> list[Path]:
        """Return the manifest of every result, complete or not."""
        return sorted(path for path in Path(self._manifests).glob("*/*.json") if is_digest(path.stem))

    def _adopt(self) -> None:
        """Align the rows with the manifests: the last owner may have been killed between writing the two."""
        known = {str(row[0]) for row in self.index.query("SELECT key FROM results")}
        written = {path.stem: path for path in self.manifests()}
        with self.index.one_write():
            for key in written.keys() - known:
                with contextlib.suppress(OSError, DocumentError):
                    self.index.put("results", StoredResult.read(written[key]).row)
            for key in known - written.keys():
                self.index.execute("DELETE FROM results WHERE key = ?", (key,))

    def lookup(self, key: str) -> StoredResult | None:
        """Return the result if its manifest and all of its objects exist and are complete."""
        try:
            result = StoredResult.read(self._manifest(key))
        except (OSError, DocumentError):
            return None
        if result.key != key or not all(self._is_complete(file) for file in result.files):
            return None
        return result

    def reusable(self, key: str) -> StoredResult | None:
        """Return the result as `lookup` does, unless it is provisional."""
        found = self.lookup(key)
        return None if found and found.provisional else found

    def manifest(self, key: str) -> StoredResult | None:
        """Return the manifest of a result, even if its objects are gone. A key from a record may be any text."""
        try:
            return StoredResult.read(self._manifest(key)) if is_digest(key) else None
        except (OSError, DocumentError):
            return None

    def ingredients(self, key: str) -> dict[str, JsonValue] | None:
        """Return the ingredients of a result's key, even if its objects are gone."""
        found = self.manifest(key)
        return found.ingredients if found else None

    def path(self, file: StoredFile) -> Path:
        """Return the path of a stored file's content; read it, never change it."""
        return self.object_path(file.sha256)

    def object_path(self, sha256: str) -> Path:
        """Return the path of the content with this digest."""
        return self.contents.path(sha256)

    def make_staging(self, name: str) -> Path:
        """Create an empty folder for a step to write into, on the store's own disk."""
        folder = self.root / "staging" / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:  # of an earlier attempt
            shutil.rmtree(folder)
            folder.mkdir()
        return folder

    def take_in(self, path: Path) -> StoredFile:
        """Move a file into the store. Its content is on the disk when this returns."""
        digest, size = self.contents.take_in(path)
        return StoredFile(sha256=digest, size=size, name=path.name)

    def keep(self, content: bytes) -> None:
        """Add a content to the store, where `as_input` finds it by its digest."""
        if not self.object_path(hashlib.sha256(content).hexdigest()).exists():
            temporary = self.make_staging(f"keep-{os.getpid()}") / "content"
            temporary.write_bytes(content)
            self.take_in(temporary)
            temporary.parent.rmdir()

    def write_manifest(self, result: StoredResult) -> None:
        """Write the manifest of a result, so that it can be found.

        Its objects must be in the store. Waits for the disk: any thread may do it.
        """
        path = self._manifest(result.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        result.write(path)
        flush_folder(path.parent)

    def note(self, result: StoredResult) -> None:
        """Add the row of a written result to the index."""
        self.index.put("results", result.row)
        self.contents.noted(file.sha256 for file in result.files)

    def media(self, path: Path) -> MediaFile:
        """Return a user's file with its digest, which is remembered by the file's status.

        Raises `OSError`, and `MediaChanged` if the file changes while it is read.
        """
        known = self.known_media(path)
        if known is None:
            known = read_media(path)
            self.remember(known)
        return known

    def known_media(self, path: Path) -> MediaFile | None:
        """Return a user's file with its remembered digest; None if its status is not known. Raises `OSError`."""
        identity = identity_of(path.stat())
        wanted = "SELECT sha256 FROM media WHERE device = ? AND inode = ? AND size = ? AND modified_ns = ?"
        for row in self.index.query(f"{wanted} AND changed_ns = ?", astuple(identity)):
            return MediaFile(path, str(row[0]), identity, settled=True)
        return None

    def remember(self, media: MediaFile) -> None:
        """Remember the digest of a user's file, unless it changed just now: it may change again within the same time
        stamp."""
        if self.index.is_open and media.settled:
            self.index.put("media", {**asdict(media.identity), "sha256": media.digest})

    def one_write(self, *, wait: bool = True) -> contextlib.AbstractContextManager[None]:
        """Combine all writes of the block to the index; see `Index.one_write`."""
        return self.index.one_write(wait=wait)

    def _manifest(self, key: str) -> Path:
        return Path(f"{self._manifests}/{key[:2]}/{key}.json")

    def _is_complete(self, file: StoredFile) -> bool:
        try:
            return self.path(file).stat().st_size == file.size
        except OSError:
            return False

    def _unwritable(self, error: OSError) -> ReelError:
        why = error.strerror or str(error)
        if (place := error.filename2 or error.filename) and str(place) != str(self.root):
            why = f"{why}: {place}"
        what = f"the result store {self.root} cannot be written: {why}"
        return ReelError("results.unwritable", what, hint=OTHER_PLACE)

    def _owner(self) -> str:
        try:
            owner = json.loads((self.root / "owner.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "an unknown process"
        elsewhere = f" on {owner.get('host')}" if owner.get("host") not in {None, platform.node()} else ""
        return f"`{owner.get('does')}`, process {owner.get('pid')}{elsewhere}"


def _check_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:_CHECK_LENGTH]


def as_input(digests: InputDigests, store: ResultStore, media: Mapping[str, Path]) -> dict[str, str | list[str] | None]:
    """Return paths that a worker can open, for digests of inputs. `media` maps digests to the user's own files."""

    def place(digest: str) -> str:
        return str(media.get(digest) or store.object_path(digest))

    return {
        role: None if value is None else place(value) if isinstance(value, str) else [place(item) for item in value]
        for role, value in digests.items()
    }
