"""Shot changes are found, and cues keep to them without losing a word, whatever the times."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue
from shared.documents.media import Media, Track
from shared.documents.shots import Shots
from shared.documents.speech import Region
from shared.documents.transcript import Transcript
from shared.stage import Job
from shared.text.guide_limits import GuideParams, Limits
from shared.text.text_width import places_of_lines
from stages.shots.stage import Difference, ShotsInputs, ShotsParams, decide, find_changes, run, stub
from stages.subtitle.layout import LayoutEngine
from stages.subtitle.shot_changes import keep_to_shots
from stages.subtitle.stage import LayoutOptions
from stages.subtitle.times import needed_ms
from stages.toolkit.cues.rules import check
from tests.conftest import examples
from tests.fakes.listener import Audience
from tests.stages.subtitle.test_stage import any_limits, transcripts

LIMITS = GuideParams(reading_speed=20.0).limits("en", 25.0)  # a frame is 40 ms, the zone 480, its red part 280
END_MS = 60_000


def found(*pairs: tuple[int, float]) -> tuple[int, ...]:
    return find_changes([Difference(*pair) for pair in pairs], 25.0, ShotsParams())


def test_a_picture_that_differs_from_the_one_before_it_begins_a_shot() -> None:
    assert found((1000, 30.0), (4000, 5.0), (5000, 12.0)) == (1000, 5000)


def test_pictures_that_all_differ_are_movement() -> None:
    assert found(*((40 * number, 10.0 + number % 3) for number in range(100))) == ()


def test_a_flash_is_one_change_at_most() -> None:
    assert found((1000, 30.0), (1080, 25.0)) == (1000,)


@pytest.mark.parametrize(
    ("when", "pixels", "applied"),
    [("auto", (1920, 1080), True), ("auto", (3840, 2160), False), ("always", (3840, 2160), True),
     ("never", (640, 360), False)],
)  # fmt: skip
def test_a_large_picture_is_looked_at_only_when_asked(when: str, pixels: tuple[int, int], applied: bool) -> None:
    picture = Track(index=0, kind="video", codec="h264", width=pixels[0], height=pixels[1])
    assert decide(ShotsParams.model_validate({"when": when}), picture)[0] is applied


class NoEngine:
    """Must not be asked."""


def test_sound_without_a_picture_has_no_shots(tmp_path: Path) -> None:
    cover = Track(index=1, kind="video", codec="png", width=600, height=600, cover=True)
    sound = Track(index=0, kind="audio", codec="flac", sample_rate=48_000)
    info = Media(container="flac", start_ms=0, duration_ms=1, tracks=(sound, cover), audio_track=0, decoded_ms=1)
    inputs = ShotsInputs(media=tmp_path / "x.flac", info=info.write(tmp_path / "media.json"))
    job = Job(inputs, ShotsParams(), tmp_path, "ffmpeg", Audience())
    assert Shots.read(run(NoEngine(), job).shots) == Shots(  # type: ignore[arg-type]
        changes_ms=(), applied=False, reason="there is no picture"
    )
    assert Shots.read(stub(job).shots).changes_ms == ()


def cue(start_ms: int, end_ms: int, text: str = "Some words.", spoken: tuple[int, int] | None = None) -> Cue:
    said = Region(start_ms=(spoken or (start_ms, end_ms))[0], end_ms=(spoken or (start_ms, end_ms))[1])
    return Cue(start_ms=start_ms, end_ms=end_ms, lines=(text,), spoken=said)


def kept(*cues: Cue, changes: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(one.start_ms, one.end_ms) for one in keep_to_shots(cues, changes, LIMITS, END_MS)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((4800, 8000), (5000, 8000)),  # comes 5 frames before the change: with it
        ((4600, 8000), (4520, 8000)),  # 10 frames before: a whole zone before
        ((5200, 8000), (5000, 8000)),  # 5 frames after: with it
        ((5600, 8000), (5600, 8000)),  # 15 frames after: as it was
        ((2000, 4800), (2000, 4920)),  # goes 5 frames before: two frames before
        ((2000, 5200), (2000, 4920)),  # 5 frames after: two frames before
        ((2000, 5400), (2000, 5480)),  # 10 frames after: a whole zone after
        ((2000, 7000), (2000, 7000)),
    ],
)
def test_a_cue_near_a_change_keeps_to_it(before: tuple[int, int], after: tuple[int, int]) -> None:
    assert kept(cue(*before), changes=(5000,)) == [after]


def test_of_two_chained_cues_one_goes_before_the_change_and_the_other_comes_with_it() -> None:
    assert kept(cue(2000, 5040), cue(5120, 8000), changes=(5000,)) == [(2000, 4920), (5000, 8000)]


def test_a_cue_that_could_then_not_be_read_stays_as_it_is() -> None:
    text = "Exactly forty places stand in this line."
    assert kept(cue(4800, 6800, text), changes=(5000,)) == [(4800, 6800)]


def test_words_are_not_kept_waiting_for_a_change() -> None:
    assert kept(cue(4800, 8000, spoken=(4600, 8000)), changes=(5000,)) == [(4800, 8000)]


@examples(3)
@given(transcripts(), any_limits(), st.lists(st.integers(0, 60_000), max_size=40))
def test_keeping_to_shots_breaks_no_limit_that_held(transcript: Transcript, limits: Limits, at: list[int]) -> None:
    changes = sorted(set(at))
    engine = LayoutEngine()
    before = engine.lay_out(transcript, None, limits).cues
    after = engine.lay_out(transcript, None, limits, LayoutOptions(changes_ms=changes)).cues
    end_ms = max(transcript.duration_ms, len(before))
    gap = limits.gap_ms if len(before) * (limits.gap_ms + 1) <= end_ms else 0
    assert [one.lines for one in before] == [one.lines for one in after]
    assert all(0 <= one.start_ms < one.end_ms <= end_ms for one in after)
    assert all(one.end_ms + gap <= other.start_ms for one, other in pairwise(after))
    for one, other in zip(before, after, strict=True):
        length = other.end_ms - other.start_ms
        assert length <= limits.max_duration_ms
        assert length >= min(needed_ms(places_of_lines(one.lines), limits), one.end_ms - one.start_ms)
    broken = [{rule.rule: rule.count for rule in check(cues, "en", limits, end_ms).broken} for cues in (before, after)]
    assert all(count <= broken[0].get(rule, 0) for rule, count in broken[1].items())
