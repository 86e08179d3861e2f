"""Carries a user's corrections into a text, in the order in which they were made, and pins each to its place.

Only where two versions of a file differ are words looked at. Whatever lies outside of a change stays as it is, so
corrections hold on a transcript that another model made.
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
from stages.correct.carrying import Carrying
from stages.correct.changes import Change, changes
from stages.correct.documents import adopted, document_changes, document_cues
from stages.correct.renames import renamed, renames
from stages.correct.sources import with_source
from stages.correct.stage import Corrected, Correction
from stages.correct.stretches import Stretches
from stages.correct.tokens import assembled
from stages.correct.translated import as_transcript, as_translation
from stages.toolkit.cues.parts import parts_of
from stages.toolkit.formats.reader import read


class Corrections:
    """The engine; holds nothing."""

    def read(self, subtitles: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`."""
        return read(subtitles)

    def correct(
        self, transcript: Transcript, translation: Translation | None, corrections: Sequence[Correction],
        without: Collection[str] = (),
    ) -> Corrected:  # fmt: skip
        """Return the transcript, or its translation, with the corrections but those `without`, and their pins."""
        text = Corrected(transcript, translation)
        for number, correction in enumerate(corrections):
            if isinstance(correction.edited, Transcript):
                text = _with_document(text, correction.edited, correction.base, number, without)
            else:
                text = _with_cues(text, correction, number, without)
        pins = sorted(text.pins, key=lambda pin: (pin.cues or pin.before)[0].start_ms)
        return replace(text, pins=tuple(pins))


def load(models: Mapping[str, Path], device: Device) -> Corrections:
    """Do nothing: this backend has no model."""
    return Corrections()


def _with_cues(text: Corrected, correction: Correction, number: int, without: Collection[str]) -> Corrected:
    """Return the text with one corrected subtitle file, which wins over earlier corrections."""
    base, edited = _cues(correction.base), _cues(correction.edited)
    found = [change for change in changes(base, edited) if change.id not in without]
    given = text.transcript if text.translation is None else as_transcript(text.translation, text.transcript)
    names = renames(found, base, edited)
    given, labels = renamed(given, names)
    carrying = Carrying(given)
    changed = {id(cue) for change in found for cue in change.before}
    others = [cue for cue in base if id(cue) not in changed]
    is_read = any(segment.origin == "read" for segment in given.segments)
    carry = _carried_whole if is_read else Carrying.carry
    pins = [carry(carrying, change, number, others, is_all=not base) for change in reversed(found)]
    changed_now = Stretches(cue for pin in pins for cue in pin.before)
    older = [pin for pin in text.pins if not _is_replaced(pin, changed_now)]
    text = replace(text, renames={**text.renames, **labels})
    if text.translation is None:
        carried = assembled(given, carrying.tokens, carrying.touched)
        return replace(text, transcript=carried, pins=(*older, *pins))
    carried_translation = as_translation(text.translation, carrying.tokens, carrying.touched)
    told = [with_source(pin, correction.source, text.transcript) for pin in pins]
    return replace(text, translation=carried_translation, pins=(*older, *told))


def _carried_whole(carrying: Carrying, change: Change, number: int, others: Sequence[Cue], *, is_all: bool) -> Pin:
    """Carry a change of an existing subtitle, whose cues stay as the user wrote them. Only what is said and sung in
    them is text: names and sounds stand in the cues alone."""
    pin = carrying.carry(Change(_words_of(change.before), _words_of(change.after)), number, others, is_all=is_all)
    spoken = [cue.spoken for cue in pin.cues]
    cues = tuple(cue.model_copy(update={"spoken": one}) for cue, one in zip(change.after, spoken, strict=True))
    return pin.model_copy(update={"id": change.id, "before": change.before, "cues": cues, "fixed": True})


def _words_of(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Return the cues with a line for each text that is said or sung."""
    return tuple(
        cue.model_copy(update={"lines": tuple(part.text for part in parts_of(cue.lines) if part.kind != "sound")})
        for cue in cues
    )


def _cues(subtitles: Transcript | ReadCues | None) -> Sequence[Cue]:
    """Return the cues that are shown."""
    return [cue for cue in subtitles.cues if cue.lines] if isinstance(subtitles, ReadCues) else ()


def _is_replaced(old: Pin, changed: Stretches[Cue]) -> bool:
    """Tell whether a later correction has changed what an earlier one left."""
    return any(cue.lines == left.lines or not old.fixed for left in old.cues for cue in changed.overlapping(left))


def _with_document(
    text: Corrected, document: Transcript, base: Transcript | ReadCues | None, number: int, without: Collection[str]
) -> Corrected:
    """Return the text with a corrected transcript, which wins over earlier corrections.

    Without a `base`, all of the document stands.
    """
    given = text.transcript
    known = base if isinstance(base, Transcript) else given
    document = adopted(known, document)
    told = document_changes(known, document)
    found = [change for change in told if change.id not in without]
    names = renames(found, *(document_cues(one) for one in (known, document)))
    before, labels = renamed(given, names)
    carrying = Carrying(before)
    pins = [carrying.carry_document(change, number) for change in reversed(found)]
    carried = assembled(before, carrying.tokens, carrying.touched)
    if len(found) == len(told) and (known == given or not isinstance(base, Transcript)):
        carried = document
    older = [carrying.reworded(pin, pins) for pin in text.pins]
    return replace(text, transcript=carried, pins=(*older, *pins), renames={**text.renames, **labels})
