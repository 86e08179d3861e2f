"""Give each word the speaker whose turn overlaps it most, and move changes of speaker to the edges of sentences."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from shared.documents.diarization import Turn
from shared.documents.transcript import Segment, Transcript
from shared.stage import Device
from stages.attribute.turn_edges import move_to_sentence_edges

_NEAR_MS = 1_000  # a word outside of all turns belongs to a turn so near; a word farther away has no speaker


class OverlapEngine:
    """The engine, without state."""

    def attribute(self, transcript: Transcript, turns: Sequence[Turn], joining: Collection[str]) -> Transcript:
        """See `attribute`."""
        return attribute(transcript, turns, joining)


def load(models: Mapping[str, Path], device: Device) -> OverlapEngine:
    """Return the engine; there is no model to load."""
    return OverlapEngine()


def attribute(transcript: Transcript, turns: Sequence[Turn], joining: Collection[str] = ()) -> Transcript:
    """Return the transcript with a speaker for each word, and for each segment the speaker of most of it. `joining` are
    words, in lower case, with which no sentence ends.

    The search is linear in words and turns: both are in order of time, and a turn that overlaps a word starts near it.
    """
    ordered = sorted(turns, key=lambda turn: turn.start_ms)
    starts = [turn.start_ms for turn in ordered]
    longest = max((turn.end_ms - turn.start_ms for turn in ordered), default=0)

    def speaker(start_ms: int, end_ms: int) -> str | None:
        first = bisect_left(starts, start_ms - longest - _NEAR_MS)
        last = bisect_left(starts, end_ms + _NEAR_MS)
        near = ordered[first:last]
        return max(near, key=lambda turn: _closeness(turn, start_ms, end_ms)).speaker if near else None

    all_words = [word for segment in transcript.segments for word in segment.words]
    by_overlap = [speaker(word.start_ms, word.end_ms) for word in all_words]
    speakers = iter(move_to_sentence_edges([word.text for word in all_words], by_overlap, joining))

    def with_speaker(segment: Segment) -> Segment:
        words = tuple(word.model_copy(update={"speaker": next(speakers)}) for word in segment.words)
        spoken_ms: Counter[str] = Counter()
        for word in words:
            if word.speaker:
                spoken_ms[word.speaker] += max(word.end_ms - word.start_ms, 1)
        main = spoken_ms.most_common(1)[0][0] if spoken_ms else speaker(segment.start_ms, segment.end_ms)
        return segment.model_copy(update={"words": words, "speaker": main})

    return transcript.model_copy(update={"segments": tuple(with_speaker(segment) for segment in transcript.segments)})


def _closeness(turn: Turn, start_ms: int, end_ms: int) -> int:
    """Return the overlap of a turn with an interval in ms; if they do not overlap, the gap as a negative number."""
    return min(turn.end_ms, end_ms) - max(turn.start_ms, start_ms)
