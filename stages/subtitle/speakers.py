"""Find the speaker of a cue that was not made from a transcript."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from shared.documents.cue import Cue
from shared.documents.transcript import Transcript


def speakers(transcript: Transcript) -> Callable[[Cue], str | None]:
    """Return a function that returns the speaker of a cue: its own, or the one who speaks longest during it by the
    transcript; None if no words are spoken then."""
    words = sorted(
        ((word.start_ms, word.end_ms, word.speaker) for segment in transcript.segments for word in segment.words),
        key=lambda word: word[0],
    )
    ends = sorted(end for _, end, _ in words)

    def speaker_of(cue: Cue) -> str | None:
        if cue.speaker:
            return cue.speaker
        spoken_ms: Counter[str] = Counter()
        for start_ms, end_ms, speaker in words[bisect_left(ends, cue.start_ms) :]:
            if start_ms >= cue.end_ms:
                break
            if speaker:
                spoken_ms[speaker] += max(min(end_ms, cue.end_ms) - max(start_ms, cue.start_ms), 0)
        return max(spoken_ms, key=lambda speaker: (spoken_ms[speaker], speaker)) if spoken_ms else None

    return speaker_of
