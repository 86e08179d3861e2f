"""Skeletons of stages and backends: what is written passes the checks of the project, for every stage there is."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput, ReelError, UsageError
from pipeline.cli.main import main
from pipeline.cli.skeletons import Skeleton, check_backend_name, check_stage_name, write_skeleton
from pipeline.cli.skeletons.new_backend import new_backend
from pipeline.cli.skeletons.new_stage import new_stage
from pipeline.cli.skeletons.python_source import class_named
from pipeline.plan.registry import STAGES
from tests.conftest import ROOT


def ruff(folder: Path) -> None:
    """Check style and form as the project does."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    ours = 'lint.isort.known-first-party = ["pipeline", "shared", "stages", "tests"]'  # whose files are not here
    for words in (["check", "--config", ours], ["format", "--check", "--diff"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *words, "."], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a", "talk_share", "s" * 30])
def test_a_new_stage_passes_the_checks_of_style(name: str, tmp_path: Path) -> None:
    write_skeleton(tmp_path, new_stage(name, ROOT))
    ruff(tmp_path)
    contract = (tmp_path / "stages" / name / "stage.py").read_text(encoding="utf-8")
    assert f'name="{name}"' in contract
    assert f'Case("{name}", "plain"' in (tmp_path / "tests" / "real" / "cases.py").read_text(encoding="utf-8")


def test_a_new_backend_of_every_stage_has_all_methods_and_passes_the_checks_of_style(tmp_path: Path) -> None:
    with_a_case: list[str] = []
    for stage in STAGES.values():
        made = new_backend(stage, "a-new-one", None, ROOT)
        write_skeleton(tmp_path, made)
        before = (ROOT / "stages" / stage.name / "stage.py").read_text(encoding="utf-8")
        changed = made.changed[f"stages/{stage.name}/stage.py"]
        assert set(before.split()) <= {*changed.split(), ")"}, "nothing is lost"
        engine = class_named(ast.parse(before), "Engine")
        assert engine is not None
        module = ast.parse(made.written[f"stages/{stage.name}/a_new_one.py"])
        written = {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
        assert {node.name for node in engine.body if isinstance(node, ast.FunctionDef)} <= written
        cases = " ".join(made.changed.get("tests/real/cases.py", "").split())
        with_a_case += [stage.name] if f'"{stage.name}", "a-new-one"' in cases else []
    assert len(with_a_case) > len(STAGES) / 2
    ruff(tmp_path)


def test_a_backend_begins_as_the_one_that_is_named() -> None:
    made = new_backend(STAGES["vad"], "mine", "pyannote", ROOT)
    assert "from stages.vad.pyannote import load as load_pyannote" in made.written["stages/vad/mine.py"]
    assert made.changed["stages/vad/stage.py"].count('environment="speech"') >= 2


def test_a_stage_whose_backends_are_made_by_a_function_is_refused_with_the_reason() -> None:
    for stage, like in (("condense", "openai"), ("vad", "no-such"), ("refine", "openai")):
        with pytest.raises(UsageError, match=rf"stages/{stage}/stage\.py") as raised:
            new_backend(STAGES[stage], "mine", like, ROOT)
        assert raised.value.code == "skeleton.declaration"


@pytest.mark.parametrize("name", ["", "Chapters", "talk-share", "1st", "../x", "import", "s" * 31])
def test_a_name_that_cannot_be_a_module_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a stage"):
        check_stage_name(name, ())
    if name != "talk-share":
        with pytest.raises(UsageError, match="cannot be the name of a backend"):
            check_backend_name(name, ())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("stage new vad", "skeleton.taken"),
        ("stages new toolkit", "skeleton.taken"),
        ("stages new-backend vad silero", "skeleton.taken"),
        ("stage new-backend vda mine", "stage.unknown"),
        ("stages new", "usage.missing"),
    ],
)
def test_the_commands_refuse_before_anything_is_written(
    words: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    assert f"[{code}]" in capsys.readouterr().err


def test_no_file_that_is_there_is_written_over(tmp_path: Path) -> None:
    skeleton = Skeleton({"one.py": "new\n", "two.py": "new\n"}, {"three.py": "changed\n"})
    (tmp_path / "two.py").write_text("mine\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"two\.py is there already") as raised:
        write_skeleton(tmp_path, skeleton)
    assert isinstance(raised.value, ReelError)
    assert [path.name for path in tmp_path.iterdir()] == ["two.py"]
    assert (tmp_path / "two.py").read_text(encoding="utf-8") == "mine\n"
