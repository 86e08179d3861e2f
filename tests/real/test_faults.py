"""A backend whose process is killed, hangs or has too little memory says so, and harms neither its models nor what
comes next. Each family of environments is put to all of these, with a real backend that is loaded or being loaded."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.verified import wrong_files
from tests.processes import children
from tests.real.cases import Case, Material
from tests.real.conftest import CaseProject, MakeStages
from tests.real.faults import STARTED, WITNESSED, Failed, Fault, fail
from tests.real.witness import Witness

_LIMIT_GIB = 0.02  # less than a worker holds that has begun to import what it needs


@pytest.mark.parametrize("case", WITNESSED, ids=str)
def test_a_backend_that_fails_in_its_work_says_how_and_the_next_worker_gives_the_same_bytes(
    case: Case, witness: Witness, case_project: CaseProject
) -> None:
    seen = witness(case)
    assert seen.failed is not None
    _assert_told(case, seen.failed)
    assert seen.elsewhere == seen.forward
    models = case_project(case).installed.models
    assert [sentence for tiny in case.tiny.values() for sentence in wrong_files(models, tiny.name)] == []


@pytest.mark.parametrize(("case", "fault"), STARTED, ids=str)
def test_each_family_fails_in_each_way_with_an_error_of_its_own(
    case: Case, fault: Fault, case_project: CaseProject, make_stages: MakeStages, two_media: tuple[Material, Material],
    tmp_path: Path,
) -> None:  # fmt: skip
    project = case_project(case)
    case.job(two_media[0])  # by workers that have no part in it
    others = children(os.getpid())
    if fault is Fault.STARVED:
        settings = project.settings.model_copy(update={"memory_limit_gib": _LIMIT_GIB})
        project = replace(project, installed=replace(project.installed, settings=settings))
    stages = make_stages(project)
    failed = fail(case, fault, stages, two_media[0], others, tmp_path)
    stages.close()
    _assert_told(case, failed)


def _assert_told(case: Case, failed: Failed) -> None:
    error, family = failed.error, case.declared.environment
    assert error.code == failed.fault
    assert error.message.startswith((f"{case.stage} ({case.backend}) ", f"{family} ")), error.message
    assert error.log is not None
    assert error.log.exists()
    assert failed.left == ()
