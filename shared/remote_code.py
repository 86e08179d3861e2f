"""Check the files of a model that can run code: its own Python, and pickles, which can call any function when they are
read. They are used only if every byte matches the lock.

The orchestrator passes the lock's digests to the worker as load options. The worker compares them with the files,
before any library may read one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from shared.files import sha256_of
from shared.stage import Option, StageError

_PYTHON = ".py"
_PICKLES = {".ckpt", ".nemo", ".pickle", ".pkl", ".pt", ".pth", ".th"}  # a .nemo is an archive with a pickle in it
_TORCH = "pytorch_model"  # its `.bin` is a pickle; CTranslate2's `model.bin` is not


def pinned_code(role: str, digests: Mapping[str, str]) -> dict[str, Option]:
    """Return the load option that pins the files of a role's model that can run code; none without such files.
    `digests` are the sha256 of all its files, by name."""
    code = {file: digest for file, digest in sorted(digests.items()) if _runs(PurePosixPath(file))}
    return {_option(role): json.dumps(code)} if code else {}


def check_code(folder: Path, role: str, options: Mapping[str, Option]) -> None:
    """Raise `StageError` unless the files that can run code are as pinned. In the folder of a model with Python code,
    no other Python file may exist."""
    pinned: dict[str, str] = json.loads(str(options.get(_option(role), "{}")))
    if any(file.endswith(_PYTHON) for file in pinned):
        for path in sorted(folder.rglob(f"*{_PYTHON}")):
            if path.relative_to(folder).as_posix() not in pinned:
                raise _refusal(f"{path} is no part of it")
    for file, expected in pinned.items():
        if not (folder / file).is_file():
            raise _refusal(f"{file} is missing in {folder}")
        if (digest := sha256_of(folder / file)) != expected:
            raise _refusal(f"{folder / file} has the sha256 {digest[:12]}, expected {expected[:12]}")


def _runs(file: PurePosixPath) -> bool:
    return file.suffix == _PYTHON or file.suffix in _PICKLES or (file.suffix == ".bin" and file.stem.startswith(_TORCH))


def _option(role: str) -> str:
    return f"code of {role}"


def _refusal(what: str) -> StageError:
    return StageError(
        "model.code",
        f"the model's code does not match the lock, so none of it was run: {what}",
        "run `./reel models verify --repair` for the model",
    )
