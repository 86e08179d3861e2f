"""The engine of stage `subtitle`: the project's own layout, and files in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.cue import Cue, CueSheet, ReadCues
from shared.documents.pins import Pin
from shared.documents.quality_report import QualityReport
from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.stage import Device
from shared.text.guide_limits import Limits
from stages.subtitle.cue_sheet import make_cues
from stages.subtitle.kept import between, keep_cues, with_marks, without_kept
from stages.subtitle.pinned import is_same, shows
from stages.subtitle.stage import NO_CORRECTIONS, Corrections, Wishes
from stages.toolkit.cues.rules import check
from stages.toolkit.formats import whisper_json
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.writer import lost, render

PLAIN = Wishes()


class Pysubs2Writer:
    """Lays out and writes sheets; holds nothing."""

    def lay_out(
        self, transcript: Transcript, translation: Translation | None, limits: Limits, wishes: Wishes = PLAIN,
        corrections: Corrections = NO_CORRECTIONS,
    ) -> CueSheet:  # fmt: skip
        """Return the sheet for a transcript, or for its translation, around the cues that a user fixed.

        As long as the rest is laid out as in the corrected file, every correction stands as it is there. Otherwise
        corrected words are laid out with the rest.
        """
        language = translation.target if translation else transcript.language
        text, pins = (transcript, translation, limits, wishes), corrections.pins
        cues = _cues(*text, pins)
        if pins and not any(is_same(cues, read) for read in corrections.read[-1:]):
            fixed = [pin for pin in pins if pin.fixed]
            cues = _cues(*text, fixed)
            if lost := [pin for pin in pins if not pin.fixed and pin.cues and not shows(cues, pin)]:
                cues = _cues(*text, [pin for pin in pins if pin.fixed or pin in lost])
        return CueSheet(language=language, cues=cues)

    def read(self, edited: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`."""
        return read(edited)

    def is_same(self, sheet: CueSheet, read: ReadCues) -> bool:
        """See `stages.subtitle.pinned.is_same`."""
        return is_same(sheet.cues, read)

    def check(self, sheet: CueSheet, limits: Limits, end_ms: int) -> QualityReport:
        """See `stages.toolkit.cues.rules.check`; every offender is named."""
        return check(sheet.cues, sheet.language, limits, end_ms, worst=None)

    def render(self, sheet: CueSheet, kind: str, aspect: float | None) -> str:
        """See `stages.toolkit.formats.writer.render`."""
        return render(sheet, kind, aspect)

    def lost(self, sheet: CueSheet, kind: str) -> str | None:
        """See `stages.toolkit.formats.writer.lost`."""
        return lost(sheet, kind)

    def whisper(self, transcript: Transcript, translation: Translation | None) -> str:
        """See `stages.toolkit.formats.whisper_json.write`."""
        return whisper_json.write(transcript, translation)


def _cues(
    transcript: Transcript, translation: Translation | None, limits: Limits, wishes: Wishes, pins: Sequence[Pin]
) -> tuple[Cue, ...]:
    """Return the cues of a text, in those of an existing subtitle where there is one."""
    kept = wishes.kept
    if kept is None:
        return make_cues(transcript, translation, limits, wishes, pins)
    if wishes.relayout:
        return make_cues(*with_marks(kept, transcript, translation), limits, wishes, pins)
    cues = keep_cues(kept, transcript, translation, limits, wishes.joining, pins)
    rest = without_kept(transcript, kept)
    if not rest.segments:
        return cues
    return between(cues, make_cues(rest, translation, limits, wishes), limits.gap_ms)


def load(models: Mapping[str, Path], device: Device) -> Pysubs2Writer:
    """Do nothing: this backend has no model."""
    return Pysubs2Writer()
