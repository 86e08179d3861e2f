"""Pin a corrected translation to the sentence that it translates, and tell whether that sentence has changed since."""

from __future__ import annotations

from collections.abc import Iterator

from shared.documents.pins import Pin
from shared.documents.transcript import Segment, Transcript
from stages.toolkit.text.word_times import bare, tokens_of

_SHARED_MS = 200  # a segment that shares less with a cue belongs to the next sentence
_AROUND_MS = 2_000  # another recogniser may time the same sentence so much earlier or later


def pin_to_source(pin: Pin, source: Transcript | None, current: Transcript) -> Pin:
    """Return the pin with its sentence of the transcript `source`, which was translated when the user corrected it. If
    `current` has other words there, the pin also has its present sentence."""
    if source is None:
        return pin
    cues = pin.before or pin.cues
    start_ms, end_ms = cues[0].start_ms, max(cue.end_ms for cue in cues)
    sentence = _text(source, start_ms, end_ms)
    around = _text(current, start_ms - _AROUND_MS, end_ms + _AROUND_MS)
    if _bare_words(sentence) in _bare_words(around):
        return pin.model_copy(update={"source": sentence})
    return pin.model_copy(update={"source": sentence, "source_now": _text(current, start_ms, end_ms)})


def _text(transcript: Transcript, start_ms: int, end_ms: int) -> str:
    """Return the text of the segments in an interval."""

    def inside() -> Iterator[Segment]:
        for segment in transcript.segments:
            shared_ms = min(segment.end_ms, end_ms) - max(segment.start_ms, start_ms)
            if shared_ms > min(_SHARED_MS, (segment.end_ms - segment.start_ms) // 2):
                yield segment

    return " ".join(segment.text.strip() for segment in inside())


def _bare_words(text: str) -> str:
    """Return the words of a text without marks and letter case, with a space on both sides of each."""
    return f" {' '.join(bare(token) for token, _ in tokens_of(text))} "
