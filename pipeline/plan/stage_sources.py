"""Detects changed code of a stage: compares its sources with the pins that were written with its version.

The sources of a stage are its contract, the modules of its backends, and the modules of `stages`, `shared.text` and
`shared.documents` that those import. Comments, docstrings and blank lines do not count, because they cannot change a
result.

To read 116 sources takes 10 ms, and to parse them 4 s (on a busy machine). So the bytes are compared first, and only
changed files are parsed.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.stage import Stage

_CONTRACT = ".stage"
_COUNTED = ("stages.", "shared.text.", "shared.documents.")  # modules whose code may change results


@dataclass(frozen=True)
class Pin:
    """Version of a stage, with the digest of its code and the paths of its sources, relative to the project."""

    version: int
    digest: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Pins:
    """Pinned stages by name, and the digests of the bytes and of the code of each source."""

    stages: Mapping[str, Pin]
    files: Mapping[str, tuple[str, str]]


def read_pins(file: Path) -> Pins:
    """Read the pins from a file; returns none if the file does not exist."""
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Pins({}, {})
    stages = {
        name: Pin(version, digest, tuple(sources)) for name, (version, digest, sources) in table["stages"].items()
    }
    return Pins(stages, {name: (as_bytes, code) for name, (as_bytes, code) in table["files"].items()})


def changed_sources(stages: Iterable[Stage], root: Path, pins: Pins) -> dict[str, str]:
    """Return the digest of the code of each stage that differs from its pin or has none, by the stage's name."""
    unchanged: dict[str, bool] = {}
    changed = {}
    for stage in stages:
        pin = pins.stages.get(stage.name)
        for name in pin.sources if pin else ():
            if name not in unchanged:
                unchanged[name] = _is_unchanged(root / name, pins.files.get(name))
        if pin is None or pin.version != stage.version or not all(unchanged[name] for name in pin.sources):
            digest = source_digest(stage, root)
            if pin is None or (pin.version, pin.digest) != (stage.version, digest):
                changed[stage.name] = digest
    return changed


def _is_unchanged(path: Path, pinned: tuple[str, str] | None) -> bool:
    if pinned is None or not path.is_file():
        return False
    return byte_digest(path) == pinned[0] or code_digest(path) == pinned[1]


def source_digest(stage: Stage, root: Path) -> str:
    """Return the digest of the code of a stage, in the order of its sources."""
    parts = [f"{path.relative_to(root).as_posix()} {code_digest(path)}" for path in sources(stage, root)]
    return _digest("\n".join(parts).encode())


def byte_digest(path: Path) -> str:
    """Return the digest of a file's bytes, which does not depend on the kind of line ends."""
    return _digest(path.read_bytes().replace(b"\r\n", b"\n"))


def code_digest(path: Path) -> str:
    """Return the digest of a file's code."""
    return _digest(code_of(path.read_text(encoding="utf-8")).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def sources(stage: Stage, root: Path) -> list[Path]:
    """Return the files that decide the stage's results."""
    found: set[Path] = set()
    waiting = [stage.module, *(backend.module for backend in stage.backends.values())]
    while waiting:
        path = _file(waiting.pop(), root)
        if path.is_file() and path not in found:
            found.add(path)
            waiting += _imports(path.read_text(encoding="utf-8"), root)
    return sorted(found)


@cache
def _imports(text: str, root: Path) -> tuple[str, ...]:
    """Return the counted modules that a file imports, without the contracts of stages."""
    return tuple(name for name in _imported(text, root) if name.startswith(_COUNTED) and not name.endswith(_CONTRACT))


def _imported(text: str, root: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                yield name if _file(name, root).is_file() else node.module


@cache
def code_of(text: str) -> str:
    """Return a module's text without comments, docstrings and blank lines; the same under every Python version."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for first, last in _docstrings(ast.parse(text)):
        lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                yield first.lineno, first.end_lineno or first.lineno


def _file(module: str, root: Path) -> Path:
    return root / (module.replace(".", "/") + ".py")
