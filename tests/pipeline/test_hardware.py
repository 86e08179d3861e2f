"""What a machine can compute with: from the card's own tool, from device files, or nothing; and the profile for it."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pipeline.hardware import Accelerator, Hardware, describe, detect, suggest
from pipeline.profile import load_profiles
from pipeline.project import CODE_ROOT, CONFIG
from tests.conftest import Reel

PROFILES = load_profiles(CONFIG / "profiles")
BEST, LIGHTEST = next(iter(PROFILES)), list(PROFILES)[-1]


def _tool(folder: Path, script: str) -> str:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


def test_cards_are_those_that_the_tool_lists(tmp_path: Path) -> None:
    path = _tool(tmp_path, "echo 'NVIDIA H200, 143771'; echo 'NVIDIA L4, [N/A]'")
    cards = detect(PROFILES, path, tmp_path).cuda
    assert cards == (Accelerator(name="NVIDIA H200", memory_mib=143771), Accelerator(name="NVIDIA L4"))


@pytest.mark.parametrize("script", ["exit 9", "exit 0", "exec /nowhere"])
def test_a_tool_that_finds_no_card_is_believed(script: str, tmp_path: Path) -> None:
    (tmp_path / "nvidia0").touch()
    assert detect(PROFILES, _tool(tmp_path, script), tmp_path).cuda == ()


def test_without_the_tool_a_device_file_is_a_card(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert [card.name for card in detect(PROFILES, None, tmp_path).cuda] == ["NVIDIA card 0", "NVIDIA card 1"]


def test_an_apple_processor_has_mps_and_mlx_and_no_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    found = detect(PROFILES, _tool(tmp_path, "echo 'NVIDIA H200, 1'"), tmp_path)
    assert (found.mps, found.mlx, found.cuda) == (True, True, ())
    assert "MPS and MLX" in describe(found)


@pytest.mark.parametrize(
    ("cpus", "memory_gib", "accelerated", "profile"),
    [(2, 8.0, False, LIGHTEST), (8, 16.0, False, BEST), (2, 16.0, True, BEST), (8, 4.0, True, LIGHTEST),
     (8, None, False, BEST)],
)  # fmt: skip
def test_the_better_profile_is_for_machines_with_power_to_spare(
    cpus: int, memory_gib: float | None, accelerated: bool, profile: str
) -> None:
    assert suggest(PROFILES, cpus, memory_gib, accelerated) == profile


def test_what_is_remembered_reads_back_the_same(tmp_path: Path) -> None:
    found = detect(PROFILES, None, tmp_path)
    assert Hardware.read(found.write(tmp_path / "hardware_cache.json")) == found


def test_the_doctor_tells_and_writes_nothing(reel: Reel) -> None:
    place = CODE_ROOT / "config" / "hardware_cache.json"
    before = place.stat().st_mtime_ns if place.exists() else None
    told = reel("doctor", expect=None).stdout
    assert "suits the profile" in told
    assert before == (place.stat().st_mtime_ns if place.exists() else None)
