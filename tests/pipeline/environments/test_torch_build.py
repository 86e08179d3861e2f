"""The build of torch that a machine gets, and what of a lock goes with it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.project import CONFIG
from pipeline.base.settings import TorchChoice
from pipeline.engine.project import Project
from pipeline.environments.torch_build import LOCKED, TORCH, TorchBuild, choose_torch, locked_version, wheel_folders

LOCKS = sorted((CONFIG / "environments").glob("*.lock"))
HERE = f"cp{sys.version_info.major}{sys.version_info.minor}"


def _wheel(folder: Path, version: str, python: str = HERE) -> Path:
    path = folder / f"torch-{version}-{python}-{python}-manylinux_2_28_x86_64.whl"
    path.touch()
    return path


def _packages(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))


@pytest.fixture
def linux_pc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.mark.usefixtures("linux_pc")
def test_a_machine_without_a_card_gets_the_small_build_from_a_wheel_if_there_is_one(tmp_path: Path) -> None:
    assert choose_torch("auto", False, []).kind == "cpu-index"
    _wheel(tmp_path, "2.9.0+cpu")
    newest = _wheel(tmp_path, "2.13.0+cpu")
    _wheel(tmp_path, "2.14.0+cpu", python="cp39")
    _wheel(tmp_path, "2.15.0")
    assert choose_torch("auto", False, [tmp_path]) == TorchBuild("cpu-wheel", newest)
    assert choose_torch("cpu", True, [tmp_path]).kind == "cpu-wheel"


def test_elsewhere_the_package_index_has_one_build_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _wheel(tmp_path, "2.13.0+cpu")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert choose_torch("cpu", False, [tmp_path]) == LOCKED


@pytest.mark.parametrize(
    ("choice", "has_card", "kind"),
    [("auto", True, "cuda-index"), ("locked", True, "cuda-index"), ("cpu", True, "locked"), ("auto", False, "locked")],
)
def test_on_windows_torchs_own_index_has_the_build_for_cards(
    choice: TorchChoice, has_card: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    build = choose_torch(choice, has_card, [])
    assert build.kind == kind
    name = build.name((CONFIG / "environments" / "demucs.lock").read_text(encoding="utf-8"))
    assert name == ("2.8.0+cu128" if kind == "cuda-index" else "2.8.0")


@pytest.mark.usefixtures("linux_pc")
def test_a_machine_with_a_card_or_a_user_who_says_so_gets_what_is_locked(tmp_path: Path) -> None:
    assert choose_torch("auto", True, [tmp_path]) == LOCKED
    assert choose_torch("locked", False, [tmp_path]) == LOCKED


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_for_processors_holds_all_but_torch_and_what_is_built_against_it(path: Path) -> None:
    lock = path.read_text(encoding="utf-8")
    kept = _packages(TorchBuild("cpu-wheel", Path("torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl")).lock(lock))
    gone = _packages(lock) - kept
    assert gone <= {"torch", "torchvision", "torchcodec", "triton"} | {p for p in gone if p.startswith("nvidia-")}
    assert "torch" not in kept
    assert _packages(LOCKED.lock(lock)) == _packages(lock)


def test_every_family_with_torch_has_the_same_one_so_that_they_share_its_files() -> None:
    versions = {locked_version(path.read_text(encoding="utf-8"), "torch") for path in LOCKS} - {None}
    assert versions == {"2.8.0"}


def test_the_build_has_a_name_only_where_there_is_torch() -> None:
    lock = "numpy==2.4.6 \\\n    --hash=sha256:00\ntorch==2.8.0 ; python_version < '3.14' \\\n    --hash=sha256:11\n"
    assert LOCKED.name(lock) == "2.8.0"
    assert TorchBuild("cpu-index").name(lock) == "2.8.0+cpu"
    assert TorchBuild("cpu-index").from_index(lock) == ["torch==2.8.0"]
    assert TorchBuild("cpu-index").lock(lock) == "numpy==2.4.6 \\\n    --hash=sha256:00\n"
    assert LOCKED.name("numpy==2.4.6\n") is None


def test_wheels_are_looked_for_where_the_user_and_pip_say(tmp_path: Path) -> None:
    ours, pips = tmp_path / "ours", tmp_path / "pips"
    ours.mkdir()
    pips.mkdir()
    assert wheel_folders(str(ours), {"PIP_FIND_LINKS": f"{pips} {tmp_path}/none"}) == [ours, pips]
    assert wheel_folders("", {}) == []


def test_who_asks_for_a_card_that_was_not_found_gets_the_build_for_cards(make_project: Callable[..., Project]) -> None:
    lock = (CONFIG / "environments" / "speech.lock").read_text(encoding="utf-8")
    built = make_project(device="cuda").installed.torch["speech"]
    assert built in {locked_version(lock, TORCH), f"{locked_version(lock, TORCH)}+cu128"}
