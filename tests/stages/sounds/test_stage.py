"""How probabilities become stretches of speech, singing and music."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.sound import Sound
from shared.intervals import Spans
from stages.sounds.stage import KINDS, WINDOW_MS, Probabilities, SoundsParams, find_sounds
from tests.conftest import examples

PARAMS = SoundsParams()


def heard(*parts: tuple[int, Probabilities]) -> list[Probabilities]:
    """Return probabilities that hold for so many windows."""
    return [value for count, value in parts for _ in range(count)]


def test_speech_over_music_is_both() -> None:
    windows = heard((20, (0.0, 0.0, 0.9)), (30, (0.9, 0.0, 0.9)), (20, (0.0, 0.0, 0.0)))
    assert find_sounds(windows, 7_000, PARAMS) == (
        Sound(kind="music", start_ms=0, end_ms=5_000),
        Sound(kind="speech", start_ms=2_000, end_ms=5_000),
    )


def test_a_pause_between_two_lines_of_a_song_does_not_end_it_and_a_cry_is_no_song() -> None:
    song = heard((30, (0.1, 0.9, 0.0)), (15, (0.0, 0.0, 0.0)), (30, (0.1, 0.9, 0.0)))
    assert [(sound.kind, sound.end_ms) for sound in find_sounds(song, 7_500, PARAMS)] == [("singing", 7_500)]
    assert find_sounds(heard((10, (0.1, 0.9, 0.0)), (50, (0.0, 0.0, 0.0))), 6_000, PARAMS) == ()


@examples(2)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3), max_size=120), st.integers(0, 99))
def test_sounds_of_a_kind_are_in_order_apart_and_inside(windows: list[Probabilities], short_ms: int) -> None:
    duration = max(len(windows) * WINDOW_MS - short_ms, 0)
    found = find_sounds(windows, duration, PARAMS)
    assert list(found) == sorted(found, key=lambda sound: sound.start_ms)
    for kind in KINDS:
        spans = [(sound.start_ms, sound.end_ms) for sound in found if sound.kind == kind]
        assert all(0 <= start < end <= duration for start, end in spans)
        assert all(one[1] < other[0] for one, other in pairwise(spans))


_SPANS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=12)


@examples(2)
@given(_SPANS, st.integers(0, 200), st.integers(1, 200))
def test_spans_cover_and_leave_free_what_a_count_of_milliseconds_says(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    covered = {time for first, last in spans for time in range(first, last)}
    one, end = Spans(spans), start + length
    assert round(one.share(start, end) * length) == len(covered & set(range(start, end)))
    free = [time for first, last in one.gaps(start, end) for time in range(first, last)]
    assert free == [time for time in range(start, end) if time not in covered]
