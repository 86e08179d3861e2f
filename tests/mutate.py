"""Changes a module in one place at a time and tells which changes no test notices.

    .venvs/test/bin/python -m tests.mutate pipeline/base/processor.py tests/pipeline/base/test_processor.py [N]

Every comparison, sum, `and`, `not` and number of the module is a place; with N, about so many of them, spread evenly.
The tests run in a copy of the checkout, so that nothing here is changed. The exit code is the number of changes that
survive: each is a claim that is missing, or code that does nothing.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LIMIT_S = 300
_NOT_COPIED = shutil.ignore_patterns(".git", ".venvs", ".cache", "out", ".*_cache", "__pycache__")
_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A module that was changed in one line."""

    line: int
    before: str
    after: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield the module with each change that can be made to it."""
    original = ast.unparse(ast.parse(source))
    for number in range(sum(1 for _ in ast.walk(ast.parse(source)))):
        tree = ast.parse(source)
        place = list(ast.walk(tree))[number]
        line = _change(place)
        changed = ast.unparse(tree) if line else original
        if line and changed != original:
            pair = zip(original.splitlines(), changed.splitlines(), strict=False)
            before, after = next((old, new) for old, new in pair if old != new)
            yield Mutant(line, before.strip(), after.strip(), changed)


def _change(node: ast.AST) -> int:
    """Change a place; return its line, 0 where there is nothing to change."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _OTHER:
            node.ops = [_OTHER[type(operator)]()]  # type: ignore[list-item]
        case ast.BinOp() | ast.BoolOp() if type(node.op) in _OTHER:
            node.op = _OTHER[type(node.op)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool"), [node.operand], [])
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(number) | float(number)):
            node.value = number * 2 + 1
        case _:
            return 0
    return int(node.lineno)


def survivors(module: Path, tests: Path, most: int) -> tuple[int, list[Mutant]]:
    """Return how many changes were tried, and those that the tests did not notice."""
    every = list(mutants((ROOT / module).read_text(encoding="utf-8")))
    tried = every[:: max(1, -(-len(every) // most))] if most else every
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "reel"
        shutil.copytree(ROOT, copy, ignore=_NOT_COPIED)
        for shared in (".venvs", ".cache"):
            (copy / shared).symlink_to(ROOT / shared)
        left = []
        for mutant in tried:
            (copy / module).write_text(mutant.source, encoding="utf-8")
            if _passes(copy, tests):
                left.append(mutant)
                print(f"{module}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    return len(tried), left


def _passes(copy: Path, tests: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(tests)]
    try:
        return subprocess.run(command, cwd=copy, capture_output=True, timeout=_LIMIT_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:  # a loop without an end is noticed too
        return False


def main() -> int:
    """Try the changes of one module; returns how many survive."""
    module, tests, *most = sys.argv[1:]
    tried, left = survivors(Path(module), Path(tests), int(most[0]) if most else 0)
    print(f"{tried - len(left)} of {tried} changes are noticed")
    return min(len(left), 100)


if __name__ == "__main__":
    sys.exit(main())
