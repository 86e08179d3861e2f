"""Stage `align` makes times consistent, and changes nothing else."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Device, Job
from stages.align.decoder_times import load
from stages.align.stage import AlignInputs, AlignJob, AlignParams, make_consistent, run, stub
from tests.fakes.listener import Audience


def a_word(start_ms: int, end_ms: int, text: str = "word") -> Word:
    return Word(text=text, start_ms=start_ms, end_ms=end_ms, probability=0.9, speaker="A")


def a_segment(number: int, *words: Word, start_ms: int = 0, end_ms: int = 0) -> Segment:
    start = words[0].start_ms if words else start_ms
    end = words[-1].end_ms if words else end_ms
    return Segment(id=number, text=f"text {number}", start_ms=start, end_ms=end, words=words, speaker="A")


def times(segment: Segment) -> list[tuple[int, int]]:
    return [(word.start_ms, word.end_ms) for word in segment.words]


_TIME = st.integers(-2_000, 40_000)
_TEXT = st.sampled_from(["one", "two,", "世界", "..."])
_WORD = st.builds(a_word, _TIME, _TIME, _TEXT)


@st.composite
def broken_segments(draw: st.DrawFn) -> list[Segment]:
    number = draw(st.integers(0, 8))
    return [
        Segment(
            id=index, text=draw(_TEXT), start_ms=draw(_TIME), end_ms=draw(_TIME),
            words=tuple(draw(st.lists(_WORD, max_size=6))), speaker=draw(st.sampled_from([None, "A"])),
        )
        for index in range(number)
    ]  # fmt: skip


def assert_holds_together(segments: tuple[Segment, ...]) -> None:
    for segment in segments:
        assert segment.start_ms < segment.end_ms
        edges = [edge for word in segment.words for edge in (word.start_ms, word.end_ms)]
        assert edges == sorted(edges)
        assert all(word.start_ms < word.end_ms for word in segment.words)
        assert all(segment.start_ms <= edge <= segment.end_ms for edge in edges)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(segments))


@given(broken_segments(), st.integers(0, 40_000), st.integers(100, 3_000))
def test_whatever_the_times_were_they_hold_together(segments: list[Segment], duration_ms: int, longest_ms: int) -> None:
    settled = make_consistent(segments, duration_ms, longest_ms)
    assert_holds_together(settled)
    needed = sum(max(1, len(segment.words)) for segment in segments)
    assert all(segment.start_ms >= 0 and segment.end_ms <= max(duration_ms, needed) for segment in settled)


@given(broken_segments(), st.integers(0, 40_000))
def test_only_times_change(segments: list[Segment], duration_ms: int) -> None:
    def without_times(segment: Segment) -> Segment:
        words = tuple(word.model_copy(update={"start_ms": 0, "end_ms": 0}) for word in segment.words)
        return segment.model_copy(update={"start_ms": 0, "end_ms": 0, "words": words})

    settled = make_consistent(segments, duration_ms, 2_000)
    assert [without_times(one) for one in settled] == [without_times(one) for one in segments]


@given(broken_segments(), st.integers(0, 40_000), st.integers(100, 3_000))
def test_settling_twice_changes_nothing(segments: list[Segment], duration_ms: int, longest_ms: int) -> None:
    settled = make_consistent(segments, duration_ms, longest_ms)
    assert make_consistent(settled, duration_ms, longest_ms) == settled


def test_times_that_are_right_stay() -> None:
    segments = (
        a_segment(0, a_word(100, 300), a_word(300, 900)),
        a_segment(1, a_word(900, 1_500)),
        a_segment(2, start_ms=2_000, end_ms=2_400),
    )
    assert make_consistent(segments, 3_000, 2_000) == segments


def test_words_that_overlap_meet_in_the_middle() -> None:
    (settled,) = make_consistent([a_segment(0, a_word(0, 600), a_word(400, 1_000))], 1_000, 2_000)
    assert times(settled) == [(0, 500), (500, 1_000)]


def test_a_word_drawn_out_over_silence_is_cut_on_the_silent_side() -> None:
    (settled,) = make_consistent(
        [a_segment(0, a_word(0, 5_000), a_word(5_000, 5_300), a_word(5_300, 12_000))], 20_000, 1_000
    )
    assert times(settled) == [(4_000, 5_000), (5_000, 5_300), (5_300, 6_300)]
    assert (settled.start_ms, settled.end_ms) == (4_000, 6_300)


def test_a_word_of_no_length_gets_a_millisecond() -> None:
    (settled,) = make_consistent([a_segment(0, a_word(0, 500), a_word(500, 500), a_word(500, 900))], 1_000, 2_000)
    assert times(settled) == [(0, 500), (500, 501), (501, 900)]


def a_job(folder: Path, transcript: Transcript) -> AlignJob:
    path = transcript.write(folder / "in.json")
    return Job(AlignInputs(audio=folder / "a.wav", transcript=path), AlignParams(), folder, "decoder-times", Audience())


def a_transcript(*segments: Segment) -> Transcript:
    return Transcript(language="en", language_probability=1, duration_ms=2_000, segments=segments)


def test_the_stage_says_how_many_words_it_moved(tmp_path: Path) -> None:
    job = a_job(tmp_path, a_transcript(a_segment(0, a_word(0, 600), a_word(400, 1_000), a_word(1_000, 1_200))))
    outputs = run(load({}, Device()), job)
    assert job.facts == {"words": 3, "interpolated": 0, "moved": 2}
    assert_holds_together(Transcript.read(outputs.transcript).segments)


def test_an_empty_transcript_stays_empty(tmp_path: Path) -> None:
    job = a_job(tmp_path, a_transcript())
    assert Transcript.read(run(load({}, Device()), job).transcript) == a_transcript()


def test_the_stub_keeps_the_text(tmp_path: Path) -> None:
    job = a_job(tmp_path, a_transcript(a_segment(0, a_word(0, 600))))
    assert Transcript.read(stub(job).transcript).text == "text 0\n"
