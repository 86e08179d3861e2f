"""Find the speaker of a cue that was not cut from a transcript."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from shared.documents.cue import Cue
from shared.documents.transcript import Transcript


def speakers(transcript: Transcript) -> Callable[[Cue], str | None]:
    """Return a function that names the speaker who speaks longest during a cue, by the transcript; None without
    speech."""
    words = sorted(
        ((word.start_ms, word.end_ms, word.speaker) for segment in transcript.segments for word in segment.words),
        key=lambda word: word[0],
    )
    ends = sorted(end for _, end, _ in words)

    def speaker_of(cue: Cue) -> str | None:
        if cue.speaker:
            return cue.speaker
        heard: Counter[str] = Counter()
        for start_ms, end_ms, speaker in words[bisect_left(ends, cue.start_ms) :]:
            if start_ms >= cue.end_ms:
                break
            if speaker:
                heard[speaker] += max(min(end_ms, cue.end_ms) - max(start_ms, cue.start_ms), 0)
        return max(heard, key=lambda one: (heard[one], one)) if heard else None

    return speaker_of
