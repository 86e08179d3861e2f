"""Take over models from the caches of other tools. A file is recognised by its content, whatever the layout.

Only files of a locked size are hashed, and the sha256 decides. So one rule serves the hub's layout with `hub/` and
without, torch's checkpoints, and copied folders. Files are linked if the disk allows it. A source is never changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.model_cache.fetch_lock import hold_fetch_locks
from pipeline.model_cache.layout import Layout, layout_of
from pipeline.model_cache.manifest import LockedFile, LockedModel
from shared.copying import copy_verified
from shared.files import sha256_of, try_link

_REPOSITORY = re.compile(r"models--[^/\\]+")
_REVISION = re.compile(r"snapshots[/\\]([0-9a-f]{40})[/\\]")


@dataclass(frozen=True)
class Found:
    """A file of a source: its path, the path after links, and its digest, None if no locked file has its size."""

    path: Path
    real: Path
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Adopted:
    """A model of which files were found. `missing` names its files that no source has."""

    model: str
    linked: int
    copied: int
    present: int
    bytes: int
    missing: tuple[str, ...]


@dataclass
class Adoption:
    """The result: adopted models, files whose content does not match the lock, and unknown files."""

    adopted: list[Adopted] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)  # bytes by repository or file


def adopt(folders: Sequence[Path], cache: Path, locked: Mapping[str, LockedModel]) -> Adoption:
    """Take over the files of locked models that the folders hold. Raises `Locked` if another process is fetching one of
    the models."""
    sizes = {entry.size for model in locked.values() for entry in model.files.values()}
    files = list(_files(folders))

    def identified(found: Found) -> Found:
        if found.size not in sizes:
            return found
        return Found(found.path, found.real, found.size, sha256_of(found.real))

    with ThreadPoolExecutor() as pool:
        files = list(pool.map(identified, files))
    by_digest: dict[str, list[Found]] = defaultdict(list)
    for found in files:
        if found.sha256:
            by_digest[found.sha256].append(found)
    outcome = Adoption()
    taken: set[str] = set()
    for name, model in locked.items():
        if _is_worth_it(model, by_digest):
            outcome.adopted.append(_adopt_model(name, model, by_digest, layout_of(cache, name, model)))
            taken |= {entry.sha256 for entry in model.files.values()}
    for found in files:
        if found.sha256 in taken:
            continue
        if (sentence := _wrong(found, locked)) is not None:
            outcome.wrong.append(sentence)
        else:
            label = _label(found.path, folders)
            outcome.ignored[label] = outcome.ignored.get(label, 0) + found.size
    return outcome


def _files(folders: Sequence[Path]) -> Iterator[Found]:
    """Yield every regular file once. Links come before their targets, because their names say more."""
    seen: set[tuple[int, int]] = set()
    paths = [Path(root) / name for folder in folders for root, _, names in os.walk(folder) for name in sorted(names)]
    for path in sorted(paths, key=lambda path: (not path.is_symlink(), path)):
        with contextlib.suppress(OSError):  # a link that leads nowhere or to itself, or a file that went away
            real = Path(os.path.realpath(path, strict=True))
            status = real.stat()
            if real.is_file() and (identity := (status.st_dev, status.st_ino)) not in seen:
                seen.add(identity)
                yield Found(path, real, status.st_size, None)


def _is_worth_it(model: LockedModel, by_digest: Mapping[str, Sequence[Found]]) -> bool:
    """Tell whether the model's largest file, or a file from its own repository, was found. Small files prove nothing,
    because many models share them."""
    if not model.files:
        return False
    largest = max(model.files.values(), key=lambda entry: entry.size)
    if largest.sha256 in by_digest:
        return True
    return any(
        _repository(found.path) == _folder_name(model)
        for entry in model.files.values()
        for found in by_digest.get(entry.sha256, ())
    )


def _adopt_model(name: str, model: LockedModel, by_digest: Mapping[str, Sequence[Found]], layout: Layout) -> Adopted:
    counts = {"linked": 0, "copied": 0, "present": 0}
    size = 0
    missing: list[str] = list(model.unknown)  # files of which the lock knows no bytes
    with hold_fetch_locks([layout.root]):
        for file, entry in model.files.items():
            sources = by_digest.get(entry.sha256, ())
            if not sources:
                if not _is_there(layout, file, entry):
                    missing.append(file)
                continue
            how = _place(sources, layout.blob(entry.sha256), entry)
            if how == "changed":
                missing.append(file)
                continue
            counts[how] += 1
            size += entry.size if how != "present" else 0
            layout.link(file, entry.sha256)
        if not missing:
            layout.write_reference()
    return Adopted(name, counts["linked"], counts["copied"], counts["present"], size, tuple(missing))


def _is_there(layout: Layout, file: str, entry: LockedFile) -> bool:
    place = layout.snapshot / file
    return place.is_file() and place.stat().st_size == entry.size


def _place(sources: Iterable[Found], blob: Path, entry: LockedFile) -> str:
    """Put the blob into place: `linked`, `copied`, `present` if it was there, `changed` if every source changed
    meanwhile."""
    for found in sources:
        if blob.is_file() and blob.samefile(found.real):
            return "present"
    if blob.is_file() and sha256_of(blob) == entry.sha256:
        return "present"
    blob.parent.mkdir(parents=True, exist_ok=True)
    for found in sources:
        temporary = blob.with_name(f"{blob.name}.{secrets.token_hex(4)}.part")
        try:
            how = "linked" if try_link(found.real, temporary) else "copied"
            if how == "copied" and copy_verified(found.real, temporary) != entry.sha256:
                continue
            os.replace(temporary, blob)
            return how
        finally:
            temporary.unlink(missing_ok=True)
    return "changed"


def _wrong(found: Found, locked: Mapping[str, LockedModel]) -> str | None:
    """Return what is wrong with a file in the place of a locked one; None for an unknown file."""
    repository, revision = _repository(found.path), _REVISION.search(str(found.path))
    for model in locked.values():
        if repository and _folder_name(model) != repository:
            continue
        for file, entry in model.files.items():
            # Without a repository around it, only a name that says enough counts: `config.json` may be anything.
            meant = str(found.path).endswith(f"{os.sep}{file}") if repository else _says_enough(model, file, found)
            if not meant or (model.repo and revision and revision[1] != model.revision):
                continue
            if found.size != entry.size:
                return f"{found.path} has {found.size} bytes, expected {entry.size}"
            return f"{found.path} has sha256 {found.sha256}, expected {entry.sha256}"
    return None


def _says_enough(model: LockedModel, file: str, found: Found) -> bool:
    return model.repo is None and found.path.name == Path(file).name


def _folder_name(model: LockedModel) -> str | None:
    return f"models--{model.repo.replace('/', '--')}" if model.repo else None


def _repository(path: Path) -> str | None:
    match = _REPOSITORY.search(str(path))
    return match[0] if match else None


def _label(path: Path, folders: Sequence[Path]) -> str:
    """Return the name under which an unknown file is counted: its repository, else its place in the source."""
    if repository := _repository(path):
        return repository
    for folder in folders:
        with contextlib.suppress(ValueError):
            return path.relative_to(folder).parts[0]
    return path.name
