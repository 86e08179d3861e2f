"""Compute SubER: the fewest edits that turn subtitles into the reference, in percent of its words and breaks.

Words, line breaks and cue breaks count alike, and a word matches only a word that is shown at the same time (Wilken,
Georgakopoulou and Matusov, "SubER: A Metric for Automatic Evaluation of Subtitle Quality", IWSLT 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from suber.data_types import LineBreak, Subtitle, TimedWord
from suber.metrics.suber import calculate_SubER

from shared.documents.cue import Cue
from shared.stage import Device

_CHINESE = "zh"  # the package divides it into words; those of other languages are between spaces


class Suber:
    """The engine, without state."""

    uncut = frozenset({"ja", "ko"})  # the package needs dictionaries for these, which this environment does not have

    def rate(self, cues: Sequence[Cue], reference: Sequence[Cue], language: str, *, cased: bool) -> float:
        """Return the edit rate, 0 if there are no differences. Without `cased`, case and punctuation do not count."""
        rate: float = calculate_SubER(
            _subtitles(cues), _subtitles(reference), "SubER-cased" if cased else "SubER",
            language=_CHINESE if language == _CHINESE else None,
        )  # fmt: skip
        return rate


def load(models: Mapping[str, Path], device: Device) -> Suber:
    """Return the engine; there is no model to load."""
    return Suber()


def _subtitles(cues: Sequence[Cue]) -> list[Subtitle]:
    subtitles = []
    for number, cue in enumerate(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)), 1):
        start_s, end_s = cue.start_ms / 1000, cue.end_ms / 1000
        words = []
        for line in cue.lines:
            words += [TimedWord(text, LineBreak.NONE, start_s, end_s) for text in line.split()]
            if words:
                words[-1].line_break = LineBreak.END_OF_LINE
        if words:
            words[-1].line_break = LineBreak.END_OF_BLOCK
            subtitles.append(Subtitle(word_list=words, index=number, start_time=start_s, end_time=end_s))
    return subtitles
