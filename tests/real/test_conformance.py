"""Every backend gives the same bytes cold, warm and in reverse order."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.registry import STAGES
from tests.conftest import ROOT
from tests.real.cases import CASES, HERE, Case, Material
from tests.real.conftest import CaseApp, MakeStages, Stages, call


@pytest.fixture(scope="session")
def two_media(ffmpeg: Path, run_stage: Stages, tmp_path_factory: pytest.TempPathFactory) -> tuple[Material, Material]:
    """Two parts of the sample, of different length and with different first speakers."""
    folder = tmp_path_factory.mktemp("parts")

    def part(name: str, start: str, length: str) -> Material:
        media = folder / f"{name}.mp4"
        demo = ROOT / "samples" / "demo.mp4"
        call(ffmpeg, "-nostdin", "-loglevel", "error", "-ss", start, "-t", length, "-i", demo, media)
        return Material(media, run_stage)

    return part("one", "3", "9"), part("two", "14", "13")


@pytest.mark.parametrize("case", HERE, ids=str)
def test_cold_is_warm_is_reverse_order(
    case: Case, make_stages: MakeStages, case_app: CaseApp, two_media: tuple[Material, Material]
) -> None:
    one, two = two_media
    warm, cold = make_stages(case_app(case)), make_stages(case_app(case))
    forward = [case.run(warm, media).content() for media in (one, two)]
    backward = [case.run(warm, media).content() for media in (two, one)][::-1]
    warm.close()
    fresh = [case.run(cold, media).content() for media in (two, one)][::-1]
    cold.close()
    assert all(forward), "nothing was written"
    assert forward[0] != forward[1], "two media give the same bytes, so the comparison says little"
    assert forward == backward, "the order of jobs changes the bytes"
    assert forward == fresh, "a cold worker gives other bytes"


def test_every_backend_has_one_case() -> None:
    declared = sorted((stage, backend) for stage, one in STAGES.items() for backend in one.backends)
    assert sorted((case.stage, case.backend) for case in CASES) == declared
