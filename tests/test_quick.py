"""The tests that `./scripts/test` runs need no stage environment: a test is slow by what it uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.project import CONFIG
from pipeline.environments.families import load_families
from tests.conftest import ROOT, Reel, is_slow


def test_a_test_is_slow_by_its_folder_or_its_fixtures() -> None:
    elsewhere = ROOT / "tests" / "pipeline" / "test_a.py"
    assert is_slow(ROOT / "tests" / "real" / "test_asr.py", ())
    assert is_slow(elsewhere, ("tmp_path", "stage_environments"))
    assert is_slow(elsewhere, ("tmp_path", "reel"))
    assert not is_slow(elsewhere, ("tmp_path", "bench"))
    assert not is_slow(elsewhere, ("reel",), smoke=True)
    assert is_slow(elsewhere, ("reel", "stage_environments"), smoke=True)


def test_the_marks_are_as_the_rule_says(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        smoke = item.get_closest_marker("smoke") is not None
        if is_slow(item.path, getattr(item, "fixturenames", ()), smoke=smoke):
            assert item.get_closest_marker("slow"), item.nodeid


def test_a_quick_test_has_the_core_environment_and_can_have_no_other(core_alone: Path) -> None:
    names = {path.name for path in core_alone.iterdir()}
    assert names == {"core", *load_families(CONFIG / "environments.toml")}
    assert [path.name for path in core_alone.iterdir() if path.is_dir()] == ["core"]


@pytest.mark.smoke
def test_a_command_in_a_quick_test_builds_no_environment(reel: Reel, core_alone: Path) -> None:
    assert reel.environments == core_alone
    done = reel("envs", "ensure", "suber", expect=None)
    assert done.returncode != 0
    assert (core_alone / "suber").is_file()


def test_the_pipeline_runs_every_test_and_a_person_the_quick_ones() -> None:
    assert '/scripts/test" --all\n' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert '/scripts/test-tools"\n' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    script = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    assert "apt" not in script, "a person's own system stays as it is"
    assert '"") set -- --numprocesses auto --no-loadscope-reorder -m "not slow" --ignore tests/real ;;' in script
    assert "envs ensure" not in script
    assert "models fetch" not in script
