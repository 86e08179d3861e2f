"""Each kind of machine with a card, from its driver's tool to the plan: what computes on the card, and the one sentence
about what does not."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pipeline.base.card_support import load_card_libraries, usable_hardware
from pipeline.base.hardware import detect
from pipeline.base.project import CONFIG
from pipeline.plan.make_plan import make_plan
from pipeline.plan.options import PlanOptions
from pipeline.plan.placement import off_card_notes
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe
from tests.fakes.nvidia import broken_tool, fake_card, fake_tool

LIBRARIES = load_card_libraries(CONFIG / "cards.toml")
PROFILES = load_profiles(CONFIG / "profiles")
WHISPER, TORCH = {"asr", "translate:en"}, {"separate", "align", "diarize"}
ALL = WHISPER | TORCH

A100_SLICES = "GPU 0: A100 (UUID: GPU-00000000-0000-0000-0000-000000000000)\n  MIG 3g.40gb Device 0: (UUID: MIG-aaaa)\n"
LINUX, WINDOWS, ARM = ("Linux", "x86_64"), ("Windows", "AMD64"), ("Linux", "aarch64")


def _on_card(
    path: str, devices: Path, system: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[set[str], list[str]]:
    """Return the steps of a job with the profile `best` that are planned on the card, and what is said of others."""
    monkeypatch.setattr(platform, "system", lambda: system[0])
    monkeypatch.setattr(platform, "machine", lambda: system[1])
    usable = usable_hardware(detect(path, devices, devices), LIBRARIES, {})
    options = PlanOptions(
        "subtitle", "best", PROFILES["best"], ("en",), {"translate": {"backend": "whisper"}}, device=usable.device,
        card_problems=usable.card_problems,
    )  # fmt: skip
    steps = make_plan(load_recipe("subtitle", CONFIG / "recipes"), options).steps
    return {step.id for step in steps if step.device == "cuda"}, off_card_notes(steps)


@pytest.mark.parametrize(
    ("card", "system", "on_card", "says"),
    [
        (fake_card("GTX 1650", "7.5", 4096, "535.183.01"), LINUX, ALL, ""),
        (fake_card("RTX 4090", "8.9", 24564, "525.60.13"), LINUX, ALL, ""),
        (fake_card("V100", "7.0", 16384), LINUX, ALL, ""),
        (fake_card("GTX 1060", "6.1", 6144), LINUX, WHISPER, "torch 2.8.0 has no code for the GTX 1060"),
        (fake_card("P100", "6.0", 16384), LINUX, WHISPER, "torch 2.8.0 has no code for the P100"),
        (fake_card("H100", "9.0", 81559, "550.54.14"), LINUX, TORCH, "needs driver 570.26 or newer"),
        (fake_card("H100", "9.0", 81559, "570.86.10"), LINUX, ALL, ""),
        (fake_card("RTX 5090", "12.0", 32607, "570.86.10"), LINUX, ALL, ""),
        (fake_card("RTX 3060", "8.6", 12288, "515.43.04"), LINUX, set(), "update the driver"),
        (fake_card("K80", "3.7", 11441), LINUX, set(), "has no code for the K80"),
        (fake_card("GH200", "9.0", 97871, "570.86.10"), ARM, set(), "for Linux aarch64 computes on the processor only"),
        (fake_card("RTX 3060", "8.6", 12288, "531.14"), WINDOWS, ALL, ""),
        (fake_card("RTX 3060", "8.6", 12288, "516.94"), WINDOWS, set(), "needs driver 527.41 or newer"),
        (fake_card("A100", "8.0", 81920, mig="Enabled"), LINUX, ALL, ""),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_a_machine_computes_on_its_card_or_says_in_one_sentence_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: dict[str, str], system: tuple[str, str], on_card: set[str],
    says: str,
) -> None:  # fmt: skip
    found, notes = _on_card(fake_tool(tmp_path / "tool", [card], A100_SLICES), tmp_path, system, monkeypatch)
    assert found == on_card
    assert len({note.partition("; ")[2].partition(" ")[0] for note in notes}) == len(notes), "one for each library"
    assert bool(notes) == bool(says)
    assert says in " ".join(notes)


def test_a_driver_whose_tool_fails_or_hangs_is_told_once_for_all_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = broken_tool(tmp_path / "tool", '#!/bin/sh\necho "couldn\'t find libnvidia-ml.so"\nexit 12\n')
    found, notes = _on_card(broken, tmp_path, LINUX, monkeypatch)
    assert found == set()
    assert len(notes) == 1
    assert "couldn't find libnvidia-ml.so" in notes[0]


def test_of_two_cards_the_one_that_all_libraries_know_is_taken_whichever_is_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = fake_card("GTX 1060", "6.1", 6144), fake_card("RTX 3090", "8.6", 24576)
    for number, cards in enumerate(([old, new], [new, old])):
        found, notes = _on_card(fake_tool(tmp_path / f"tool{number}", cards), tmp_path, LINUX, monkeypatch)
        assert (found, notes) == (ALL, [])
