"""The project's own files, for tests that read them: Python, shell, and everything that is text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipeline", "shared", "stages")
FOLDERS = (*PACKAGES, "src", "benchmarks", "config", "docs", "samples", "scripts", "tests")


def python_files(*folders: str) -> list[Path]:
    """Return the Python files of these folders, sorted."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found, f"there is no Python file in {folders}: a test over them would claim nothing"
    return found


def shell_files() -> list[Path]:
    """Return the shell scripts."""
    return [*(ROOT / "scripts").iterdir(), ROOT / "reel", *ROOT.glob("*.sh"), *(ROOT / ".ci").iterdir()]


def name_of(path: Path) -> str:
    """Return a file's path inside the checkout."""
    return path.relative_to(ROOT).as_posix()


def text_files() -> Iterator[tuple[Path, str]]:
    """Yield every text file of ours with its text: the root's own, and those of our folders."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    for path in sorted([*ROOT.iterdir(), *inside]):
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


@cache
def tree_of(path: Path) -> ast.Module:
    """Parse a file, once: several tests walk through every file, and parsing takes most of their time."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return the nodes of a file's syntax tree, once: walking takes longer than all that the tests ask of them."""
    return tuple(ast.walk(tree_of(path)))
