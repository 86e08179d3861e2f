"""Where decoded words are placed: each in the speech region that it can have been spoken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import Region
from shared.documents.transcript import Word
from stages.asr.decoded import DecodedSegment, DecodedWord
from stages.asr.placement import place_segment, spans_of, split_sentences


def regions(*spans: tuple[int, int]) -> tuple[Region, ...]:
    return tuple(Region(start_ms=start, end_ms=end) for start, end in spans)


def heard(*words: tuple[str, int, int]) -> DecodedSegment:
    return DecodedSegment(tuple(DecodedWord(text, start, end, 0.9) for text, start, end in words), -0.2, 0.1)


def placed(
    words: DecodedSegment, pack: Sequence[Region], speech: Sequence[Region] = (), before: str = ""
) -> list[Word]:
    return [word for segment in place_segment(words, spans_of(pack, speech), before) for word in segment.words]


# Two utterances, 8.8 s apart. The pack keeps 200 ms of the silence on each side.
SPEECH = regions((1_000, 2_000), (10_800, 12_000))
CUT = regions((800, 2_200), (10_600, 12_200))


def test_a_segment_over_a_silence_that_was_cut_out_is_two() -> None:
    pack = regions((1_000, 2_000), (9_000, 10_000))
    first, second = place_segment(heard((" One.", 100, 900), (" Two.", 1_000, 1_900)), spans_of(pack, ()))
    assert (first.text, first.start_ms, first.end_ms) == ("One.", 1_100, 1_900)
    assert (second.text, second.start_ms, second.end_ms) == ("Two.", 9_000, 9_900)


def test_words_written_without_spaces_are_joined() -> None:
    pack = spans_of(regions((0, 900)), ())
    (segment,) = place_segment(heard(("世界", 0, 500), ("は", 500, 600), (" A", 600, 700), ("-B", 700, 800)), pack)
    assert segment.text == "世界は A-B"
    assert [word.joined for word in segment.words] == [False, True, False, True]


def test_white_space_is_no_word() -> None:
    pack = spans_of(regions((0, 900)), ())
    assert list(place_segment(heard((" ", 0, 500)), pack)) == []
    (segment,) = place_segment(heard((" A", 0, 100), (" ", 100, 200), ("B", 200, 300)), pack)
    assert segment.text == "A B"


@pytest.mark.parametrize("said_before", ["better.", "better", "better,"])
@pytest.mark.parametrize("reach_ms", [0, 200, 600])
def test_a_first_word_that_reaches_back_over_a_cut_silence_begins_with_its_own_region(
    said_before: str, reach_ms: int
) -> None:
    words = heard((f" {said_before}", 300, 900), (" The", 1_600 - reach_ms, 1_750), (" dog", 1_750, 2_200))
    last, first, second = placed(words, CUT, SPEECH)
    assert (last.start_ms, last.end_ms) == (1_100, 1_700)
    assert (first.start_ms, first.end_ms) == (max(10_800, 10_800 - reach_ms), 10_950)
    assert second.start_ms == 10_950


def test_a_first_word_that_reaches_back_over_a_pause_that_was_decoded_begins_with_its_own_region() -> None:
    speech = regions((1_000, 2_000), (3_500, 5_000))
    words = heard((" better.", 300, 900), (" The", 900, 2_800), (" dog", 2_800, 3_200))
    (segment,) = place_segment(words, spans_of(regions((800, 5_200)), speech))
    assert [(word.start_ms, word.end_ms) for word in segment.words] == [(1_100, 1_700), (3_500, 3_600), (3_600, 4_000)]


def test_a_last_word_stays_where_it_was_said_though_its_time_reaches_into_the_next_region() -> None:
    words = heard((" fail", 300, 700), (" better.", 700, 1_680), (" The", 1_680, 1_900))
    _, last, first = placed(words, CUT, SPEECH)
    assert (last.start_ms, last.end_ms) == (1_500, 2_000)
    assert first.start_ms == 10_880


def test_a_word_between_two_regions_belongs_to_the_sentence_that_it_begins_or_ends() -> None:
    begun = placed(heard((" ten.", 300, 900), (" Had", 900, 1_590), (" he", 1_590, 1_900)), CUT, SPEECH)
    assert begun[1].start_ms == 10_800
    assert begun[1].end_ms > begun[1].start_ms
    ended = placed(heard((" not", 300, 1_000), (" now.", 1_000, 1_590), (" He", 1_640, 1_900)), CUT, SPEECH)
    assert (ended[1].start_ms, ended[1].end_ms) == (1_800, 2_000)


def test_words_that_end_before_their_region_begins_share_the_time_of_the_next_word() -> None:
    said = placed(heard((" ten.", 300, 900), (" The", 1_540, 1_580), (" quick", 1_580, 1_800)), CUT, SPEECH)
    assert [word.start_ms for word in said[1:]] == [10_800, 10_875]
    assert said[2].end_ms == 11_000


def test_the_word_before_a_segment_tells_whether_it_begins_a_sentence() -> None:
    word = heard((" Had", 900, 1_580))
    assert placed(word, CUT, SPEECH, before=" ten.")[0].start_ms == 10_800
    assert placed(word, CUT, SPEECH, before=" men")[0].start_ms == 1_700


def test_speech_that_the_detector_missed_keeps_its_times() -> None:
    speech = regions((1_000, 2_000), (4_500, 5_000))
    untranscribed_regions = heard(
        (" One.", 300, 900), (" two", 1_600, 1_900), (" three", 1_900, 2_300), (" four.", 2_300, 2_700)
    )
    said = placed(untranscribed_regions, regions((800, 5_200)), speech)
    assert [word.start_ms for word in said[1:]] == [2_400, 2_700, 3_100]


def test_regions_that_were_cut_for_their_length_are_one() -> None:
    speech = regions((0, 30_000), (30_000, 45_000))
    words = heard((" of", 29_500, 29_900), (" times", 29_900, 30_400))
    said = placed(words, regions((0, 45_200)), speech)
    assert [(word.start_ms, word.end_ms) for word in said] == [(29_500, 29_900), (29_900, 30_400)]


WINDOW = Region(start_ms=1_000, end_ms=10_000)


def test_words_without_times_of_their_own_are_not_divided() -> None:
    text = replace(heard((" Good", 0, 600), (" day.", 600, 1_300), (" Who", 1_500, 2_400)), window=WINDOW)
    (segment,) = place_segment(text, spans_of(regions((1_000, 2_400), (8_000, 9_600)), ()))
    assert [word.start_ms for word in segment.words] == [1_000, 1_600, 8_100]
    assert all(word.interpolated for word in segment.words)
    assert [part.text for part in split_sentences(segment)] == ["Good day.", "Who"]


@dataclass(frozen=True)
class Utterance:
    """Words in the audio, and the silence before them."""

    silence_ms: int
    lengths: tuple[int, ...]
    late_ms: int  # from the region's beginning to the first word


utterances = st.lists(
    st.builds(
        Utterance,
        st.integers(600, 30_000),
        st.lists(st.integers(120, 700), min_size=1, max_size=6).map(tuple),
        st.integers(20, 100),
    ),
    min_size=2,
    max_size=8,
)


@given(utterances, st.lists(st.integers(0, 1_500), min_size=8, max_size=8), st.booleans(), st.booleans())
def test_whatever_the_pauses_and_however_far_a_first_word_reaches_back_each_utterance_stays_together(
    said: list[Utterance], reaches: list[int], marks: bool, cut: bool
) -> None:
    speech: list[tuple[int, int]] = []
    true: list[tuple[int, int, int]] = []  # utterance, start, end
    at = 0
    for number, one in enumerate(said):
        at += one.silence_ms
        begun = at
        at += one.late_ms
        for length in one.lengths:
            true.append((number, at, at + length))
            at += length
        at += 60
        speech.append((begun, at))
    edges = [(start - 200, end + 200) for start, end in speech]
    pack = regions(*edges) if cut else regions((edges[0][0], edges[-1][1]))
    words: list[tuple[str, int, int]] = []
    for index, (number, start, end) in enumerate(true):
        done = sum(right - left for left, right in edges[:number]) if cut else 0
        shift = done - (edges[number][0] if cut else edges[0][0])
        first = index == 0 or true[index - 1][0] != number
        last = index + 1 == len(true) or true[index + 1][0] != number
        reach = max(start + shift - reaches[number], words[-1][2] if words else 0) if first else start + shift
        words.append((" word." if last and marks else " word", reach, end + shift))
    found = placed(heard(*words), pack, regions(*speech))
    for (number, start, _), word in zip(true, found, strict=True):
        assert speech[number][0] <= word.start_ms <= word.end_ms <= speech[number][1]
        assert abs(word.start_ms - start) <= 100


@given(
    st.lists(st.tuples(st.integers(100, 3_000), st.integers(100, 3_000)), min_size=1, max_size=6),
    st.lists(
        st.tuples(st.integers(0, 800), st.integers(0, 900), st.sampled_from([" a", " b.", "c", " "])), max_size=20
    ),
)
def test_no_word_is_lost_and_none_begins_outside_speech_or_where_it_was_heard(
    parts: list[tuple[int, int]], times: list[tuple[int, int, str]]
) -> None:
    speech, at = [], 0
    for gap, length in parts:
        speech.append((at + gap, at + gap + length))
        at += gap + length
    words, now = [], 0
    for gap, length, text in times:
        words.append((text, now + gap, now + gap + length))
        now += gap + length
    found = placed(heard(*words), regions((0, at)), regions(*speech))
    assert [word.text for word in found] == [text.strip() for text, _, _ in words if text.strip()]
    starts = [word.start_ms for word in found]
    assert starts == sorted(starts)
    heard_at = {start for _, start, _ in words}
    for word in found:
        assert 0 <= word.start_ms <= word.end_ms <= at
        assert word.start_ms in heard_at or any(start <= word.start_ms <= end for start, end in speech)
