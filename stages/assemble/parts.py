"""Make segments of the spoken and sung parts of cues: the engine of stage `assemble`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.documents.cue import Cue, CueSheet, KeptCue, KeptCues
from shared.documents.transcript import Segment, Transcript
from shared.stage import Device
from shared.text.sentence_end import ends_sentence
from shared.text.text_width import places
from stages.toolkit.cues.parts import Part, parts_of

# The speaker of on-screen text, which must not be joined with the speech around it into one sentence.
_SIGN = "sign"
_CONTINUES_MS = 2_000  # a named speaker continues in the next cue if the pause is shorter
_COVERED = 0.5  # of a recognised segment: if cues cover more of it, it is left out


class CueParts:
    """The engine, without state."""

    def segments_of(self, sheet: CueSheet) -> tuple[KeptCues, tuple[Segment, ...]]:
        """Return the cues with the ids of their segments, and the segments in the order of the cues."""
        segments: list[Segment] = []
        kept: list[KeptCue] = []
        before: Segment | None = None
        for cue in _shown(sheet.cues):
            parts = [part for part in parts_of(cue.lines) if part.kind != "sound"]
            own = list(_segments(cue, parts, before, len(segments)))
            segments += own
            before = own[-1] if own else before
            kept.append(KeptCue(cue=cue, segments=tuple(segment.id for segment in own)))
        return KeptCues(language=sheet.language, kind=sheet.kind, cues=tuple(kept)), tuple(segments)

    def fill_gaps(
        self, kept: KeptCues, segments: tuple[Segment, ...], recognised: Transcript
    ) -> tuple[KeptCues, tuple[Segment, ...]]:
        """Return both with the recognised segments that no cue covers, all segments numbered again in order of time."""
        spans = sorted((one.cue.start_ms, one.cue.end_ms) for one in kept.cues if one.segments)
        extra = [
            segment.model_copy(update={"origin": "heard"})
            for segment in recognised.segments
            if segment.text.strip() and _covered_ms(segment, spans) < _COVERED * (segment.end_ms - segment.start_ms)
        ]
        ordered = sorted([*segments, *extra], key=lambda segment: segment.start_ms)
        numbers = {segment.id: number for number, segment in enumerate(ordered) if segment.origin != "heard"}
        again = tuple(segment.model_copy(update={"id": number}) for number, segment in enumerate(ordered))
        cues = tuple(
            one.model_copy(update={"segments": tuple(numbers[old] for old in one.segments)}) for one in kept.cues
        )
        return kept.model_copy(update={"cues": cues}), again


def _shown(cues: Sequence[Cue]) -> Iterator[Cue]:
    """Yield the cues that are shown after the beginning of the film."""
    for cue in cues:
        if cue.start_ms >= 0:
            yield cue
        elif cue.end_ms > 0:
            yield cue.model_copy(update={"start_ms": 0})


@dataclass(frozen=True)
class _Span:
    start_ms: int
    end_ms: int


def _segments(cue: Cue, parts: Sequence[Part], before: Segment | None, first: int) -> Iterator[Segment]:
    """Yield a segment for each part, with a share of the cue's time."""
    for number, (part, span) in enumerate(zip(parts, _spans(cue, parts), strict=True)):
        speaker = _SIGN if cue.place and cue.place.at else part.speaker or cue.speaker
        if speaker is None and number == 0 and part.turn == 0 and not part.before and before:
            continues = not ends_sentence(before.text) and cue.start_ms - before.end_ms < _CONTINUES_MS
            speaker = before.speaker if continues and before.speaker != _SIGN else None
        yield Segment(
            id=first + number, text=part.text, start_ms=span.start_ms, end_ms=span.end_ms, speaker=speaker,
            sung=part.kind == "lyrics", origin="read",
        )  # fmt: skip


def _spans(cue: Cue, parts: Sequence[Part]) -> Iterator[_Span]:
    """Yield the time of each part of a cue, in proportion to the length of its text."""
    widths = [max(places(part.text), 1) for part in parts]
    length, done = cue.end_ms - cue.start_ms, 0
    for width in widths:
        start = cue.start_ms + length * done // sum(widths)
        done += width
        yield _Span(start, cue.start_ms + length * done // sum(widths))


def _covered_ms(segment: Segment, spans: Sequence[tuple[int, int]]) -> int:
    """Return how much of a segment's time is covered by cues, which may overlap. `spans` must be in order."""
    covered, reached = 0, segment.start_ms
    for start, end in spans:
        begin, last = max(start, reached), min(end, segment.end_ms)
        if last > begin:
            covered += last - begin
            reached = last
    return covered


def load(models: Mapping[str, Path], device: Device) -> CueParts:
    """Return the engine; there is no model to load."""
    return CueParts()
