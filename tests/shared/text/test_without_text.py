"""Speech that has no text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import Region
from shared.documents.transcript import Segment, Word
from shared.text.without_text import without_text


def regions(*spans: tuple[int, int]) -> tuple[Region, ...]:
    return tuple(Region(start_ms=start, end_ms=end) for start, end in spans)


def said(*spans: tuple[int, int]) -> list[Segment]:
    words = tuple(Word(text="a", start_ms=start, end_ms=end, probability=1) for start, end in spans)
    return [Segment(id=0, text="a", start_ms=spans[0][0], end_ms=spans[-1][1], words=words)]


def test_speech_before_between_and_after_the_words_is_found() -> None:
    speech = regions((0, 5_000), (9_000, 14_000))
    assert without_text(speech, said((2_000, 3_000), (9_100, 10_000)), 2_000) == regions(
        (0, 2_000), (3_000, 5_000), (10_000, 14_000)
    )


def test_parts_without_text_count_together_across_short_pauses_only() -> None:
    speech = regions((0, 600), (1_000, 1_600), (9_000, 9_600))
    assert without_text(speech, [], 1_000) == regions((0, 1_600))


def test_a_window_without_word_times_covers_its_speech() -> None:
    segment = Segment(id=0, text="a", start_ms=0, end_ms=100, window=Region(start_ms=0, end_ms=9_000))
    assert without_text(regions((0, 9_000), (10_000, 12_000)), [segment], 1_000) == regions((10_000, 12_000))


spans = st.lists(st.tuples(st.integers(1, 4_000), st.integers(1, 4_000)), max_size=8)


def _placed(parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found, at = [], 0
    for gap, length in parts:
        found.append((at + gap, at + gap + length))
        at += gap + length
    return found


@given(spans, spans)
def test_what_is_found_holds_no_word_and_all_long_speech_without_one(
    speech: list[tuple[int, int]], words: list[tuple[int, int]]
) -> None:
    heard, text = _placed(speech), _placed(words)
    found = without_text(regions(*heard), said(*text) if text else [], 1_000)
    for region in found:
        assert not any(start < region.end_ms and region.start_ms < end for start, end in text)
    for start, end in heard:
        if end - start >= 1_000 and not any(first < end and start < last for first, last in text):
            assert any(region.start_ms <= start and end <= region.end_ms for region in found)
