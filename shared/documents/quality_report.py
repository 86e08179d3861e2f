"""The findings of `check` in a subtitle file, and the distance that `compare` measures."""

from __future__ import annotations

from typing import Literal

from shared.documents.base import Document, Frozen

Severity = Literal["error", "warning"]
UNSURE_TRANSLATION = "unsure-translation"
"""The rule that a cue breaks if the model doubts its translation."""


class Offender(Frozen):
    """A cue that breaks a rule. `number` counts from 1, in the file's order of time.

    `reason` says why the layout could not keep the rule; None for a file that was not made by reel.
    """

    number: int
    start_ms: int
    found: float
    text: str
    reason: str | None = None


class Broken(Frozen):
    """A rule that some cues break, the number of these cues, and the worst ones, worst first."""

    rule: str
    severity: Severity
    meaning: str
    limit: float
    count: int
    worst: tuple[Offender, ...]


class QualityReport(Document):
    """All rules that are broken. `over_limits` counts the cues that break one whose severity is `error`."""

    language: str
    cues: int
    over_limits: int
    broken: tuple[Broken, ...]


class Comparison(Document):
    """The distance of subtitles from a reference of `reference_cues` cues: SubER in percent of the reference's words
    and breaks, 0 for the same. `suber` ignores letter case and punctuation, `suber_cased` does not."""

    reference_cues: int
    suber: float
    suber_cased: float
