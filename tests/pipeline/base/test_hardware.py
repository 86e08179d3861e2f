"""What a machine can compute with: from the card's own tool, from device files, or nothing; and the profile for it."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.app import open_app
from pipeline.base.hardware import Accelerator, Hardware, describe, detect, recall
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.plan.profile import Suits, load_profiles, suggest_profile
from tests.conftest import Reel

PROFILES = load_profiles(CONFIG / "profiles")


def _tool(folder: Path, script: str) -> str:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


def test_cards_are_those_that_the_tool_lists(tmp_path: Path) -> None:
    path = _tool(tmp_path, "echo 'NVIDIA H200, 143771'; echo 'NVIDIA L4, [N/A]'")
    cards = detect(path, tmp_path).cuda
    assert cards == (Accelerator(name="NVIDIA H200", memory_mib=143771), Accelerator(name="NVIDIA L4"))


@pytest.mark.parametrize("script", ["exit 9", "exit 0", "exec /nowhere"])
def test_a_tool_that_finds_no_card_is_believed(script: str, tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    assert detect(_tool(tmp_path, script), tmp_path).cuda == ()


def test_without_the_tool_a_device_file_is_a_card(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert [card.name for card in detect(None, tmp_path).cuda] == ["NVIDIA card 0", "NVIDIA card 1"]


def test_an_apple_processor_has_mps_and_mlx_and_no_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    found = detect(_tool(tmp_path, "echo 'NVIDIA H200, 1'"), tmp_path)
    assert (found.mps, found.mlx, found.cuda) == (True, True, ())
    assert "MPS and MLX" in describe(found)


def _machine(cpus: int, memory_gib: float | None, *accelerators: str) -> Hardware:
    cuda = (Accelerator(name="NVIDIA L4"),) if "cuda" in accelerators else ()
    return Hardware(
        system="Linux", machine="x86_64", cpus=cpus, memory_gib=memory_gib,
        cuda=cuda, mps="mps" in accelerators, mlx="mlx" in accelerators,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "suits"),
    [
        (_machine(2, 8.0), False), (_machine(4, 8.0), True), (_machine(4, None), True), (_machine(8, 4.0), False),
        (_machine(2, 8.0, "cuda"), True), (_machine(2, 8.0, "mps"), True), (_machine(2, 8.0, "mlx"), False),
        (_machine(2, 4.0, "cuda"), False),
    ],
)  # fmt: skip
def test_a_profile_suits_enough_memory_with_an_accelerator_or_else_enough_cores(machine: Hardware, suits: bool) -> None:
    wanted = Suits(accelerators=("cuda", "mps"), cpus=4, memory_gib=7.0)
    assert wanted.accepts(machine) is suits


def test_an_accelerator_is_not_replaced_by_cores_unless_the_profile_says_how_many() -> None:
    wanted = Suits(accelerators=("mlx",))
    assert not wanted.accepts(_machine(64, 512.0, "cuda"))
    assert wanted.accepts(_machine(8, 16.0, "mlx", "mps"))


def test_the_lightest_profile_suits_every_machine_and_is_suggested_to_the_weakest() -> None:
    weakest = _machine(1, 1.0)
    assert suggest_profile(PROFILES, weakest) == list(PROFILES)[-1]
    assert suggest_profile(PROFILES, _machine(32, 128.0, "cuda")) == next(iter(PROFILES))


def test_a_machine_that_nobody_remembers_is_looked_at_without_asking_any_program(tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    assert recall(tmp_path / "hardware_cache.json", tmp_path).cuda == (Accelerator(name="NVIDIA card 0"),)
    (tmp_path / "hardware_cache.json").write_text("{")
    assert recall(tmp_path / "hardware_cache.json", tmp_path / "none").cuda == ()
    _machine(3, 5.0, "cuda").write(tmp_path / "hardware_cache.json")
    assert recall(tmp_path / "hardware_cache.json", tmp_path / "none") == _machine(3, 5.0, "cuda")


@pytest.mark.parametrize(
    ("asked", "torch", "accelerators", "device"),
    [
        ("auto", "auto", ("cuda",), "cuda"), ("auto", "auto", ("mps", "mlx"), "mps"), ("auto", "auto", (), "cpu"),
        ("auto", "cpu", ("cuda",), "cpu"), ("cpu", "auto", ("cuda",), "cpu"), ("cuda", "auto", (), "cuda"),
    ],
)  # fmt: skip
def test_the_device_is_the_users_or_the_best_of_the_machine(
    asked: str, torch: str, accelerators: tuple[str, ...], device: str
) -> None:
    settings = load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, {"device": asked, "torch": torch})
    app = replace(open_app(settings[0]), hardware=_machine(4, 16.0, *accelerators))
    assert app.device == app.choices().device == device


def test_what_is_remembered_reads_back_the_same(tmp_path: Path) -> None:
    found = detect(None, tmp_path)
    assert Hardware.read(found.write(tmp_path / "hardware_cache.json")) == found


def test_the_doctor_tells_and_writes_nothing(reel: Reel) -> None:
    place = CODE_ROOT / "config" / "hardware_cache.json"
    before = place.stat().st_mtime_ns if place.exists() else None
    told = reel("doctor", expect=None).stdout
    assert "suits the profile" in told
    assert before == (place.stat().st_mtime_ns if place.exists() else None)
