"""Reads Python source by its syntax tree, and inserts lines into it; all other lines stay byte for byte the same."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping

WIDTH = 120  # letters in a line
Imports = Mapping[str, Iterable[str]]
"""Imported names by module; `a as b` for a name that is imported under another one."""


def assigned(tree: ast.Module, name: str) -> ast.expr | None:
    """Return the value that a module assigns to a variable; None if it assigns none."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value if isinstance(node, ast.Assign) else None
    return None


def keyword(call: ast.expr | None, name: str) -> ast.expr | None:
    """Return the value of a call's keyword; None if it is not a call or has no such keyword."""
    keywords = call.keywords if isinstance(call, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == name), None)


def class_named(tree: ast.Module, name: str) -> ast.ClassDef | None:
    """Return a class of a module."""
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def with_first(text: str, table: ast.Dict, entry: str) -> str:
    """Return the source with lines inserted at the beginning of a dictionary that is written over several lines."""
    lines = text.splitlines(keepends=True)
    end = table.values[-1]
    row, column = (end.end_lineno or end.lineno) - 1, end.end_col_offset or 0
    before, after = lines[row].encode()[:column].decode(), lines[row].encode()[column:].decode()
    if not after.startswith(","):  # the last entry may have no comma
        lines[row] = f"{before},{after}"
    return "".join([*lines[: table.lineno], entry, *lines[table.lineno :]])


def with_last(text: str, node: ast.expr, entry: str) -> str:
    """Return the source with lines inserted at the end of a literal that is written over several lines."""
    lines = text.splitlines(keepends=True)
    place = (node.end_lineno or node.lineno) - 1
    return "".join([*lines[:place], entry, *lines[place:]])


def signature(method: ast.FunctionDef, indent: str = "    ") -> str:
    """Return the first line or lines of a method, formatted as ruff formats them."""
    taken = ast.unparse(method.args)
    ends = f") -> {ast.unparse(method.returns)}:" if method.returns else "):"
    begins = f"{indent}def {method.name}("
    if len(line := f"{begins}{taken}{ends}") <= WIDTH:
        return f"{line}\n"
    inner = f"{indent}    "
    if len(line := f"{inner}{taken}") <= WIDTH:
        return f"{begins}\n{line}\n{indent}{ends}\n"
    return f"{begins}\n{''.join(f'{inner}{line},{chr(10)}' for line in _parameters(method.args))}{indent}{ends}\n"


def _parameters(arguments: ast.arguments) -> list[str]:
    """Return the source of each parameter."""
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + [*arguments.defaults]
    written = [_parameter(argument, default) for argument, default in zip(plain, defaults, strict=True)]
    written += ["*"] if arguments.kwonlyargs else []
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return written + [_parameter(argument, default) for argument, default in named]


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default else "")


def lines_of(text: str, first: int, last: int) -> str:
    """Return the lines `first` to `last` of a source, counted from 1."""
    return "".join(text.splitlines(keepends=True)[first - 1 : last])


def names_in(node: ast.AST) -> set[str]:
    """Return the names that a piece of source uses, also in annotations that are strings."""
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            found.add(part.value)
    return found


def imports_for(names: Iterable[str], tree: ast.Module, module: str) -> dict[str, set[str]]:
    """Return the imports that another module needs for these names of `module`. Names that `module` defines itself are
    imported from it, others from where it imports them."""
    origins: dict[str, set[str]] = defaultdict(set)
    known: dict[str, tuple[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                written = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                known[alias.asname or alias.name] = (node.module, written)
        elif isinstance(node, ast.ClassDef):
            known[node.name] = (module, node.name)
        elif isinstance(node, ast.Assign):
            known |= {target.id: (module, target.id) for target in node.targets if isinstance(target, ast.Name)}
    for name in names:
        if name in known:
            origin, written = known[name]
            origins[origin].add(written)
    return origins


def import_lines(imports: Imports) -> str:
    """Return the import statements in the order of this project: the standard library first, then ours."""
    ours = ("shared", "stages")
    groups: list[list[str]] = [[], []]
    for module in sorted(imports):
        names = sorted(imports[module], key=lambda name: (not name.isupper(), not name[:1].isupper(), name.lower()))
        groups[module.partition(".")[0] in ours].append(f"from {module} import {', '.join(names)}\n")
    return "\n".join("".join(group) for group in groups if group)
