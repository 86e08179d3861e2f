"""The hardware is read from the tool of the card's driver or from device files, and decides the profile."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.hardware import Hardware, available_cores, describe, detect, find_memory_mb, recall
from pipeline.base.nvidia import Card
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.project import open_project
from pipeline.plan.profile import Suits, load_profiles, suggest_profile
from tests.conftest import Reel
from tests.fakes.nvidia import broken_tool, fake_card, fake_tool

PROFILES = load_profiles(CONFIG / "profiles")


def test_an_apple_processor_has_mps_and_mlx_and_no_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    found = detect(fake_tool(tmp_path, [fake_card()]), tmp_path)
    assert (found.mps, found.mlx, found.cuda) == (True, True, ())
    assert "MPS and MLX" in describe(found)


def _machine(cpus: int, memory_gib: float | None, *accelerators: str) -> Hardware:
    cuda = (Card(name="NVIDIA L4"),) if "cuda" in accelerators else ()
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


def test_a_machine_without_a_driver_for_cards_is_looked_at_each_time_and_not_remembered(tmp_path: Path) -> None:
    place = tmp_path / "hardware_cache.json"
    assert recall(place, None, tmp_path, tmp_path).cuda == ()
    assert not place.exists()
    place.write_text("{", encoding="utf-8")
    assert recall(place, None, tmp_path, tmp_path).cuda == ()
    _machine(3, 5.0).write(place)
    assert recall(place, None, tmp_path, tmp_path) == _machine(3, 5.0)


def test_cards_are_asked_for_once_until_they_or_their_driver_change(tmp_path: Path) -> None:
    place, devices, driver = tmp_path / "hardware_cache.json", tmp_path / "dev", tmp_path / "driver"
    devices.mkdir()
    driver.mkdir()
    (devices / "nvidia0").touch()
    (driver / "version").write_text("NVRM version: 550.54.14", encoding="utf-8")
    path = fake_tool(tmp_path / "tool", [fake_card()])
    first = recall(place, path, devices, driver)
    assert [card.capability for card in first.cuda] == ["8.6"]
    fake_tool(tmp_path / "tool", [])
    assert recall(place, path, devices, driver) == first, "not asked again"
    fake_tool(tmp_path / "tool", [fake_card(driver="570.86.10")])
    (driver / "version").write_text("NVRM version: 570.86.10", encoding="utf-8")
    assert recall(place, path, devices, driver).cuda[0].driver == "570.86.10"
    (devices / "nvidia0").unlink()
    broken_tool(tmp_path / "tool", "#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    lost = recall(place, path, devices, driver)
    assert (lost.cuda, lost.card_trouble) == ((), "nvidia-smi: NVIDIA-SMI has failed")
    fake_tool(tmp_path / "tool", [fake_card()])
    assert recall(place, path, devices, driver).cuda, "a failure is not remembered"


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
    planner = replace(open_project(settings[0]).planner, hardware=_machine(4, 16.0, *accelerators))
    assert planner.device == planner.options().device == device


def test_what_is_remembered_reads_back_the_same(tmp_path: Path) -> None:
    found = detect(None, tmp_path)
    assert Hardware.read(found.write(tmp_path / "hardware_cache.json")) == found


def test_the_doctor_tells_and_writes_nothing(reel: Reel) -> None:
    place = CODE_ROOT / "config" / "hardware_cache.json"
    before = place.stat().st_mtime_ns if place.exists() else None
    told = reel("doctor", expect=None).stdout
    assert "suits the profile" in told
    assert before == (place.stat().st_mtime_ns if place.exists() else None)


def _no_affinity(monkeypatch: pytest.MonkeyPatch, folder: Path, answer: str) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    program = folder / "sysctl"
    program.write_text(f'#!/bin/sh\n[ "$2" = hw.perflevel0.logicalcpu ] && {answer}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(("answer", "cores"), [("echo 8", 8), ("exit 1", 12), ("echo unknown oid", 12)])
def test_of_a_mac_the_performance_cores_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, cores: int
) -> None:
    _no_affinity(monkeypatch, tmp_path, answer)
    assert available_cores() == cores


def test_where_the_system_has_no_sysconf_the_library_tells_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = find_memory_mb()
    monkeypatch.delattr(os, "sysconf")
    told = find_memory_mb()
    assert usual is not None
    assert told is not None
    assert told >= usual * 0.95  # a container may have less than the machine


@pytest.mark.parametrize(
    ("name", "mib", "problems", "profile"),
    [
        ("GTX 1060", 6144, {"torch": "no code"}, "balanced"), ("MX150", 2002, {"torch": "no code"}, "balanced"),
        ("RTX 3050", 4096, {}, "balanced"), ("RTX 2060", 5934, {}, "best"), ("RTX 3090", 24576, {}, "best"),
    ],
)  # fmt: skip
def test_a_card_suits_a_profile_by_its_memory_and_by_what_computes_on_it(
    name: str, mib: int, problems: dict[str, str], profile: str
) -> None:
    machine = _machine(8, 31.0, "cuda").model_copy(
        update={"cuda": (Card(name=name, memory_mib=mib),), "card_problems": problems}
    )
    assert suggest_profile(PROFILES, machine) == profile
