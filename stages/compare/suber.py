"""SubER: the least edits that turn subtitles into the reference, in percent of the reference's words and breaks.

Words, line breaks and cue breaks count alike, and a word matches only one that is shown at the same time. Wilken,
Georgakopoulou and Matusov, "SubER: A Metric for Automatic Evaluation of Subtitle Quality", IWSLT 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from suber.data_types import LineBreak, Subtitle, TimedWord
from suber.metrics.suber import calculate_SubER

from shared.documents.cue import Cue
from shared.stage import Device

_CHINESE = "zh"  # its words are cut by the package; those of other languages stand between spaces


class Suber:
    """The engine; holds nothing."""

    uncut = frozenset({"ja", "ko"})  # the package cuts these with dictionaries that this environment does not hold

    def rate(self, cues: Sequence[Cue], reference: Sequence[Cue], language: str, *, cased: bool) -> float:
        """Return the rate; 0 for the same. Without `cased`, letter case and punctuation do not count."""
        found: float = calculate_SubER(
            _subtitles(cues), _subtitles(reference), "SubER-cased" if cased else "SubER",
            language=_CHINESE if language == _CHINESE else None,
        )  # fmt: skip
        return found


def load(models: Mapping[str, Path], device: Device) -> Suber:
    """Do nothing: this backend has no model."""
    return Suber()


def _subtitles(cues: Sequence[Cue]) -> list[Subtitle]:
    made = []
    for number, cue in enumerate(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)), 1):
        start_s, end_s = cue.start_ms / 1000, cue.end_ms / 1000
        words = []
        for line in cue.lines:
            words += [TimedWord(text, LineBreak.NONE, start_s, end_s) for text in line.split()]
            if words:
                words[-1].line_break = LineBreak.END_OF_LINE
        if words:
            words[-1].line_break = LineBreak.END_OF_BLOCK
            made.append(Subtitle(word_list=words, index=number, start_time=start_s, end_time=end_s))
    return made
