"""Python code that a model brings along: it may run only as the lock knows it, byte for byte.

The orchestrator hands the lock's digests to the worker with what else decides how a backend loads; the worker compares
them with the files themselves, right before the library imports them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from shared.files import sha256_of
from shared.stage import Option, StageError

_SUFFIX = ".py"


def pinned_code(role: str, digests: Mapping[str, str]) -> dict[str, Option]:
    """The load option that pins the code of the model in a role; `digests` are sha256 by file, of any of its files."""
    code = {file: digest for file, digest in sorted(digests.items()) if file.endswith(_SUFFIX)}
    return {_option(role): json.dumps(code)}


def check_code(folder: Path, role: str, options: Mapping[str, Option]) -> None:
    """Raise `StageError` unless the Python files in a model's folder are those that were pinned, and no other."""
    pinned: dict[str, str] = json.loads(str(options.get(_option(role), "{}")))
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob(f"*{_SUFFIX}")}
    for file in sorted({*pinned, *found}):
        if file not in found:
            raise _refusal(f"{file} is missing in {folder}")
        if file not in pinned:
            raise _refusal(f"{found[file]} is no part of it")
        if (digest := sha256_of(found[file])) != pinned[file]:
            raise _refusal(f"{found[file]} has the sha256 {digest[:12]}, expected {pinned[file][:12]}")


def _option(role: str) -> str:
    return f"code of {role}"


def _refusal(what: str) -> StageError:
    return StageError(
        "model.code",
        f"the model's code is not what the lock knows, so nothing of it was run: {what}",
        "run `./reel models verify --repair` for the model",
    )
