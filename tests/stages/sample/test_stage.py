"""The stretches that stage `sample` chooses are speech from all parts of a film."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.stage import Job
from stages.sample.spread import Spread
from stages.sample.stage import SampleInputs, SampleParams, run
from tests.fakes.listener import Audience
from tests.fakes.spoken_film import film, sheet


def regions_of(spans: list[tuple[int, int]]) -> list[Region]:
    at, made = 0, []
    for pause, length in spans:
        made.append(Region(start_ms=at + pause, end_ms=at + pause + length))
        at = made[-1].end_ms
    return made


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 20_000)), max_size=60).map(regions_of),
    st.integers(1, 12), st.integers(1, 40_000),
)  # fmt: skip
def test_stretches_are_whole_regions_in_order_and_no_more_than_asked_for(
    regions: list[Region], count: int, length_ms: int
) -> None:
    chosen = Spread().stretches(regions, count, length_ms)
    assert list(chosen) == sorted({one.start_ms: one for one in chosen}.values(), key=lambda one: one.start_ms)
    assert set(chosen) <= set(regions)
    assert bool(chosen) == bool(regions)
    assert sum(one.end_ms - one.start_ms for one in chosen) <= count * (length_ms + 20_000)


def test_every_part_of_a_film_is_sampled() -> None:
    made = film(1, 400)
    chosen = Spread().stretches(made.speech.regions, 10, 20_000)
    parts = {one.start_ms * 10 // made.speech.duration_ms for one in chosen}
    assert len(parts) >= 9


def sample(tmp_path: Path, cues: CueSheet) -> SpeechRegions:
    made = film(1)
    inputs = SampleInputs(cues=cues.write(tmp_path / "cues.json"), speech=made.speech.write(tmp_path / "speech.json"))
    out = tmp_path / "out"
    out.mkdir()
    return SpeechRegions.read(run(Spread(), Job(inputs, SampleParams(), out, "spread", Audience())).speech)


def test_a_short_film_is_heard_as_a_whole(tmp_path: Path) -> None:
    assert sample(tmp_path, sheet(film(1).cues)) == film(1).speech


def test_a_subtitle_without_cues_needs_no_recognition(tmp_path: Path) -> None:
    assert sample(tmp_path, CueSheet(language="en", cues=())).regions == ()
