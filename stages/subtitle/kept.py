"""Put a text into the cues of an existing subtitle, and keep their times, their order and their sounds.

A cue whose words have not changed stays exactly as it is, with its lines and its look. Another cue gets the new words,
in as few lines as the guide allows, with the same names, dashes and notes around them.
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
from stages.toolkit.cues.parts import Part, join_texts, parts_of, turns_with_texts
from stages.toolkit.cues.words import fit_pieces, spread_text


def keep_cues(
    kept: KeptCues, transcript: Transcript, translation: Translation | None, limits: Limits, joining: JoiningWords,
    pins: Sequence[Pin] = (),
) -> tuple[Cue, ...]:  # fmt: skip
    """Return the cues that have text, in order, with the words of the transcript or of its translation. `joining` are
    words of that language.

    The cues of fixed `pins` replace those that they correct.
    """
    texts = {segment.id: segment.text for segment in (translation or transcript).segments}
    cues = [_cue(kept_cue, texts, joining, limits) for kept_cue in kept.cues if kept_cue.cue.lines]
    for pin in pins:
        if pin.fixed:
            cues = [cue for cue in cues if not _is_corrected_by(cue, pin)]
            cues += [cue.model_copy(update={"spoken": None}) for cue in pin.cues]
    return tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))


def as_free_text(
    kept: KeptCues, transcript: Transcript, translation: Translation | None
) -> tuple[Transcript, Translation | None]:
    """Return the text for a free layout, with the names and sounds of the subtitle in it.

    Each speaker's part of a cue becomes one segment. A dash becomes a speaker, and the layout writes it again, as it
    does the notes of a song.
    """
    texts = {segment.id: segment.text for segment in (translation or transcript).segments}
    spoken = {segment.id: segment for segment in transcript.segments}
    segments: list[Segment] = []
    shown: dict[int, str] = {}
    for place, kept_cue in enumerate(kept.cues):
        cue, ids = kept_cue.cue, iter(kept_cue.segments)
        parts = parts_of(cue.lines)
        for turn, turn_parts in groupby(parts, key=lambda part: part.turn):
            first, words = None, []
            for part in turn_parts:
                segment_id = next(ids) if part.kind != "sound" else None
                first = spoken[segment_id] if segment_id is not None and first is None else first
                words.append(_with_name(part, texts.get(segment_id, "") if segment_id is not None else part.text))
            segment = first or Segment(id=0, text="", start_ms=cue.start_ms, end_ms=cue.end_ms, origin="read")
            speaker = f"{place}-{turn}" if parts[-1].turn else segment.speaker
            text = join_texts(filter(None, words))
            shown[len(segments)] = text
            segments.append(segment.model_copy(update={"id": len(segments), "speaker": speaker, "text": text}))
    for segment in without_shown(transcript, kept).segments:
        shown[len(segments)] = texts[segment.id]
        segments.append(segment.model_copy(update={"id": len(segments)}))
    ordered = tuple(sorted(segments, key=lambda segment: segment.start_ms))
    if translation is None:
        return transcript.model_copy(update={"segments": ordered}), None
    translated = tuple(TranslatedSegment(id=segment.id, text=shown[segment.id]) for segment in ordered)
    return transcript.model_copy(update={"segments": ordered}), translation.model_copy(update={"segments": translated})


def _with_name(part: Part, text: str) -> str:
    """Return a text after the speaker's name of its part, without the marks that the layout writes itself."""
    name = part.before.lstrip(" -\u2010\u2011\u2012\u2013\u2014\u2015") if part.kind == "speech" else ""
    return f"{name}{text}"


def without_shown(transcript: Transcript, kept: KeptCues) -> Transcript:
    """Return the transcript without the segments that the subtitle shows."""
    shown = {segment_id for kept_cue in kept.cues for segment_id in kept_cue.segments}
    segments = tuple(segment for segment in transcript.segments if segment.id not in shown)
    return transcript.model_copy(update={"segments": segments})


def fit_between(cues: Sequence[Cue], others: Sequence[Cue], gap_ms: int) -> tuple[Cue, ...]:
    """Return the cues with the `others`, which are shortened or left out where they overlap."""
    found = list(cues)
    for other in others:
        before = max((cue.end_ms + gap_ms for cue in cues if cue.start_ms <= other.start_ms), default=0)
        after = min((cue.start_ms - gap_ms for cue in cues if cue.start_ms > other.start_ms), default=other.end_ms)
        start, end = max(other.start_ms, before), min(other.end_ms, after)
        if end > start:
            found.append(other.model_copy(update={"start_ms": start, "end_ms": end}))
    return tuple(sorted(found, key=lambda cue: (cue.start_ms, cue.end_ms)))


def _cue(kept: KeptCue, texts: Mapping[int, str], joining: JoiningWords, limits: Limits) -> Cue:
    """Return a cue with the present words of its segments."""
    cue, parts = kept.cue, parts_of(kept.cue.lines)
    before = [part.text for part in parts if part.kind != "sound"]
    present = [texts.get(segment_id, "") for segment_id in kept.segments]
    spoken = Region(start_ms=cue.start_ms, end_ms=cue.end_ms) if present else None
    if present == before:
        return cue.model_copy(update={"spoken": spoken})
    return cue.model_copy(
        update={
            "lines": tuple(_lines(parts, present, joining, limits)),
            "spoken": spoken,
            "spans": (),
            "italic": _is_all_italic(cue),
        }
    )


def _lines(parts: Sequence[Part], texts: Sequence[str], joining: JoiningWords, limits: Limits) -> Iterator[str]:
    """Yield the lines of a cue with `texts` in place of its spoken and sung parts."""
    for turn in turns_with_texts(parts, texts):
        segment = Segment(id=0, text=turn, start_ms=0, end_ms=1)
        yield from lines_of(fit_pieces(spread_text(turn, segment), limits.line_length, 1), joining, limits)


def _is_all_italic(cue: Cue) -> bool:
    """Tell whether all text of a cue is in italics, by the cue's own mark or by its spans together."""
    letters = sum(span.end - span.start for span in cue.spans if span.style.italic)
    return cue.italic or (letters > 0 and letters >= sum(map(len, cue.lines)))


def _is_corrected_by(cue: Cue, pin: Pin) -> bool:
    return any(cue.start_ms < other.end_ms and cue.end_ms > other.start_ms for other in pin.before or pin.cues)
