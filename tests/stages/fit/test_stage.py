"""Stage `fit` judges a subtitle by a few stretches of a film, or leaves it to recognition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import Region, SpeechRegions
from shared.documents.subtitle_sync import SubtitleFit
from shared.documents.transcript import Transcript
from shared.stage import Job
from stages.fit.evidence import EvidenceEngine
from stages.fit.stage import FitInputs, FitParams, run, uncovered
from stages.sample.spread import Spread
from tests.fakes.listener import Audience
from tests.fakes.spoken_film import DAMAGES, Film, Subtitled, film, sheet, translated

MADE = film(1, 150)


def sampled(made: Film) -> Transcript:
    """Return what a recogniser hears of a few stretches."""
    regions = Spread().stretches(made.speech.regions, 6, 15_000)
    (segment,) = made.heard.segments
    words = [word for word in segment.words if any(one.start_ms <= word.start_ms < one.end_ms for one in regions)]
    return made.heard.model_copy(update={"segments": (segment.model_copy(update={"words": tuple(words)}),)})


def fit(
    tmp_path: Path, cues: Sequence[Subtitled], language: str = "en", params: FitParams | None = None
) -> tuple[SubtitleFit, SpeechRegions | None, list[str]]:
    """Return the report, what is left to recognise, and what the user is told."""
    audience = Audience()
    inputs = FitInputs(
        cues=sheet(cues, language).write(tmp_path / "cues.json"),
        speech=MADE.speech.write(tmp_path / "speech.json"),
        heard=sampled(MADE).write(tmp_path / "heard.json"),
    )
    out = tmp_path / "out"
    out.mkdir()
    outputs = run(EvidenceEngine(), Job(inputs, params or FitParams(), out, "evidence", audience))
    rest = SpeechRegions.read(outputs.rest) if outputs.rest else None
    return SubtitleFit.read(outputs.report), rest, audience.warnings


def test_a_subtitle_in_step_leaves_nothing_to_recognise(tmp_path: Path) -> None:
    report, rest, warnings = fit(tmp_path, MADE.cues)
    assert (report.verdict, report.proven, warnings) == ("fits", True, [])
    assert report.on_speech > 0.9
    assert report.agreeing > 0.6
    assert rest is not None
    assert rest.regions == ()


@pytest.mark.parametrize("damage", ["90 s late", "25 for 23.976 frames"])
def test_one_move_of_all_cues_is_proven_by_a_few_stretches(tmp_path: Path, damage: str) -> None:
    report, rest, warnings = fit(tmp_path, list(DAMAGES[damage](MADE)))
    assert (report.verdict, report.proven, len(report.shifts)) == ("moved", True, 1)
    assert rest is not None
    assert "out of step" in warnings[0]


def test_another_cut_is_heard_from_beginning_to_end(tmp_path: Path) -> None:
    report, rest, _ = fit(tmp_path, list(DAMAGES["a scene cut out"](MADE)))
    assert (report.verdict, report.proven, rest) == ("moved", False, None)


def test_a_user_may_want_everything_heard(tmp_path: Path) -> None:
    report, rest, _ = fit(tmp_path, list(DAMAGES["90 s late"](MADE)), params=FitParams(hear_all=True))
    assert (report.verdict, report.proven, rest) == ("moved", False, None)


def test_another_language_is_proven_by_its_times_and_needs_no_recognition(tmp_path: Path) -> None:
    report, rest, _ = fit(tmp_path, translated(DAMAGES["90 s late"](MADE)), "pt")
    assert (report.verdict, report.text_language, report.speech_language) == ("other-language", "pt", "en")
    assert report.speech_rating is not None
    assert rest is not None


@pytest.mark.parametrize("language", ["en", "pt"])
def test_the_subtitle_of_another_episode_is_refused_with_numbers(tmp_path: Path, language: str) -> None:
    other = film(2, 150).cues
    report, rest, warnings = fit(tmp_path, other if language == "en" else translated(other), language)
    assert (report.verdict, report.proven, rest) == ("refused", False, None)
    assert any(letter.isdigit() for letter in report.reason)
    assert report.reason in warnings[0]


def test_speech_without_a_cue_is_left_to_recognition_on_request(tmp_path: Path) -> None:
    gap = [cue for cue in MADE.cues if not 60_000 <= cue.start_ms < 90_000]
    _, rest, _ = fit(tmp_path, gap, params=FitParams(fill=True))
    assert rest is not None
    assert sum(one.end_ms - one.start_ms for one in rest.regions if 59_000 <= one.start_ms < 92_000) > 8_000


_SPANS = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 100)), max_size=8).map(
    lambda some: [Region(start_ms=start, end_ms=start + length) for start, length in sorted(some)]
)


@given(_SPANS, _SPANS, st.integers(0, 50))
def test_uncovered_speech_is_speech_that_no_cue_covers(
    speech: list[Region], shown: list[Region], shortest_ms: int
) -> None:
    apart = [one for number, one in enumerate(speech) if not number or one.start_ms >= speech[number - 1].end_ms]
    left = uncovered(apart, shown, shortest_ms)
    assert all(one.end_ms - one.start_ms >= max(1, shortest_ms) for one in left)
    for one in left:
        assert any(region.start_ms <= one.start_ms and one.end_ms <= region.end_ms for region in apart)
        assert not any(cue.start_ms < one.end_ms and one.start_ms < cue.end_ms for cue in shown)
