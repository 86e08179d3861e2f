"""The skeleton of a backend: an engine with every method of the stage, each of which still calls another backend."""

from __future__ import annotations

import ast
from pathlib import Path

from pipeline.base.errors import UsageError
from pipeline.cli.skeletons import Skeleton, class_name
from pipeline.cli.skeletons.new_stage import CASES, PIN
from pipeline.cli.skeletons.python_source import (
    assigned,
    class_named,
    import_lines,
    imports_for,
    keyword,
    lines_of,
    names_in,
    signature,
    with_first,
    with_last,
)
from shared.stage import Stage

_INDENT = " " * 12  # of a keyword of `Backend(` in the table of a declaration


def new_backend(stage: Stage, name: str, like: str | None, root: Path) -> Skeleton:
    """Return the skeleton of a backend that begins as the backend `like`, by default the one with the fewest models.
    Raises `UsageError` where the declaration cannot be extended."""
    contract = f"stages/{stage.name}/stage.py"
    text = (root / contract).read_text(encoding="utf-8")
    tree = ast.parse(text)
    table = keyword(assigned(tree, "STAGE"), "backends")
    declared = _declared(table)
    base = like or min(declared, key=lambda candidate: len(stage.backends[candidate].models), default=None)
    if not isinstance(table, ast.Dict) or base not in declared:
        raise UsageError(
            "skeleton.declaration",
            f"{contract} does not write {f'`{base}`' if base else 'its backends'} out in a table, as a pattern must be",
            hint=f"take another with `--like`: {', '.join(declared)}" if declared else "write the backend by hand",
        )
    module = name.replace("-", "_")
    made = _module(stage, name, base, tree)
    changed = {contract: with_first(text, table, _declaration(stage, name, declared[base], text))}
    if case := _case(root, stage.name, base, name):
        changed[CASES] = case
    inputs = " ".join(role.upper() for role, field in stage.inputs.model_fields.items() if field.is_required())
    steps = (
        (f"./reel stage {stage.name} {inputs} -o parts --backend {name}", "the backend, on files of yours"),
        (
            f"./scripts/test --no-checks -q tests/real -k {stage.name}-{name}",
            "the same bytes in any order of jobs",
        ),
        (PIN, "record the stage's version with its sources"),
        ("./scripts/docs", "write its reference"),
    )
    return Skeleton({f"stages/{stage.name}/{module}.py": made}, changed, steps)


def _declared(table: ast.expr | None) -> dict[str, ast.Call]:
    """Return the calls that declare the backends, by name; none for a table that is computed."""
    if not isinstance(table, ast.Dict):
        return {}
    return {
        str(key.value): value
        for key, value in zip(table.keys, table.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Call)
    }


def _module(stage: Stage, name: str, base: str, tree: ast.Module) -> str:
    """Return the source of the backend's module."""
    engine = class_named(tree, "Engine")
    assert engine is not None, f"{stage.module} declares no Engine"
    title, pattern = class_name(name), stage.backends[base].module
    loads = f"load_{pattern.rpartition('.')[2]}"
    methods = [node for node in engine.body if isinstance(node, ast.FunctionDef)]
    fields = [
        node.target.id for node in engine.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    imports = imports_for({name for node in methods for name in _signature_names(node)}, tree, stage.module)
    for origin, needed in {
        "collections.abc": "Mapping", "pathlib": "Path", "shared.stage": "Device", stage.module: "Engine",
        pattern: f"load as {loads}",
    }.items():  # fmt: skip
        imports.setdefault(origin, set()).add(needed)
    lines = [f"        self.{field} = base.{field}\n" for field in fields]
    return (
        f'"""{title} for the stage {stage.name}. It begins as the backend {base}: write its methods one by one."""\n\n'
        f"from __future__ import annotations\n\n{import_lines(imports)}\n\n"
        f'class {title}Engine:\n    """Asks the engine of {base} for everything that is not written yet."""\n\n'
        f"    def __init__(self, base: Engine) -> None:\n        self._base = base\n{''.join(lines)}"
        f"{''.join(map(_method, methods))}{_reset(pattern)}"
        f"\n\ndef load(models: Mapping[str, Path], device: Device) -> {title}Engine:\n"
        f'    """Load the engine of {base}; put your own library in its place."""\n'
        f"    return {title}Engine({loads}(models, device))\n"
    )


def _signature_names(method: ast.FunctionDef) -> set[str]:
    found = names_in(method.args)
    return found | (names_in(method.returns) if method.returns else set())


def _method(method: ast.FunctionDef) -> str:
    taken = [argument.arg for argument in (*method.args.posonlyargs, *method.args.args)][1:]
    taken += [f"{argument.arg}={argument.arg}" for argument in method.args.kwonlyargs]
    return f"\n{signature(method)}        return self._base.{method.name}({', '.join(taken)})\n"


def _reset(pattern: str) -> str:
    """Return a method `reset` if the module of the other backend has one: its engine may keep state of a job."""
    file = Path(__file__).resolve().parents[3].joinpath(*pattern.split(".")).with_suffix(".py")
    if "def reset(" not in file.read_text(encoding="utf-8"):
        return ""
    return (
        '\n    def reset(self) -> None:\n        """Forget the last job."""\n'
        '        if (reset := getattr(self._base, "reset", None)) is not None:\n            reset()\n'
    )


def _declaration(stage: Stage, name: str, pattern: ast.Call, text: str) -> str:
    """Return the entry for the table of backends: that of `pattern`, with another module and summary."""
    lines = []
    for given in pattern.keywords:
        value = ast.get_source_segment(text, given.value)
        if given.arg == "module":
            value = f'"stages.{stage.name}.{name.replace("-", "_")}"'
        elif given.arg == "summary":
            value = f'"{class_name(name)}, which is being written"'
        lines.append(f"{_INDENT}{given.arg}={value},\n" if given.arg else f"{_INDENT}**{value},\n")
    return f'        "{name}": Backend(\n{"".join(lines)}        ),\n'


def _case(root: Path, stage: str, base: str, name: str) -> str | None:
    """Return the source of the tests' jobs, with the job of the backend `base` repeated for the new backend."""
    text = (root / CASES).read_text(encoding="utf-8") if (root / CASES).is_file() else ""
    cases = assigned(ast.parse(text), "CASES")
    for call in cases.elts if isinstance(cases, ast.Tuple) else ():
        given = [argument.value for argument in getattr(call, "args", ())[:2] if isinstance(argument, ast.Constant)]
        if given == [stage, base] and cases is not None:
            source = lines_of(text, call.lineno, call.end_lineno or call.lineno)
            return with_last(text, cases, source.replace(f'"{base}"', f'"{name}"', 1))
    return None
