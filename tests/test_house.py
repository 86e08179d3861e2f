"""The rules of the house, held by the source itself: who imports whom, what may stand where, how long a file may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

import pytest

from pipeline.base.project import STAGE_PINS
from pipeline.plan.registry import BROKEN, STAGES
from pipeline.plan.stage_sources import changed_sources, code_of, read_pins
from shared.environment_manager import FORBIDDEN, cache_variables
from tests.source_tree import FOLDERS, PACKAGES, ROOT, name_of, nodes_of, python_files, shell_files, text_files, tree_of

LIBRARY = "reel"  # the package in `src`, which other people's programs import
OURS = {*FOLDERS, LIBRARY}
CORE_LIBRARIES = {"argcomplete", "pydantic", "rich", "filelock", "packaging", "psutil"}
RAY_ROOM = "pipeline/workers/ray/host.py"
WEB_ROOM, WEB_LIBRARIES = ROOT / "pipeline" / "web", {"starlette", "uvicorn"}
REGISTRY = "pipeline/plan/registry.py"
# The packages of the orchestrator, from the top down: each imports those after it, and none before it.
STAIRCASE = (
    "cli", "web", "engine", "workers", "publishing", "model_cache", "environments", "store", "plan", "base",
)  # fmt: skip
# Where processes may be started. `bootstrap_core` runs before the core environment exists.
STARTERS = {
    "pipeline/__main__.py",  # starts itself again, with another encoding
    "pipeline/base/hardware.py",  # asks macOS for its performance cores
    "pipeline/base/nvidia.py",
    "pipeline/engine/addresses/fetch.py",  # asks yt-dlp, which is not a stage: it makes the file that stages read
    "pipeline/environments/bootstrap_core.py",
    "pipeline/environments/conflicts.py",
    "pipeline/environments/environments.py",
    "pipeline/environments/ffmpeg.py",
    "pipeline/environments/installer.py",
    "pipeline/environments/package_index.py",
    "pipeline/model_cache/fetch/data_wheel.py",
    "pipeline/workers/process.py",
    "pipeline/workers/ray/cluster.py",
    "pipeline/cli/commands/serve.py",  # goes on in the environment that has a web server
    "pipeline/web/job_runner.py",
    "pipeline/web/review/made_files.py",  # a single picture of a film, by ffmpeg
    "pipeline/web/review/sound_peaks.py",  # in the environment that has numpy
    "shared/processes.py",  # asks Windows to end a worker with its children
    "stages/demux/ffmpeg.py",
    "stages/mux/ffmpeg.py",
    "stages/toolkit/media/ffmpeg.py",
    "stages/toolkit/media/frames.py",
    "src/reel/__main__.py",  # goes on as the command line
    "src/reel/_command.py",  # is the command line for programs
}
FILE_LINES, FUNCTION_LINES, SCRIPT_LINES, PARAMETERS = 400, 50, 30, 7  # at most; `self` is not counted
_RIDDLE = re.compile(r"(What|Whether|Which|Who|Whose|Of|By)\b")  # hides that something is returned
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55\ufe0f]")


@cache
def imports(path: Path, *, top_level: bool = False) -> frozenset[str]:
    """Return the dotted names of the modules that a file imports, `from a import b` as `a.b`."""
    tree = tree_of(path)
    found: set[str] = set()
    for node in tree.body if top_level else nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def tops(names: Set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def foreign(path: Path) -> set[str]:
    """Return the libraries of others that a file imports."""
    return tops(imports(path)) - sys.stdlib_module_names - OURS


def test_only_the_registry_of_the_orchestrator_imports_stages() -> None:
    importers = {name_of(path) for path in python_files("pipeline") if "stages" in tops(imports(path))}
    assert importers == {REGISTRY}
    imported = {name for name in imports(ROOT / REGISTRY) if name.startswith("stages.")}
    assert all(name.split(".")[2] == "stage" for name in imported), "the registry imports contracts only"


def test_a_package_of_the_orchestrator_imports_those_below_it_and_none_above() -> None:
    for path in python_files("pipeline"):
        home = path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")
        if home in {"__init__", "__main__"}:
            continue
        known = {name.split(".")[1] for name in imports(path) if name.startswith("pipeline.")}
        above = set(STAIRCASE[: STAIRCASE.index(home)])
        assert not known & above, f"{name_of(path)} imports {known & above}"
        assert known <= {*STAIRCASE}, f"{name_of(path)} imports {known - {*STAIRCASE}}"


def test_a_folder_holds_what_a_reader_can_take_in() -> None:
    assert len([path for path in (ROOT / "pipeline").iterdir() if path.name != "__pycache__"]) <= 12
    for folder in {path.parent for path in python_files(*PACKAGES)}:
        assert len(list(folder.glob("*.py"))) <= 20, name_of(folder)


def test_what_runs_before_there_is_a_core_environment_imports_the_standard_library_only() -> None:
    """The machine's own Python runs `bootstrap_core`, and has none of our libraries."""
    due, seen = [ROOT / "pipeline" / "environments" / "bootstrap_core.py"], set()
    while due:
        path = due.pop()
        seen.add(name_of(path))
        assert not foreign(path), f"{name_of(path)} imports {foreign(path)}"
        for name in imports(path):
            module = ROOT.joinpath(*name.split(".")[:-1]).with_suffix(".py")
            if tops({name}) <= OURS and name_of(module) not in seen:
                due.append(module)
    for package in ("pipeline/__init__.py", "pipeline/environments/__init__.py", "shared/__init__.py"):
        assert not imports(ROOT / package)


def test_the_orchestrator_imports_no_library_but_those_of_its_own_environment() -> None:
    for path in python_files("pipeline"):
        also = {"ray"} if name_of(path) == RAY_ROOM else set()
        also |= WEB_LIBRARIES if path.is_relative_to(WEB_ROOM) else set()
        assert foreign(path) <= CORE_LIBRARIES | also, f"{name_of(path)} imports {foreign(path) - CORE_LIBRARIES}"


def test_what_imports_ray_is_imported_only_when_a_cluster_is_asked_for() -> None:
    room = RAY_ROOM.removesuffix(".py").replace("/", ".")
    for path in python_files(*PACKAGES):
        assert not any(name.startswith(room) for name in imports(path, top_level=True)), name_of(path)


def test_the_command_line_imports_nothing_of_the_server_but_when_it_serves() -> None:
    """The core environment has no web server. What decides about requests, and needs none, may be imported."""
    served = {name_of(path) for path in python_files("pipeline") if foreign(path) & WEB_LIBRARIES}
    assert served, "some module serves"
    modules = {name.removesuffix(".py").replace("/", ".") for name in served}
    for path in python_files(*PACKAGES):
        if path.is_relative_to(WEB_ROOM):
            continue
        known = {name.rpartition(".")[0] for name in imports(path, top_level=True)}
        assert not known & modules, name_of(path)
        web = {name for name in imports(path) if name.startswith("pipeline.web.")}
        assert not web or name_of(path.parent) == "pipeline/cli/commands", name_of(path)


def test_shared_imports_nothing_of_ours_and_pydantic_only() -> None:
    for path in python_files("shared"):
        assert foreign(path) <= {"pydantic"}, name_of(path)
        assert tops(imports(path)) & OURS <= {"shared"}, name_of(path)


def test_a_contract_imports_neither_the_orchestrator_nor_another_stage_nor_a_library() -> None:
    """Nor does a module of its own folder that it imports: the orchestrator reads contracts without any library."""
    contracts = sorted((ROOT / "stages").glob("*/stage.py"))
    assert [path.parent.name for path in contracts] == sorted(STAGES)
    assert not BROKEN
    for contract in contracts:
        due, seen = [contract], set()
        while due:
            path = due.pop()
            seen.add(path)
            assert foreign(path) <= {"pydantic"}, name_of(path)
            assert tops(imports(path)) & OURS <= {"shared", "stages"}, name_of(path)
            for name in (name for name in imports(path) if name.startswith("stages.")):
                assert name.split(".")[1] == contract.parent.name, f"{name_of(path)} imports {name}"
                module = ROOT.joinpath(*name.split(".")[:3]).with_suffix(".py")
                due += [module] if module not in seen else []


def test_a_stage_imports_its_own_folder_and_the_toolkit_and_the_toolkit_imports_no_stage() -> None:
    for path in python_files("stages"):
        assert tops(imports(path)) & OURS <= {"shared", "stages"}, name_of(path)
        home = path.relative_to(ROOT / "stages").parts[0]
        known = {name.split(".")[1] for name in imports(path) if name.startswith("stages.")}
        assert known <= {home, "toolkit"}, f"{name_of(path)}: {known}"


def test_the_product_imports_no_data_no_script_and_no_test() -> None:
    for path in python_files(*PACKAGES):
        assert not tops(imports(path)) & (OURS - {*PACKAGES}), name_of(path)


def test_the_package_that_others_import_needs_no_library_and_nothing_else_of_ours() -> None:
    """It is imported where the packages of reel must not be on the path."""
    for path in python_files("src"):
        assert not foreign(path), f"{name_of(path)} imports {foreign(path)}"
        assert tops(imports(path)) & OURS <= {LIBRARY}, name_of(path)


def test_config_holds_nothing_but_data() -> None:
    kinds = {path.suffix for path in (ROOT / "config").rglob("*") if path.is_file()}
    assert kinds <= {".toml", ".json", ".lock"}


def test_the_cache_variables_are_named_in_one_file() -> None:
    names = {*cache_variables(Path("/cache")), *FORBIDDEN}
    wanted = re.compile(r"\b(" + "|".join(sorted(names)) + r")\b")
    for path, text in text_files():
        if name_of(path).split("/")[0] in {"docs", "tests"} or path.suffix == ".md":
            continue
        if name_of(path) != "shared/environment_manager.py":
            assert not (found := wanted.search(text)), f"{name_of(path)} names {found and found[0]}"


def test_at_most_two_places_catch_everything() -> None:
    places = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files(*PACKAGES, "src", "benchmarks", "samples", "docs")
        for node in nodes_of(path)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _raises_again(node)
    ]
    assert len(places) <= 2, places


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"}) for kind in kinds
    )


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Tell whether it cleans up and lets the exception go on."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_a_file_and_a_function_are_short_and_a_function_takes_few_parameters() -> None:
    found = [excess for path in python_files(*FOLDERS) for excess in excesses(path)]
    assert not found, found
    scripts = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in shell_files()}
    assert not {name: lines for name, lines in scripts.items() if lines > SCRIPT_LINES}


def excesses(path: Path) -> Iterator[str]:
    """Yield each limit that a file exceeds."""
    name, lines = name_of(path), len(path.read_text(encoding="utf-8").splitlines())
    if lines > FILE_LINES:
        yield f"{name} has {lines} lines"
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES:
                yield f"{name}: `{node.name}` has {lines} lines"
            taken = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if len(taken) - (taken[:1] in (["self"], ["cls"])) > PARAMETERS:
                yield f"{name}: `{node.name}` takes {len(taken)} parameters"


def test_every_module_and_everything_public_in_it_says_what_it_is_for() -> None:
    silent = [
        f"{name_of(path)}: {name}"
        for path in python_files(*PACKAGES, "src", "benchmarks", "samples", "docs")
        for name in undocumented(tree_of(path))
    ]
    assert not silent, silent


def test_a_docstring_opens_with_its_subject_or_a_verb() -> None:
    riddles = [
        f"{name_of(path)}: {getattr(node, 'name', 'the module')}"
        for path in python_files(*FOLDERS)
        for node in _documented(path)
        if _RIDDLE.match(ast.get_docstring(node) or "")
    ]
    assert not riddles, riddles


def _documented(path: Path) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield what has a docstring: of the product everything, of the rest the functions."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    product = path.relative_to(ROOT).parts[0] in PACKAGES
    for node in nodes_of(path):
        if isinstance(node, (*kinds, ast.Module, ast.ClassDef) if product else kinds):
            yield node


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Yield what is public and has no docstring.

    A class of fields alone says with its name and fields what it is. A backend's `load` and the methods of its engine
    are told by the stage's `Engine`, and those of `Engine` by its signatures.
    """
    if not ast.get_docstring(tree) and tree.body:
        yield "the module"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_open(node.name) and node.name != "load":
            if not ast.get_docstring(node):
                yield node.name
        elif (
            isinstance(node, ast.ClassDef)
            and _is_open(node.name)
            and not ast.get_docstring(node)
            and any(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) for part in node.body)
        ):
            yield node.name


def _is_open(name: str) -> bool:
    return not name.startswith("_")


def test_processes_are_started_where_the_orchestrator_says_and_nowhere_else() -> None:
    starters = {name_of(path) for path in python_files(*PACKAGES, "src") if _starts_processes(path)}
    assert starters <= STARTERS, starters - STARTERS


def _starts_processes(path: Path) -> bool:
    names = {
        "create_subprocess_exec",
        "create_subprocess_shell",
        "system",
        "popen",
        "execv",
        "execve",
        "spawnv",
        "fork",
    }
    attributes = {
        node.attr
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"os", "asyncio"}
    }
    return bool(attributes & names) or bool({"subprocess", "multiprocessing"} & tops(imports(path)))


def test_the_words_of_pydantic_are_put_into_ours_in_one_place() -> None:
    """An error of validation is told by `shared.mistakes`, and never as the library tells it."""
    told = [
        f"{name_of(path)}:{handler.lineno}"
        for path in python_files(*PACKAGES)
        for handler in nodes_of(path)
        if isinstance(handler, ast.ExceptHandler) and handler.name and handler.type is not None
        if "ValidationError" in ast.unparse(handler.type) and name_of(path) != "shared/mistakes.py"
        for node in ast.walk(handler)
        if _shows(node, handler.name)
    ]
    assert not told, told


def _shows(node: ast.AST, error: str) -> bool:
    """Tell whether an error is put into a text as it is, or its own list of what is wrong is read."""
    shown = node.value if isinstance(node, ast.FormattedValue) else None
    if isinstance(node, ast.Attribute) and node.attr == "errors":
        shown = node.value
    return isinstance(shown, ast.Name) and shown.id == error


def test_no_text_holds_an_emoji() -> None:
    for path, text in text_files():
        assert not (found := _EMOJI.search(text)), f"{name_of(path)} holds {found and found[0]!r}"


def test_a_stage_whose_sources_changed_has_a_new_version_or_a_new_pin() -> None:
    pins = read_pins(STAGE_PINS)
    changed = sorted(changed_sources(STAGES.values(), ROOT, pins))
    assert not changed, (
        f"the sources of {changed} changed. If the same inputs would now give another result, raise `version` in the"
        " stage.py of each. Then run `.venvs/test/bin/python -m tests.pin_stage_versions`"
    )
    assert set(pins.stages) == set(STAGES), "a pin is left of a stage that is gone"


def test_a_comment_does_not_change_the_digest_and_code_does() -> None:
    plain = 'def one() -> str:\n    return "# 1"\n'
    told = '"""Told."""\n\n\ndef one() -> str:  # why\n    """One."""\n\n    # because\n    return "# 1"\n'
    assert code_of(plain) == code_of(told)
    assert code_of(plain) != code_of(plain.replace("1", "2"))


@pytest.mark.slow
@pytest.mark.parametrize("program", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_a_benchmark_starts_by_its_name_from_anywhere(program: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", program, "--help"], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"benchmarks/{program.name}" in done.stdout, "it says itself how it is run"


def test_the_scripts_are_valid_shell() -> None:
    for path in shell_files():
        done = subprocess.run(["sh", "-n", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
