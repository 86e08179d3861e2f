"""The doctor's rows about cards: what each is, how much of it is free, and why something does not compute on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.base.card_support import load_card_libraries, usable_hardware
from pipeline.base.hardware import Hardware
from pipeline.base.nvidia import Card, CardUse
from pipeline.base.project import CONFIG
from pipeline.cli.card_rows import card_rows, proof_rows
from pipeline.engine.project import Project
from pipeline.environments.environments import EnvironmentStatus
from pipeline.store.card_proofs import CardProofs

LIBRARIES = load_card_libraries(CONFIG / "cards.toml")
NEW = Card(name="RTX 3090", memory_mib=24576, uuid="GPU-new", capability="8.6", driver="550.54.14")
OLD = Card(name="GTX 1060", memory_mib=6144, uuid="GPU-old", capability="6.1", driver="550.54.14")


def _rows(*cards: Card, trouble: str = "", **environ: str) -> list[tuple[str, str, str]]:
    machine = Hardware(
        system="Linux", machine="x86_64", cpus=8, memory_gib=31.0, cuda=cards, mps=False, mlx=False,
        card_trouble=trouble,
    )  # fmt: skip
    use = {NEW.uuid: CardUse(25769.8, 10737.4, {}, 0.42)}
    return card_rows(machine, usable_hardware(machine, LIBRARIES, environ), use, environ)


def test_a_good_card_is_told_with_its_memory_and_driver() -> None:
    told = "RTX 3090, 24.0 GiB, 10.0 GiB free now and 42 % busy, compute capability 8.6, driver 550.54.14"
    assert _rows(NEW) == [("ok", "card", told)]
    assert _rows() == []


def test_what_does_not_compute_on_it_is_told_with_the_reason() -> None:
    card, reason = _rows(OLD)
    assert card[0] == "ok"
    assert reason[:2] == ("note", "card, torch")
    assert reason[2].startswith("on the processor: torch 2.8.0 has no code for the GTX 1060")


def test_a_card_that_is_not_used_is_told() -> None:
    assert ("note", "card", "GTX 1060 is not used: more computes on the other") in _rows(OLD, NEW)
    assert ("note", "card", "RTX 3090 is not used: CUDA_VISIBLE_DEVICES hides it") in _rows(
        OLD, NEW, CUDA_VISIBLE_DEVICES="0"
    )
    assert ("note", "card", "GTX 1060 is not used: more computes on the other") in _rows(
        OLD, NEW, CUDA_VISIBLE_DEVICES="0,1"
    )
    hidden = "CUDA_VISIBLE_DEVICES=-1 hides every card, so all computes on the processor"
    assert ("note", "card", hidden) in _rows(NEW, CUDA_VISIBLE_DEVICES="-1")


def test_what_the_tool_complains_of_is_told() -> None:
    hung = "nvidia-smi gave no answer within 10 s"
    assert _rows(trouble=hung) == [("note", "card, torch, ctranslate2", f"on the processor: {hung}")]
    assert ("note", "card", "nvidia-smi: [GPU is lost]") in _rows(NEW, trouble="nvidia-smi: [GPU is lost]")


def test_what_computes_is_proved_where_it_is_built_and_remembered(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    project.folders.results.mkdir()
    ready = EnvironmentStatus("speech", "ready", project.folders.environments)
    monkeypatch.setattr(project.installed.environments, "status", lambda family: ready)
    told = {("speech", "torch"): "CUDA error: no kernel image", ("speech", "ctranslate2"): ""}
    monkeypatch.setattr(project.installed.environments, "prove", lambda family, library, card: told[family, library])
    proofs = CardProofs(project.folders.results, "a card", project.installed.environments.digest)
    usable = Hardware(system="Linux", machine="x86_64", cpus=8, memory_gib=31.0, cuda=(NEW,), mps=False, mlx=False)
    assert proof_rows(usable, {}, project.installed.environments, ["speech", "lite"], proofs) == [
        ("ok", "card, ctranslate2 of speech", "computes on the card"),
        ("note", "card, torch of speech", "on the processor: CUDA error: no kernel image"),
    ]
    assert proofs.problems() == {"speech/torch": "CUDA error: no kernel image"}
    none = usable.model_copy(update={"cuda": ()})
    assert proof_rows(none, {}, project.installed.environments, ["speech"], proofs) == []


@pytest.mark.parametrize(
    ("problem", "free_mb"),
    [("RuntimeError: CUDA failed with error out of memory", 9e9), ("RuntimeError: CUBLAS_STATUS_NOT_INITIALIZED", 300)],
)
def test_a_failure_on_a_full_card_is_told_and_proves_nothing(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch, problem: str, free_mb: float
) -> None:
    project = make_project()
    ready = EnvironmentStatus("speech", "ready", project.folders.environments)
    monkeypatch.setattr(project.installed.environments, "status", lambda family: ready)
    monkeypatch.setattr(project.installed.environments, "prove", lambda family, library, card: problem)
    proofs = CardProofs(project.folders.results, "a card", project.installed.environments.digest)
    usable = Hardware(system="Linux", machine="x86_64", cpus=8, memory_gib=31.0, cuda=(NEW,), mps=False, mlx=False)
    use = {NEW.uuid: CardUse(25769.8, free_mb, {})}
    rows = proof_rows(usable, use, project.installed.environments, ["speech"], proofs)
    assert {row[2] for row in rows} == {f"not proved, since the card is full: {problem}"}
    assert proofs.problems() == {}
