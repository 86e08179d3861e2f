"""IndicTrans2's own code is checked before it may run, and of its models the one for what is spoken is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import StageRefused, UsageError
from pipeline.engine.project import Project
from shared.documents.transcript import Transcript
from tests.real.cases import CASES, Material
from tests.real.conftest import CaseProject, MakeStages

CASE = next(case for case in CASES if case.backend == "indictrans2")


def test_code_that_differs_from_the_lock_is_refused_and_never_run(
    case_project: CaseProject, make_stages: MakeStages, material: Material, tmp_path: Path
) -> None:
    project: Project = case_project(CASE)
    ran = tmp_path / "ran"
    code = project.installed.models.snapshot("indictrans2-en-indic-dist-200m") / "modeling_indictrans.py"
    kept = code.read_bytes()
    try:
        code.unlink()
        code.write_bytes(f"open({str(ran)!r}, 'w').close()\n".encode() + kept)
        # The quick check goes by sizes; here one is made to fit, as a harm of the same length would.
        problem = project.installed.models.problem("indictrans2-en-indic-dist-200m")
        assert problem
        assert "modeling_indictrans.py" in problem
        code.write_bytes((f"open({str(ran)!r}, 'w').close()\n".encode() + kept)[: len(kept)])
        with pytest.raises(StageRefused) as refusal:
            CASE.run(make_stages(project), material)
    finally:
        code.write_bytes(kept)
    assert refusal.value.code == "model.code"
    assert "modeling_indictrans.py" in refusal.value.message
    assert not ran.exists()
    assert CASE.run(make_stages(project), material).file("translation").exists()


def test_the_language_spoken_decides_which_direction_is_loaded(
    case_project: CaseProject, make_stages: MakeStages, material: Material, tmp_path: Path
) -> None:
    """Nobody has told it, so both directions into Hindi are planned; the cache holds the one from English alone."""
    stages = make_stages(case_project(CASE))
    inputs, params = CASE.job(material)
    assert stages(CASE.stage, inputs, params, CASE.backend).facts["source"] == "en"
    tamil = Transcript.read(material.said).model_copy(update={"language": "ta"}).write(tmp_path / "tamil.json")
    with pytest.raises(UsageError, match="indic-indic"):
        stages(CASE.stage, {**inputs, "transcript": tamil}, params, CASE.backend)
