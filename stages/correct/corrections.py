"""Apply a user's corrections to a text, in the order in which they were made, and pin each to its place.

Words are compared only where two versions of a file differ. Everything outside of a change stays as it is, so
corrections also apply to a transcript that another model made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from shared.documents.cue import Cue, ReadCues
from shared.documents.pins import Pin
from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.stage import Device
from stages.correct.change_applier import ChangeApplier
from stages.correct.changes import Change, changes
from stages.correct.documents import document_changes, document_cues, with_matching_words
from stages.correct.interval_index import IntervalIndex
from stages.correct.renames import find_renames, rename_speakers
from stages.correct.sources import pin_to_source
from stages.correct.stage import Corrected, Correction
from stages.correct.tokens import transcript_of
from stages.correct.translated import as_transcript, as_translation
from stages.toolkit.cues.parts import parts_of
from stages.toolkit.formats.reader import read


class Corrections:
    """The engine of stage `correct`, without state."""

    def read(self, subtitles: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`."""
        return read(subtitles)

    def correct(
        self, transcript: Transcript, translation: Translation | None, corrections: Sequence[Correction],
        without: Collection[str] = (),
    ) -> Corrected:  # fmt: skip
        """Return the transcript or its translation with the corrections, and their pins. The changes whose ids are in
        `without` are left out."""
        text = Corrected(transcript, translation)
        for number, correction in enumerate(corrections):
            if isinstance(correction.edited, Transcript):
                text = _with_document(text, correction.edited, correction.base, number, without)
            else:
                text = _with_cues(text, correction, number, without)
        pins = sorted(text.pins, key=lambda pin: (pin.cues or pin.before)[0].start_ms)
        return replace(text, pins=tuple(pins))


def load(models: Mapping[str, Path], device: Device) -> Corrections:
    """Return the engine; there is no model to load."""
    return Corrections()


def _with_cues(text: Corrected, correction: Correction, number: int, without: Collection[str]) -> Corrected:
    """Return the text with one corrected subtitle file, which prevails over earlier corrections."""
    base, edited = _shown_cues(correction.base), _shown_cues(correction.edited)
    found = [change for change in changes(base, edited) if change.id not in without]
    before = text.transcript if text.translation is None else as_transcript(text.translation, text.transcript)
    before, labels = rename_speakers(before, find_renames(found, base, edited))
    applier = ChangeApplier(before)
    changed = {id(cue) for change in found for cue in change.before}
    others = [cue for cue in base if id(cue) not in changed]
    is_read = any(segment.origin == "read" for segment in before.segments)
    apply = _apply_to_kept_cues if is_read else ChangeApplier.apply
    pins = [apply(applier, change, number, others, is_base_known=bool(base)) for change in reversed(found)]
    changed_now = IntervalIndex(cue for pin in pins for cue in pin.before)
    older = [pin for pin in text.pins if not _is_replaced(pin, changed_now)]
    text = replace(text, renames={**text.renames, **labels})
    if text.translation is None:
        corrected = transcript_of(before, applier.tokens, applier.touched)
        return replace(text, transcript=corrected, pins=(*older, *pins))
    translation = as_translation(text.translation, applier.tokens, applier.touched)
    pinned = [pin_to_source(pin, correction.source, text.transcript) for pin in pins]
    return replace(text, translation=translation, pins=(*older, *pinned))


def _apply_to_kept_cues(
    applier: ChangeApplier, change: Change, number: int, others: Sequence[Cue], *, is_base_known: bool
) -> Pin:
    """Apply a change to an existing subtitle, whose cues stay as the user wrote them. The text has only their spoken
    and sung words; names and sounds remain in the cues."""
    words = Change(_spoken_lines(change.before), _spoken_lines(change.after))
    pin = applier.apply(words, number, others, is_base_known=is_base_known)
    cues = tuple(
        cue.model_copy(update={"spoken": applied.spoken}) for cue, applied in zip(change.after, pin.cues, strict=True)
    )
    return pin.model_copy(update={"id": change.id, "before": change.before, "cues": cues, "fixed": True})


def _spoken_lines(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Return the cues with one line for each spoken or sung part."""
    return tuple(
        cue.model_copy(update={"lines": tuple(part.text for part in parts_of(cue.lines) if part.kind != "sound")})
        for cue in cues
    )


def _shown_cues(subtitles: Transcript | ReadCues | None) -> Sequence[Cue]:
    """Return the cues with text; none for a transcript or nothing."""
    return [cue for cue in subtitles.cues if cue.lines] if isinstance(subtitles, ReadCues) else ()


def _is_replaced(old: Pin, changed: IntervalIndex[Cue]) -> bool:
    """Tell whether a later correction has changed the cues of an earlier one."""
    return any(cue.lines == left.lines or not old.fixed for left in old.cues for cue in changed.overlapping(left))


def _with_document(
    text: Corrected, document: Transcript, base: Transcript | ReadCues | None, number: int, without: Collection[str]
) -> Corrected:
    """Return the text with a corrected transcript, which prevails over earlier corrections.

    If the base is not known, or is the present transcript, the corrected document is the result as it is.
    """
    given = text.transcript
    known = base if isinstance(base, Transcript) else given
    document = with_matching_words(known, document)
    differing = document_changes(known, document)
    found = [change for change in differing if change.id not in without]
    before, labels = rename_speakers(given, find_renames(found, document_cues(known), document_cues(document)))
    applier = ChangeApplier(before)
    pins = [applier.apply_document_change(change, number) for change in reversed(found)]
    corrected = transcript_of(before, applier.tokens, applier.touched)
    if len(found) == len(differing) and (known == given or not isinstance(base, Transcript)):
        corrected = document
    older = [applier.reword(pin, pins) for pin in text.pins]
    return replace(text, transcript=corrected, pins=(*older, *pins), renames={**text.renames, **labels})
