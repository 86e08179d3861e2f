"""What a check of a subtitle file found: the document that stage `check` hands to whoever asked for it."""

from __future__ import annotations

from typing import Literal

from shared.document import Document, Frozen

Severity = Literal["error", "warning"]


class Offender(Frozen):
    """A cue that breaks a rule. `number` counts from 1, in the file's order of time.

    `reason` says why the layout could not keep the rule; None for a file from another hand.
    """

    number: int
    start_ms: int
    found: float
    text: str
    reason: str | None = None


class Broken(Frozen):
    """A rule that some cues break, how many do, and the worst of them, worst first."""

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
