"""The project's own layout, and SubRip and WebVTT by pysubs2.

pysubs2 thinks in ASS, where a backslash and braces are commands; what people say must pass through as it is.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import pysubs2

from shared.cue import CueSheet
from shared.guide import Limits
from shared.quality import QualityReport
from shared.stage import Device
from shared.transcript import Transcript
from shared.translation import Translation
from stages.backends.cue_layout import lay_out
from stages.backends.cue_rules import check
from stages.backends.cue_times import set_times
from stages.backends.cue_words import pieces_of

_WORD_JOINER = "\u2060"  # of no width; keeps a backslash and the letter after it from being read as a command


class Pysubs2Writer:
    """Lays out and writes sheets; holds nothing."""

    def lay_out(self, transcript: Transcript, translation: Translation | None, limits: Limits) -> CueSheet:
        """The sheet for a transcript, or for its translation."""
        language = translation.target if translation else transcript.language
        pieces = pieces_of(transcript, translation, limits.line_length, transcript.duration_ms)
        laid = lay_out(pieces, language, limits, transcript.duration_ms)
        return CueSheet(language=language, cues=set_times(laid, limits, transcript.duration_ms))

    def check(self, sheet: CueSheet, limits: Limits, end_ms: int) -> QualityReport:
        """See `stages.backends.cue_rules.check`; every offender is named."""
        return check(sheet.cues, sheet.language, limits, end_ms, worst=None)

    def render(self, sheet: CueSheet, kind: str) -> str:
        """The text of the subtitle file; `kind` is `srt` or `vtt`."""
        subtitles = pysubs2.SSAFile()
        for cue in sheet.cues:
            lines = [_escape(line, kind) for line in cue.lines]
            subtitles.append(pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=r"\N".join(lines)))
        text: str = subtitles.to_string(kind, keep_ssa_tags=True)
        return text


def load(models: Mapping[str, Path], device: Device) -> Pysubs2Writer:
    """Nothing to load."""
    return Pysubs2Writer()


def _escape(line: str, kind: str) -> str:
    line = line.replace("\\", f"\\{_WORD_JOINER}")
    if kind == "vtt":
        return html.escape(line, quote=False)
    return line.replace("-->", "→")  # an arrow inside a cue ends it for some readers of SubRip
