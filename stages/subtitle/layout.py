"""Lay out subtitles, check them and render them in every format: the engine of stage `subtitle`."""

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
from stages.subtitle.kept import as_free_text, fit_between, keep_cues, without_shown
from stages.subtitle.pinned import is_same, shows
from stages.subtitle.stage import NO_CORRECTIONS, Corrections, LayoutOptions
from stages.toolkit.cues.rules import check
from stages.toolkit.formats import whisper_json
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.writer import lost, render

PLAIN = LayoutOptions()


class LayoutEngine:
    """The engine, without state."""

    def lay_out(
        self, transcript: Transcript, translation: Translation | None, limits: Limits, options: LayoutOptions = PLAIN,
        corrections: Corrections = NO_CORRECTIONS,
    ) -> CueSheet:  # fmt: skip
        """Return the cue sheet of a transcript or its translation, with the corrections.

        If the other cues are the same as in the corrected file, every corrected cue is shown as it is there. Otherwise
        only corrections of more than words keep their cues; corrected words are laid out with the rest.
        """
        language = translation.target if translation else transcript.language
        text, pins = (transcript, translation, limits, options), corrections.pins
        cues = _cues(*text, pins)
        if pins and not any(is_same(cues, read) for read in corrections.read[-1:]):
            cues = _cues(*text, [pin for pin in pins if pin.fixed])
            if missing := [pin for pin in pins if not pin.fixed and pin.cues and not shows(cues, pin)]:
                cues = _cues(*text, [pin for pin in pins if pin.fixed or pin in missing])
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
    transcript: Transcript, translation: Translation | None, limits: Limits, options: LayoutOptions, pins: Sequence[Pin]
) -> tuple[Cue, ...]:
    """Return the cues of a text: those of an existing subtitle, or cues that are laid out."""
    kept = options.kept
    if kept is None:
        return make_cues(transcript, translation, limits, options, pins)
    if options.relayout:
        return make_cues(*as_free_text(kept, transcript, translation), limits, options, pins)
    cues = keep_cues(kept, transcript, translation, limits, options.joining, pins)
    rest = without_shown(transcript, kept)
    if not rest.segments:
        return cues
    return fit_between(cues, make_cues(rest, translation, limits, options), limits.gap_ms)


def load(models: Mapping[str, Path], device: Device) -> LayoutEngine:
    """Return the engine; there is no model to load."""
    return LayoutEngine()
