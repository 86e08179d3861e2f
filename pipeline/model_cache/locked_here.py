"""The overlay of the shipped lock: what this machine has locked by itself, in a folder that git does not know.

An entry counts where the shipped lock does not know all bytes of the model. The shipped lock may learn them later: the
same facts take the place of the entry. Other facts are a conflict, and the model is not used until a user decides it.
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


class EntryHere(Frozen):
    """One model's bytes as a hub stated them to this machine.

    `instead_of` is the shipped revision that a user gave up for this one.
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


class LockedHere(Document):
    """`locked-here.json`."""

    models: dict[str, EntryHere] = {}


@dataclass(frozen=True)
class Overlay:
    """The overlay of one project, laid over the shipped lock.

    `names` are the models whose facts are from here, `conflicts` says of a model what the two locks state. `refused`
    says why no further model may be locked at first use; it is empty if one may. `accepts_code` are patterns of models
    whose own Python code needs no further question.
    """

    folder: Path | None = None
    shipped: Mapping[str, LockedModel] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    conflicts: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    accepts_code: tuple[str, ...] = ()

    def knows(self, name: str) -> bool:
        """Tell whether a model's bytes were known when the overlay was read, from one lock or the other."""
        return name in self.names or (name in self.shipped and self.shipped[name].resolved)

    def origin(self, name: str) -> Origin:
        """Return where a model's facts are from."""
        return "here" if name in self.names else "shipped"


def read_here(folder: Path) -> dict[str, EntryHere]:
    """Return the entries of a folder; none where it holds no overlay. Raises `UsageError`."""
    path = folder / FILE
    try:
        return LockedHere.model_validate_json(path.read_bytes()).models
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError("models.here", f"{path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise UsageError(
            "models.here", f"{path} cannot be read: {first_mistake(error)}",
            hint=f"delete {path}; the next fetch locks its models again",
        ) from error  # fmt: skip


def write_here(folder: Path, changes: Mapping[str, EntryHere | None]) -> None:
    """Write entries to the overlay of a folder, and take away those that are None. Two processes that write at the
    same time lose nothing. Raises `Missing` where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{FILE}.lock"):
            entries: dict[str, EntryHere | None] = {**read_here(folder), **changes}
            kept = {name: entry for name, entry in sorted(entries.items()) if entry}
            write_atomically(folder / FILE, LockedHere(models=kept).as_text().encode())
    except OSError as error:
        raise Missing(
            "models.unwritable", f"{folder / FILE} cannot be written: {error.strerror or error}",
            hint="make the folder writable, or name another one with the setting `own_models_dir`",
        ) from error  # fmt: skip


def lay_over(
    shipped: Mapping[str, LockedModel], here: Mapping[str, EntryHere]
) -> tuple[dict[str, LockedModel], frozenset[str], dict[str, str]]:
    """Return the lock that both give, the names of the models whose facts are from here, and the conflicts by name."""
    locked, names, conflicts = dict(shipped), set[str](), dict[str, str]()
    for name, entry in here.items():
        if name not in shipped or shipped[name].repo != entry.repo:
            continue  # the shipped manifest has given up the model, or takes it from elsewhere
        if conflict := _conflict(name, shipped[name], entry):
            conflicts[name] = conflict
        elif _counts(shipped[name], entry):
            locked[name] = entry.locked
            names.add(name)
    return locked, frozenset(names), conflicts


def _conflict(name: str, shipped: LockedModel, entry: EntryHere) -> str | None:
    """Return what the two state, if they contradict each other."""
    if shipped.revision == UNKNOWN or entry.instead_of == shipped.revision:
        return None
    if shipped.revision != entry.revision:
        return (
            f"the shipped lock has {name} at the revision {shipped.revision},"
            f" and it was locked here at {entry.revision}, as {entry.hub} stated it"
        )
    for file, ours, theirs in differences(shipped, entry.locked):
        if theirs is not None:
            return (
                f"the shipped lock states {in_words(ours)} for {file} of {name} at {shipped.revision[:12]},"
                f" and it was locked here with {in_words(theirs)}, as {entry.hub} stated it"
            )
    return None


def _counts(shipped: LockedModel, entry: EntryHere) -> bool:
    """Tell whether the entry knows more than the shipped lock, and all the files that this one is certain of."""
    if entry.instead_of == shipped.revision:
        return True
    if shipped.resolved:
        return False
    certain = {file for file, facts in files_of(shipped).items() if any(fact is not None for fact in sure_facts(facts))}
    return certain <= set(entry.files)
