"""Pins each stage's `version` to a digest of the sources that decide its results.

    .venvs/test/bin/python -m tests.pin_stage_versions      writes tests/stage_versions.json anew

The sources are the stage's contract, its backends' modules, and the modules of `stages` that those import.
Comments, docstrings and blank lines are left out, because they cannot change a result.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipeline.plan.registry import STAGES
from shared.files import write_atomically
from shared.stage import Stage

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "tests" / "stage_versions.json"
_CONTRACT = ".stage"


def current_pins() -> dict[str, list[int | str]]:
    """Return each stage's name with its version and the digest of its sources."""
    return {name: [stage.version, source_digest(stage)] for name, stage in sorted(STAGES.items())}


def source_digest(stage: Stage) -> str:
    """Return the first half of the sha256 of the stage's sources, in the order of their names."""
    parts = [f"{path.relative_to(ROOT).as_posix()}\n{code_of(path.read_text())}" for path in sources(stage)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def sources(stage: Stage) -> list[Path]:
    """Return the files that decide the stage's results."""
    found: set[Path] = set()
    waiting = [_file(stage.module), *(_file(backend.module) for backend in stage.backends.values())]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [_file(module) for module in backend_imports(path)]
    return sorted(found)


@cache
def backend_imports(path: Path) -> tuple[str, ...]:
    """Return the modules below `stages` that a file imports, without the contracts of stages."""
    return tuple(_backend_imports(path))


def _backend_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stages."):
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                module = name if _file(name).is_file() else str(node.module)
                if not module.endswith(_CONTRACT):
                    yield module


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


def _file(module: str) -> Path:
    return ROOT / (module.replace(".", "/") + ".py")


def main() -> None:
    """Write the pins."""
    lines = [f" {json.dumps(name)}: {json.dumps(pin)}" for name, pin in current_pins().items()]
    write_atomically(PINS, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


if __name__ == "__main__":
    main()
