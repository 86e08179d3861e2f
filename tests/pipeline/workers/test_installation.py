"""A project on a machine with a card: what the user's variable and earlier proofs leave of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pipeline.base.hardware import Hardware, cards_key
from pipeline.base.nvidia import Card
from pipeline.base.settings import TorchChoice
from pipeline.engine.project import Project
from pipeline.environments.torch_build import LOCKED, TorchBuild
from pipeline.store.card_proofs import CardProofs
from pipeline.workers import installation

CARD = Card(name="RTX 3090", memory_mib=24576, uuid="GPU-1", capability="8.6", driver="550.54.14")


@pytest.fixture
def make_project_with_card(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Project]:
    machine = Hardware(system="Linux", machine="x86_64", cpus=8, memory_gib=31.0, cuda=(CARD,), mps=False, mlx=False)
    monkeypatch.setattr(installation, "recall", lambda *places, **options: machine)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return make_project


@pytest.mark.parametrize(
    ("chosen", "device"),
    [(None, "cuda"), ("0", "cuda"), ("GPU-1", "cuda"), ("", "cpu"), ("-1", "cpu"), ("9", "cpu"), ("GPU-2", "cpu")],
)
def test_a_variable_that_hides_the_card_moves_the_work_and_leaves_the_build_for_cards(
    make_project_with_card: Callable[[], Project], monkeypatch: pytest.MonkeyPatch, chosen: str | None, device: str
) -> None:
    built: list[bool] = []

    def note(choice: TorchChoice, has_card: bool, folders: Iterable[Path]) -> TorchBuild:
        built.append(has_card)
        return LOCKED

    monkeypatch.setattr(installation, "choose_torch", note)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    project = make_project_with_card()
    assert (project.installed.device, project.planner.device) == (device, device)
    assert built == [True]


def test_what_did_not_compute_before_is_planned_on_the_processor_until_the_driver_changes(
    make_project_with_card: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project_with_card()
    installed = project.installed
    project.folders.results.mkdir(parents=True)
    CardProofs(project.folders.results, cards_key(installed.hardware), installed.environments.digest).record(
        "speech", "torch", "no kernel image"
    )
    assert make_project_with_card().planner.options().card_problems == {"speech/torch": "no kernel image"}
    updated = installed.hardware.model_copy(
        update={"cuda": (CARD.model_copy(update={"driver": "570.86.10"}),), "card_problems": {}}
    )
    monkeypatch.setattr(installation, "recall", lambda *places, **options: updated)
    assert make_project_with_card().planner.options().card_problems == {}
