"""Check a subtitle by the limits of a guide, and by the rules that every guide takes for granted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.documents.cue import Cue
from shared.documents.quality_report import Broken, Offender, QualityReport, Severity
from shared.text.guide_limits import Limits
from shared.text.text_width import places, places_of_lines, reading_ms
from stages.toolkit.cues.styles import nearest_anchor

_MOST_OFFENDERS = 5  # that a report names for each rule
_MOST_QUOTED = 60  # characters of a cue's text


@dataclass(frozen=True)
class _Rule:
    severity: Severity
    meaning: str
    limit: float
    less_is_worse: bool = False


def _rules(limits: Limits, end_ms: int | None) -> dict[str, _Rule]:
    return {
        "line-length": _Rule("error", "places in the longest line", limits.line_length),
        "lines": _Rule("error", "lines", limits.lines),
        "reading-speed": _Rule("error", "places a second", limits.reading_speed),
        "min-duration": _Rule("error", "milliseconds on the screen", limits.min_duration_ms, less_is_worse=True),
        "max-duration": _Rule("error", "milliseconds on the screen", limits.max_duration_ms),
        "gap": _Rule("error", "milliseconds to the cue after it", limits.gap_ms, less_is_worse=True),
        "overlap": _Rule("error", "milliseconds it stays after the next one has begun", 0),
        "end": _Rule("error", "milliseconds when it goes, after the media's end", end_ms or 0),
        "empty": _Rule("error", "characters", 1, less_is_worse=True),
        "chain": _Rule("warning", "milliseconds to the cue after it, too few for a pause", limits.chain_below_ms,
                       less_is_worse=True),
    }  # fmt: skip


def check(
    cues: Sequence[Cue], language: str, limits: Limits, end_ms: int | None = None, worst: int | None = _MOST_OFFENDERS
) -> QualityReport:
    """Return the report on the cues of a file. `end_ms` is the end of the media, None if it is not known. `worst` is
    the number of offenders that are named for each rule, None for all of them."""
    ordered = sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))
    rules = _rules(limits, end_ms)
    found: dict[str, list[Offender]] = {}
    over: set[int] = set()
    for index, (cue, following) in enumerate(zip(ordered, _following(ordered), strict=True)):
        for rule, value in _broken(cue, following, limits, end_ms):
            text = " / ".join(cue.lines)
            offender = Offender(
                number=index + 1, start_ms=cue.start_ms, found=round(value, 2), text=text[:_MOST_QUOTED],
                reason=_reason(cue, rule, limits),
            )  # fmt: skip
            found.setdefault(rule, []).append(offender)
            if rules[rule].severity == "error":
                over.add(index)
    return QualityReport(
        language=language,
        cues=len(ordered),
        over_limits=len(over),
        broken=tuple(_summed(name, rules[name], found[name], worst) for name in rules if name in found),
    )


def _following(ordered: Sequence[Cue]) -> list[Cue | None]:
    """Return for each cue the next one in the same place of the picture; None for a cue at a point of its own, which
    can be shown together with any other."""
    found: list[Cue | None] = []
    following: dict[int, Cue] = {}
    for cue in reversed(ordered):
        if cue.place and cue.place.at:
            found.append(None)
            continue
        anchor = nearest_anchor(cue.place)
        found.append(following.get(anchor))
        following[anchor] = cue
    return found[::-1]


def _summed(name: str, rule: _Rule, offenders: Sequence[Offender], worst: int | None) -> Broken:
    worst_first = sorted(offenders, key=lambda offender: offender.found, reverse=not rule.less_is_worse)
    return Broken(
        rule=name, severity=rule.severity, meaning=rule.meaning, limit=rule.limit, count=len(offenders),
        worst=tuple(worst_first[:worst]),
    )  # fmt: skip


def _reason(cue: Cue, rule: str, limits: Limits) -> str | None:
    """Return why a cue with spoken words breaks a rule about time or width; None for other cues and rules."""
    if cue.spoken is None:
        return None
    if rule == "line-length":
        return "a single character is wider than the line"
    if rule not in {"reading-speed", "min-duration"}:
        return None
    spoken_ms = max(cue.spoken.end_ms - cue.spoken.start_ms, 1)
    speed = places_of_lines(cue.lines) * 1000 / spoken_ms
    if speed > limits.reading_speed:
        return f"spoken at {speed:.1f} places a second, and no pause lends enough time"
    return "the talk around it leaves no time"


def _broken(cue: Cue, following: Cue | None, limits: Limits, end_ms: int | None) -> Iterator[tuple[str, float]]:
    """Yield the rules that a cue breaks, each with the value that breaks it."""
    longest = max(map(places, cue.lines), default=0)
    if longest > limits.line_length:
        yield "line-length", longest
    if len(cue.lines) > limits.lines:
        yield "lines", len(cue.lines)
    length_ms, count = cue.end_ms - cue.start_ms, places_of_lines(cue.lines)
    if not any(line.strip() for line in cue.lines):
        yield "empty", 0
    elif length_ms < reading_ms(count, limits.reading_speed):
        yield "reading-speed", count * 1000 / max(length_ms, 1)
    if length_ms < limits.min_duration_ms:
        yield "min-duration", length_ms
    if length_ms > limits.max_duration_ms:
        yield "max-duration", length_ms
    if end_ms is not None and cue.end_ms > end_ms:
        yield "end", cue.end_ms
    if following is None:
        return
    gap = following.start_ms - cue.end_ms
    if gap < 0:
        yield "overlap", -gap
    elif gap < limits.gap_ms:
        yield "gap", gap
    elif limits.gap_ms < gap < limits.chain_below_ms:
        yield "chain", gap


def are_in_order(cues: Sequence[Cue]) -> bool:
    """Tell whether no cue begins before the cue that precedes it in the file."""
    return all(one.start_ms <= other.start_ms for one, other in pairwise(cues))
