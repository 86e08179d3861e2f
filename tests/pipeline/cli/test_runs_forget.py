"""`reel runs forget`: what earlier runs learned about memory and cards is gone, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.cli.commands import runs_upkeep
from pipeline.cli.options.machine import ForgetRuns
from pipeline.engine.project import Project
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import fallback_steps
from pipeline.store.card_proofs import CardProofs
from pipeline.store.worker_stats import Measurements
from tests.fakes import misbehave


def test_fallbacks_and_proofs_are_forgotten_each_by_its_name(
    make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    project.folders.results.mkdir()
    monkeypatch.setattr(runs_upkeep, "project_of", lambda arguments: project)
    backend = misbehave.STAGE.backends["itself"]
    step = Step("misbehave", misbehave.STAGE, "itself", backend, misbehave.MisbehaveParams(), {}, {})
    for cards in ("one card", "another"):
        measurements = Measurements(project.folders.results, cards)
        measurements.record_fit(fallback_steps(replace(step, placed="cuda"))[0], fell=True)
        measurements.record_load("asr", 2.0)
        measurements.save()
        CardProofs(project.folders.results, cards, project.installed.environments.digest).record(
            "speech", "torch", "broken"
        )
    assert runs_upkeep.forget(ForgetRuns(what="fallbacks")).data == {"forgotten": 2}
    assert Measurements(project.folders.results, "another").fallbacks == {}
    assert Measurements(project.folders.results, "another").of("asr").load_s == 2.0
    assert runs_upkeep.forget(ForgetRuns(what="cards")).data == {"forgotten": 2}
    assert CardProofs(project.folders.results, "another", project.installed.environments.digest).problems() == {}
    assert runs_upkeep.forget(ForgetRuns(what="cards")).data == {"forgotten": 0}
    with pytest.raises(UsageError, match="cannot be forgotten"):
        runs_upkeep.forget(ForgetRuns(what="everything"))


def test_proofs_in_a_folder_that_cannot_be_written_are_kept_for_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    proofs = CardProofs(tmp_path / "file", "a card", lambda family: "digest")
    proofs.record("speech", "torch", "")
    assert proofs.problem("speech", "torch") == ""
    assert proofs.problem("speech", "ctranslate2") is None
