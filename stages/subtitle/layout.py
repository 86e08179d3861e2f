"""The engine of stage `subtitle`: the project's own layout, and files in every format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.documents.cue import CueSheet, ReadCues
from shared.documents.quality_report import QualityReport
from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.stage import Device
from shared.text.guide_limits import Limits
from stages.subtitle.cue_sheet import make_cues
from stages.subtitle.speakers import speakers
from stages.subtitle.stage import Wishes
from stages.toolkit.cues.rules import check
from stages.toolkit.formats import whisper_json
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.writer import lost, render

PLAIN = Wishes()


class Pysubs2Writer:
    """Lays out and writes sheets; holds nothing."""

    def lay_out(
        self, transcript: Transcript, translation: Translation | None, limits: Limits, wishes: Wishes = PLAIN
    ) -> CueSheet:
        """Return the sheet for a transcript, or for its translation."""
        language = translation.target if translation else transcript.language
        return CueSheet(language=language, cues=make_cues(transcript, translation, limits, wishes))

    def check(self, sheet: CueSheet, limits: Limits, end_ms: int) -> QualityReport:
        """See `stages.toolkit.cues.rules.check`; every offender is named."""
        return check(sheet.cues, sheet.language, limits, end_ms, worst=None)

    def take(self, edited: Path, transcript: Transcript, language: str) -> tuple[CueSheet, ReadCues]:
        """Return the sheet of a corrected file, in order of time; each cue is by whoever says most words in its
        time."""
        found = read(edited)
        cues = sorted(found.cues, key=lambda cue: (cue.start_ms, cue.end_ms))
        speaker_of = speakers(transcript)
        told = tuple(cue.model_copy(update={"speaker": speaker_of(cue)}) for cue in cues if cue.lines)
        return CueSheet(language=language, cues=told), found

    def render(self, sheet: CueSheet, kind: str, aspect: float | None) -> str:
        """See `stages.toolkit.formats.writer.render`."""
        return render(sheet, kind, aspect)

    def lost(self, sheet: CueSheet, kind: str) -> str | None:
        """See `stages.toolkit.formats.writer.lost`."""
        return lost(sheet, kind)

    def whisper(self, transcript: Transcript, translation: Translation | None) -> str:
        """See `stages.toolkit.formats.whisper_json.write`."""
        return whisper_json.write(transcript, translation)


def load(models: Mapping[str, Path], device: Device) -> Pysubs2Writer:
    """Do nothing: this backend has no model."""
    return Pysubs2Writer()
