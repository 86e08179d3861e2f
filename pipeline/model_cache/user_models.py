"""The user's own models, in addition to the shipped ones: a manifest and a lock of the same form, in a folder that git
ignores. A fine-tuned Whisper, for example, is locked by its bytes as any other model."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.errors import BadInput, UsageError
from pipeline.model_cache.manifest import LocalFolderSource, LockedFile, LockedModel, Model, load_manifest, lock_text
from shared.files import sha256_of, write_atomically

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class UserModels:
    """The models of one folder, which need not exist."""

    folder: Path
    models: dict[str, Model] = field(default_factory=dict)
    locked: dict[str, LockedModel] = field(default_factory=dict)

    @property
    def manifest(self) -> Path:
        """Return the path of the user's manifest."""
        return self.folder / "models.toml"

    @property
    def lock(self) -> Path:
        """Return the path of the user's lock."""
        return self.folder / "models.lock.json"


def load_user_models(folder: Path, declared: Collection[str]) -> UserModels:
    """Return the models of a folder, none if it has no manifest. Raises `UsageError`, also for a name among the
    `declared` ones of reel: a name must mean the same model for every user."""
    none = UserModels(folder)
    if not none.manifest.exists():
        return none
    if not none.lock.exists():
        raise UsageError("models.unlocked", f"{none.lock} is not there", hint="`./reel models add` writes it")
    models, locked = load_manifest(none.manifest, none.lock)
    if taken := sorted(set(models) & set(declared)):
        raise UsageError(
            "models.taken", f"{none.manifest} calls a model `{taken[0]}`, a name already in use", hint="rename it"
        )
    return UserModels(folder, models, {name: locked[name] for name in models})


def add_folder(
    name: str, source: Path, licence: str, stages: tuple[str, ...], own: UserModels, declared: Collection[str]
) -> UserModels:
    """Declare the files of a folder as the model `name`, and lock their bytes. If it is declared already, its lock is
    renewed. Raises `UsageError` and `BadInput`."""
    another = "choose a name of lower-case letters, digits, `.`, `_` and `-`"
    if not _NAME.fullmatch(name):
        raise UsageError("models.name", f"`{name}` is not a valid model name", hint=another)
    if name in declared:
        raise UsageError("models.taken", f"`{name}` is the name of another model", hint=another)
    model = Model(
        summary=f"your own, from {source.name}",
        stages=stages,
        licence=licence,
        sources=(LocalFolderSource(kind="local-folder", path=str(source)),),
    )
    known = own.models.get(name)
    if known and known.sources != model.sources:
        raise UsageError(
            "models.taken",
            f"{own.manifest} has `{name}` from another place",
            hint="correct it there, or take another name",
        )
    locked = _locked(source)
    own.folder.mkdir(parents=True, exist_ok=True)
    # The lock first: a model that is locked but not declared is ignored, the reverse is an error.
    write_atomically(own.lock, lock_text({**own.locked, name: locked}).encode())
    if not known:
        before = own.manifest.read_text(encoding="utf-8") if own.manifest.exists() else ""
        write_atomically(own.manifest, f"{before}{_table(name, model, source)}".encode())
    return UserModels(own.folder, {**own.models, name: known or model}, {**own.locked, name: locked})


def _locked(source: Path) -> LockedModel:
    if not source.is_dir():
        raise BadInput("models.folder", f"{source} is not a folder", hint="name the folder of the model's files")
    files = {
        path.relative_to(source).as_posix(): LockedFile(size=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(source.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts)
    }
    if not files:
        raise BadInput("models.folder", f"{source} holds no file", hint="name the folder that holds the model's files")
    digest = LockedModel(revision="0", files=files).digest
    return LockedModel(revision=digest[:40], files=files)  # so that other bytes have another revision


def _table(name: str, model: Model, source: Path) -> str:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)  # for text and lists of it, JSON is TOML

    lines = [
        f"[{text(name)}]", f"summary = {text(model.summary)}", f"stages = {text(list(model.stages))}",
        f"licence = {text(model.licence)}", "", f"[[{text(name)}.sources]]", 'kind = "local-folder"',
        f"path = {text(str(source))}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n\n"
