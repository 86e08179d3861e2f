"""Pins a corrected translation to the sentences that it translates, and tells whether they still say the same."""

from __future__ import annotations

from collections.abc import Iterator

from shared.documents.pins import Pin
from shared.documents.transcript import Segment, Transcript
from stages.toolkit.text.word_times import bare, tokens_of

_SHARED_MS = 200  # less of a segment in the time of a cue is the next sentence
_AROUND_MS = 2_000  # another recogniser may hear the same sentence so much sooner or later


def with_source(pin: Pin, then: Transcript | None, now: Transcript) -> Pin:
    """Return the pin with the sentence of the transcript `then`, and the present one if it says something else."""
    if then is None:
        return pin
    cues = pin.before or pin.cues
    start_ms, end_ms = cues[0].start_ms, max(cue.end_ms for cue in cues)
    sentence = _text(then, start_ms, end_ms)
    around = _text(now, start_ms - _AROUND_MS, end_ms + _AROUND_MS)
    if _heard(sentence) in _heard(around):
        return pin.model_copy(update={"source": sentence})
    return pin.model_copy(update={"source": sentence, "source_now": _text(now, start_ms, end_ms)})


def _text(transcript: Transcript, start_ms: int, end_ms: int) -> str:
    """Return the text of the segments in a stretch of time."""

    def inside() -> Iterator[Segment]:
        for segment in transcript.segments:
            shared_ms = min(segment.end_ms, end_ms) - max(segment.start_ms, start_ms)
            if shared_ms > min(_SHARED_MS, (segment.end_ms - segment.start_ms) // 2):
                yield segment

    return " ".join(segment.text.strip() for segment in inside())


def _heard(text: str) -> str:
    """Return a text without marks and letter case, a space on both sides of each word."""
    return f" {' '.join(bare(token) for token, _ in tokens_of(text))} "
