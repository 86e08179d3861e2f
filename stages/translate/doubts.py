"""Mark the segments of whose translation the decoder is unsure, so that they do not pass for good ones."""

from __future__ import annotations

from collections.abc import Sequence

from shared.text.timecode import clock
from stages.translate.stage import Work

# Mean log probability of a token. Of 24 clips in eight languages, Whisper base is below it in 9, 7 of them translated
# wrongly, and above it in 15, 2 of them wrongly. Whisper's own limit for a failed decode is -1.
UNSURE = -0.9
_MOST_NAMED = 5  # times in the warning


def report_doubts(work: Work, scores: Sequence[float]) -> None:
    """Mark the segments whose score, a mean log probability, is below `UNSURE`, warn of them and note their number."""
    unsure = [segment for segment, score in zip(work.segments, scores, strict=True) if score < UNSURE]
    for segment in unsure:
        work.mark_unsure(segment.id)
    work.note("unsure", len(unsure))
    if unsure:
        times = ", ".join(clock(segment.start_ms) for segment in unsure[:_MOST_NAMED])
        more = ", ..." if len(unsure) > _MOST_NAMED else ""
        work.warn(
            f"the model is unsure of its translation of {len(unsure)} of {len(scores)} segments, which may say"
            f" something else than was said: at {times}{more}"
        )
