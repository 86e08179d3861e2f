"""Speakers by overlap in time, then by sentence; needs no library."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from shared.documents.diarization import Turn
from shared.documents.transcript import Segment, Transcript, Word
from shared.stage import Device
from stages.attribute.turn_edges import settled

_NEAR_MS = 1_000  # a word just outside every turn belongs to the nearest; one further away has no speaker


class OverlapEngine:
    """Holds nothing."""

    def attribute(self, transcript: Transcript, turns: Sequence[Turn], joining: Collection[str]) -> Transcript:
        """See `attribute`."""
        return attribute(transcript, turns, joining)


def load(models: Mapping[str, Path], device: Device) -> OverlapEngine:
    """Do nothing: this backend has no model."""
    return OverlapEngine()


def attribute(transcript: Transcript, turns: Sequence[Turn], joining: Collection[str] = ()) -> Transcript:
    """Return the transcript with a speaker for each word, and for each segment the one who speaks most of it.
    `joining` are the words, in lower case, that no sentence ends with.

    Linear in words and turns: both are in order of time, and the turns that can overlap a word start near it.
    """
    ordered = sorted(turns, key=lambda turn: turn.start_ms)
    starts = [turn.start_ms for turn in ordered]
    longest = max((turn.end_ms - turn.start_ms for turn in ordered), default=0)

    def speaker(start_ms: int, end_ms: int) -> str | None:
        first = bisect_left(starts, start_ms - longest - _NEAR_MS)
        last = bisect_left(starts, end_ms + _NEAR_MS)
        near = ordered[first:last]
        return max(near, key=lambda turn: _closeness(turn, start_ms, end_ms)).speaker if near else None

    spoken = [word for segment in transcript.segments for word in segment.words]
    speakers = [speaker(word.start_ms, word.end_ms) for word in spoken]
    who = iter(settled([word.text for word in spoken], speakers, joining))

    def with_speaker(segment: Segment) -> Segment:
        words = tuple(_said_by(word, next(who)) for word in segment.words)
        spoken: Counter[str] = Counter()
        for word in words:
            if word.speaker:
                spoken[word.speaker] += max(word.end_ms - word.start_ms, 1)
        whole = spoken.most_common(1)[0][0] if spoken else speaker(segment.start_ms, segment.end_ms)
        return segment.model_copy(update={"words": words, "speaker": whole})

    return transcript.model_copy(update={"segments": tuple(with_speaker(segment) for segment in transcript.segments)})


def _closeness(turn: Turn, start_ms: int, end_ms: int) -> int:
    """Return the overlap in ms; for a turn apart from the word, the gap between them as a negative number."""
    return min(turn.end_ms, end_ms) - max(turn.start_ms, start_ms)


def _said_by(word: Word, speaker: str | None) -> Word:
    return word.model_copy(update={"speaker": speaker})
