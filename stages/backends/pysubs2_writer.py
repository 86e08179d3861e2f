"""The engine of stage `subtitle`: the project's own layout, and files in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.cue import CueSheet, ReadCues
from shared.guide import Limits
from shared.quality import QualityReport
from shared.stage import Device
from shared.transcript import Transcript
from shared.translation import Translation
from stages.backends import whisper_json
from stages.backends.cue_layout import lay_out
from stages.backends.cue_rules import check
from stages.backends.cue_shots import keep_to_shots
from stages.backends.cue_times import set_times
from stages.backends.cue_words import pieces_of
from stages.backends.speakers_in_time import speakers
from stages.backends.subtitle_reader import read
from stages.backends.subtitle_writer import render


class Pysubs2Writer:
    """Lays out and writes sheets; holds nothing."""

    def lay_out(
        self, transcript: Transcript, translation: Translation | None, limits: Limits, changes_ms: Sequence[int] = ()
    ) -> CueSheet:
        """The sheet for a transcript, or for its translation; `changes_ms` is where a shot begins."""
        language = translation.target if translation else transcript.language
        pieces = pieces_of(transcript, translation, limits.line_length, transcript.duration_ms)
        laid = lay_out(pieces, language, limits, transcript.duration_ms)
        cues = set_times(laid, limits, transcript.duration_ms)
        return CueSheet(language=language, cues=keep_to_shots(cues, changes_ms, limits, transcript.duration_ms))

    def check(self, sheet: CueSheet, limits: Limits, end_ms: int) -> QualityReport:
        """See `stages.backends.cue_rules.check`; every offender is named."""
        return check(sheet.cues, sheet.language, limits, end_ms, worst=None)

    def take(self, edited: Path, transcript: Transcript, language: str) -> tuple[CueSheet, ReadCues]:
        """The sheet of a corrected file, in order of time; each cue is by whoever says most words in its time."""
        found = read(edited)
        cues = sorted(found.cues, key=lambda cue: (cue.start_ms, cue.end_ms))
        speaker_of = speakers(transcript)
        told = tuple(cue.model_copy(update={"speaker": speaker_of(cue)}) for cue in cues if cue.lines)
        return CueSheet(language=language, cues=told), found

    def render(self, sheet: CueSheet, kind: str, aspect: float | None) -> str:
        """See `stages.backends.subtitle_writer.render`."""
        return render(sheet, kind, aspect)

    def whisper(self, transcript: Transcript, translation: Translation | None) -> str:
        """See `stages.backends.whisper_json.write`."""
        return whisper_json.write(transcript, translation)


def load(models: Mapping[str, Path], device: Device) -> Pysubs2Writer:
    """Nothing to load."""
    return Pysubs2Writer()
