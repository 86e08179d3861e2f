"""Lays a text out in the cues of an existing subtitle: their times, their order and their sounds stay.

A cue whose words are those of the subtitle stays as it is to the letter, with its lines and its looks. Another one gets
the new words, in as few lines as the guide's length allows; names, dashes and notes stand around them as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from shared.documents.cue import Cue, KeptCue, KeptCues
from shared.documents.pins import Pin
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import TranslatedSegment, Translation
from shared.text.guide_limits import Limits
from shared.text.joining_words import JoiningWords
from stages.toolkit.cues.lines import lines_of
from stages.toolkit.cues.parts import Part, parts_of, pasted, written
from stages.toolkit.cues.words import fitted, spread


def keep_cues(
    kept: KeptCues, transcript: Transcript, translation: Translation | None, limits: Limits, joining: JoiningWords,
    pins: Sequence[Pin] = (),
) -> tuple[Cue, ...]:  # fmt: skip
    """Return a cue for each cue that has text, in order, with the words of the transcript or of its translation, in
    lines by the `joining` words of its language.

    The cues of fixed `pins` stand in the place of those that they correct.
    """
    texts = {segment.id: segment.text for segment in (translation or transcript).segments}
    cues = [_cue(one, texts, joining, limits) for one in kept.cues if one.cue.lines]
    for pin in pins:
        if pin.fixed:
            cues = [cue for cue in cues if not _stands_for(cue, pin)]
            cues += [cue.model_copy(update={"spoken": None}) for cue in pin.cues]
    return tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))


def with_marks(
    kept: KeptCues, transcript: Transcript, translation: Translation | None
) -> tuple[Transcript, Translation | None]:
    """Return a text to be laid out freely, with the names and sounds of the subtitle in it.

    What one person says in a cue becomes one segment; a dash becomes a speaker, whom the layout marks again. Notes of a
    song are left to the layout too.
    """
    texts = {segment.id: segment.text for segment in (translation or transcript).segments}
    said = {segment.id: segment for segment in transcript.segments}
    segments: list[Segment] = []
    shown: dict[int, str] = {}
    for place, one in enumerate(kept.cues):
        numbers = iter(one.segments)
        parts = parts_of(one.cue.lines)
        for turn, own in groupby(parts, key=lambda part: part.turn):
            held = list(own)
            first, words = None, []
            for part in held:
                number = next(numbers) if part.kind != "sound" else None
                first = said[number] if number is not None and first is None else first
                words.append(_marked(part, texts.get(number, "") if number is not None else part.text))
            segment = first or Segment(id=0, text="", start_ms=one.cue.start_ms, end_ms=one.cue.end_ms, origin="read")
            voice = f"{place}-{turn}" if parts[-1].turn else segment.speaker
            text = pasted(filter(None, words))
            shown[len(segments)] = text
            segments.append(segment.model_copy(update={"id": len(segments), "speaker": voice, "text": text}))
    for segment in without_kept(transcript, kept).segments:
        shown[len(segments)] = texts[segment.id]
        segments.append(segment.model_copy(update={"id": len(segments)}))
    ordered = tuple(sorted(segments, key=lambda segment: segment.start_ms))
    if translation is None:
        return transcript.model_copy(update={"segments": ordered}), None
    rendered = tuple(TranslatedSegment(id=segment.id, text=shown[segment.id]) for segment in ordered)
    return transcript.model_copy(update={"segments": ordered}), translation.model_copy(update={"segments": rendered})


def _marked(part: Part, text: str) -> str:
    """Return a text with the name in front of it, and without the marks that the layout writes itself."""
    name = part.before.lstrip(" -\u2010\u2011\u2012\u2013\u2014\u2015") if part.kind == "speech" else ""
    return f"{name}{text}"


def without_kept(transcript: Transcript, kept: KeptCues) -> Transcript:
    """Return the transcript with those segments alone that no cue of the subtitle shows."""
    shown = {number for one in kept.cues for number in one.segments}
    return transcript.model_copy(update={"segments": tuple(one for one in transcript.segments if one.id not in shown)})


def between(cues: Sequence[Cue], others: Sequence[Cue], gap_ms: int) -> tuple[Cue, ...]:
    """Return the cues with the `others`, which give way where they overlap."""
    found = list(cues)
    for other in others:
        before = max((cue.end_ms + gap_ms for cue in cues if cue.start_ms <= other.start_ms), default=0)
        after = min((cue.start_ms - gap_ms for cue in cues if cue.start_ms > other.start_ms), default=other.end_ms)
        start, end = max(other.start_ms, before), min(other.end_ms, after)
        if end > start:
            found.append(other.model_copy(update={"start_ms": start, "end_ms": end}))
    return tuple(sorted(found, key=lambda cue: (cue.start_ms, cue.end_ms)))


def _cue(one: KeptCue, texts: Mapping[int, str], joining: JoiningWords, limits: Limits) -> Cue:
    """Return a cue with the present words of its segments."""
    cue, parts = one.cue, parts_of(one.cue.lines)
    said = [part.text for part in parts if part.kind != "sound"]
    now = [texts.get(number, "") for number in one.segments]
    spoken = Region(start_ms=cue.start_ms, end_ms=cue.end_ms) if now else None
    if now == said:
        return cue.model_copy(update={"spoken": spoken})
    return cue.model_copy(
        update={
            "lines": tuple(_lines(parts, now, joining, limits)),
            "spoken": spoken,
            "spans": (),
            "italic": _italic(cue),
        }
    )


def _lines(parts: Sequence[Part], texts: Sequence[str], joining: JoiningWords, limits: Limits) -> Iterator[str]:
    for turn in written(parts, texts):
        segment = Segment(id=0, text=turn, start_ms=0, end_ms=1)
        yield from lines_of(fitted(spread(turn, segment), limits.line_length, 1), joining, limits)


def _italic(cue: Cue) -> bool:
    """Tell whether all of a cue is slanted: as a whole, or by parts that together are all of it."""
    slanted = sum(span.end - span.start for span in cue.spans if span.style.italic)
    return cue.italic or (slanted > 0 and slanted >= sum(map(len, cue.lines)))


def _stands_for(cue: Cue, pin: Pin) -> bool:
    return any(cue.start_ms < other.end_ms and cue.end_ms > other.start_ms for other in pin.before or pin.cues)
