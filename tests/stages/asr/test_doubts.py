"""The decoder's own figures decide whether a segment is text on silence or a repetition."""

from __future__ import annotations

from shared.documents.transcript import Segment, Word
from stages.asr.decoded import DecodedSegment
from stages.asr.doubts import Limits, compression_ratio, judge

TEXT = "Thank you."


def judged(no_speech: float, log_probability: float, word: float, most_compressed: float) -> tuple[bool, bool]:
    """Return whether the segment is silence and a repetition, at limits of 0.6 and -1.0."""
    segment = Segment(
        id=0, text=TEXT, start_ms=0, end_ms=900, words=(Word(text=TEXT, start_ms=0, end_ms=900, probability=word),)
    )
    limits = Limits(no_speech=0.6, log_probability=-1.0, compression_ratio=most_compressed)
    doubt = judge(DecodedSegment((), log_probability, no_speech), segment, limits)
    assert doubt.evidence["word_probability"] == round(word, 4)
    return doubt.is_silent, doubt.is_repetitive


def test_text_on_silence_is_beyond_the_limit_and_unsure_or_repeated() -> None:
    ratio = compression_ratio(TEXT)
    assert judged(0.61, -1.1, 0.9, 9.0) == (True, False)
    assert judged(0.61, -0.5, 0.123456, 9.0) == (True, False)
    assert judged(0.61, -0.5, 0.9, ratio - 0.01) == (True, True)
    assert judged(0.61, -0.5, 0.9, 9.0) == (False, False), "the decoder is sure of it"
    assert judged(0.59, -1.1, 0.1, 9.0) == (False, False), "it hears speech"


def test_a_segment_at_a_limit_keeps_to_it() -> None:
    assert judged(0.6, -1.1, 0.1, 9.0) == (False, False)
    assert judged(0.61, -1.0, 0.3, 9.0) == (False, False)
    assert judged(0.61, -0.5, 0.9, compression_ratio(TEXT)) == (False, False)
