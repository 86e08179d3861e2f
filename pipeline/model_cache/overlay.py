"""The overlay of the shipped lock: the models that this machine has locked by itself, in a folder that git ignores.

An entry is used as long as the shipped lock does not know all bytes of the model. A later release may lock the model
too. If it states the same facts, they replace the entry. Other facts are a conflict, and the model is not used until
the user decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import ValidationError

from pipeline.base.errors import Missing, UsageError
from pipeline.model_cache.facts import differences, files_of, in_words, sure_facts
from pipeline.model_cache.manifest import UNKNOWN, LockedFile, LockedModel
from shared.documents.base import Document, Frozen
from shared.files import write_atomically
from shared.mistakes import first_mistake

FILE = "locked-here.json"
Origin = Literal["shipped", "here"]


class LocalEntry(Frozen):
    """The bytes of one model as a hub stated them to this machine.

    `instead_of` is the shipped revision that the user replaced by this one.
    """

    hub: str
    instead_of: str | None = None
    repo: str | None = None
    revision: str
    files: dict[str, LockedFile]

    @property
    def locked(self) -> LockedModel:
        """Return the entry in the form of the lock."""
        return LockedModel(repo=self.repo, revision=self.revision, files=self.files)


class LocalLockFile(Document):
    """Content of `locked-here.json`."""

    models: dict[str, LocalEntry] = {}


@dataclass(frozen=True)
class Overlay:
    """The overlay of one project.

    `names` are the models that this machine has locked; `conflicts` describes, by model, how two locks differ.
    `refused` says why no further model may be locked at first use, and is empty if it may. `accepts_code` are patterns
    of models whose own Python code is accepted without a question.
    """

    folder: Path | None = None
    shipped: Mapping[str, LockedModel] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    conflicts: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    accepts_code: tuple[str, ...] = ()

    def knows(self, name: str) -> bool:
        """Tell whether one of the two locks knew a model's bytes when the overlay was read."""
        return name in self.names or (name in self.shipped and self.shipped[name].resolved)

    def origin(self, name: str) -> Origin:
        """Return which lock a model's facts are from."""
        return "here" if name in self.names else "shipped"


def read_overlay(folder: Path) -> dict[str, LocalEntry]:
    """Return the entries of a folder's overlay, which may be missing. Raises `UsageError`."""
    path = folder / FILE
    try:
        return LocalLockFile.model_validate_json(path.read_bytes()).models
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError("models.here", f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise UsageError(
            "models.here", f"{path} cannot be read: {first_mistake(error)}",
            hint=f"delete {path}; the next fetch locks its models again",
        ) from error  # fmt: skip


def update_overlay(folder: Path, changes: Mapping[str, LocalEntry | None]) -> None:
    """Write entries to the overlay of a folder, and remove those that are None. Two processes may do so at the same
    time. Raises `Missing` if the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{FILE}.lock"):
            entries: dict[str, LocalEntry | None] = {**read_overlay(folder), **changes}
            kept = {name: entry for name, entry in sorted(entries.items()) if entry}
            write_atomically(folder / FILE, LocalLockFile(models=kept).as_text().encode())
    except OSError as error:
        raise Missing(
            "models.unwritable", f"{folder / FILE} cannot be written: {error.strerror or error}",
            hint="make the folder writable, or name another one with the setting `own_models_dir`",
        ) from error  # fmt: skip


def apply_overlay(
    shipped: Mapping[str, LockedModel], here: Mapping[str, LocalEntry]
) -> tuple[dict[str, LockedModel], frozenset[str], dict[str, str]]:
    """Return the merged lock, the names of the models that this machine has locked, and the conflicts by name."""
    locked, names, conflicts = dict(shipped), set[str](), dict[str, str]()
    for name, entry in here.items():
        if name not in shipped or shipped[name].repo != entry.repo:
            continue  # the shipped manifest no longer has the model, or has it from another repository
        if conflict := _conflict(name, shipped[name], entry):
            conflicts[name] = conflict
        elif _counts(shipped[name], entry):
            locked[name] = entry.locked
            names.add(name)
    return locked, frozenset(names), conflicts


def _conflict(name: str, shipped: LockedModel, entry: LocalEntry) -> str | None:
    """Return how the two differ, if they contradict each other."""
    if shipped.revision == UNKNOWN or entry.instead_of == shipped.revision:
        return None
    if shipped.revision != entry.revision:
        return (
            f"the shipped lock has {name} at the revision {shipped.revision},"
            f" and it was locked here at {entry.revision}, as {entry.hub} stated it"
        )
    for file, shipped_file, local_file in differences(shipped, entry.locked):
        if local_file is not None:
            return (
                f"the shipped lock states {in_words(shipped_file)} for {file} of {name} at {shipped.revision[:12]},"
                f" and it was locked here with {in_words(local_file)}, as {entry.hub} stated it"
            )
    return None


def _counts(shipped: LockedModel, entry: LocalEntry) -> bool:
    """Tell whether the entry knows more than the shipped lock, and has every file that the shipped lock is certain
    of."""
    if entry.instead_of == shipped.revision:
        return True
    if shipped.resolved:
        return False
    certain = {file for file, facts in files_of(shipped).items() if any(fact is not None for fact in sure_facts(facts))}
    return certain <= set(entry.files)
