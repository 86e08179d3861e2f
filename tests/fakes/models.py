"""Two small models in caches of their own, fetched by nobody: put into place as a fetch leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pipeline.model_cache.fetch_lock import MARK
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import HubSource, LockedFile, LockedModel, Model

REVISION = "0123456789abcdef0123456789abcdef01234567"
WHISPER = {"config.json": b'{"a": 1}', "weights/model.bin": bytes(range(256)) * 4096}
ALIGNER = {"aligner.pt": b"\x80torch" * 5000}
CONTENTS = {"whisper": WHISPER, "aligner": ALIGNER}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def lock(repo: str | None, files: Mapping[str, bytes]) -> LockedModel:
    locked = {name: LockedFile(size=len(content), sha256=sha256(content)) for name, content in files.items()}
    return LockedModel(repo=repo, revision=REVISION if repo else "1", files=locked)


LOCKED = {"whisper": lock("org/whisper", WHISPER), "aligner": lock(None, ALIGNER)}
MODELS = {
    name: Model(summary=name, licence="MIT", commercial_use=True, sources=(HubSource(kind="hub"),)) for name in LOCKED
}


def fill(cache: Path, *names: str) -> Path:
    """Put the named models, or both, into a cache, as a fetch leaves them."""
    for name in names or LOCKED:
        layout = layout_of(cache, name, LOCKED[name])
        layout.root.mkdir(parents=True, exist_ok=True)
        (layout.root / MARK).touch()
        for file, content in CONTENTS[name].items():
            blob = layout.blob(sha256(content))
            blob.parent.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(content)
            layout.link(file, sha256(content))
        layout.write_reference()
    return cache


def tree(folder: Path) -> dict[str, tuple[str, int, str]]:
    """Return everything below a folder: what it is, when it was written, what it holds."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else oct(path.stat().st_mode),
            path.lstat().st_mtime_ns,
            sha256(path.read_bytes()) if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }
