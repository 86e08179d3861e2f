"""Draws a media file from its beginning to its end: the sound, and lanes of what was found in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.base.display import counted
from pipeline.publishing.run_report.html import Html, element
from pipeline.publishing.run_report.job_facts import JobFacts, Stretch
from shared.documents.quality_report import QualityReport
from shared.text.timecode import clock, span

_WIDE, _HIGH = 10_000, 10  # of a lane, in units of its own
_WAVE_HIGH = 256
_MOST_SPEAKERS = 8
_TICKS = 4
_LEAST_WIDE = 12  # so that a short stretch of a long film can be seen


def timeline(facts: JobFacts) -> Html | None:
    """Return the picture of a media file; None if its length is not known."""
    length_ms = facts.length_ms
    if not length_ms:
        return None
    lanes = [_wave(facts.outline)] if facts.outline else []
    lanes += [_stretches("Speech", facts.speech, length_ms, "speech")] if facts.speech else []
    for number, (name, parts) in enumerate(list(facts.speakers.items())[:_MOST_SPEAKERS]):
        lanes.append(_stretches(name, parts, length_ms, f"speaker speaker-{number}"))
    lanes += [_moments("Shots", facts.shots, length_ms, "shots", "change")] if facts.shots else []
    if removed := [(one.start_ms, one.end_ms) for one in facts.removals]:
        lanes.append(_stretches("Removed", removed, length_ms, "removed"))
    if over := sorted({at for one in facts.subtitles for at in _over(one.report)}):
        lanes.append(_moments("Over limits", over, length_ms, "over", "cue"))
    if doubts := [one.start_ms for one in facts.doubts]:
        lanes.append(_moments("Listen again", doubts, length_ms, "doubt", "place"))
    marks = [clock(length_ms * number // _TICKS) for number in range(_TICKS + 1)]
    axis = element("div", [element("span", mark) for mark in marks], class_="axis", aria_hidden="true")
    return element("div", lanes, axis, class_="timeline")


def _over(report: QualityReport | None) -> Iterator[int]:
    for broken in report.broken if report else ():
        if broken.severity == "error":
            yield from (offender.start_ms for offender in broken.worst)


def _lane(name: str, told: str, kind: str, content: Html, high: int, wide: int = _WIDE) -> Html:
    label = element(
        "div", element("span", name, class_="name", dir="auto"), element("span", told, class_="told"), class_="label"
    )
    picture = element(
        "svg", content, viewBox=f"0 0 {wide} {high}", preserveAspectRatio="none", role="img",
        aria_label=f"{name}: {told}", class_=kind,
    )  # fmt: skip
    return element("div", label, picture, class_="lane")


def _wave(outline: Sequence[tuple[int, int]]) -> Html:
    middle = _WAVE_HIGH // 2
    upper = [f"{at} {middle - high}" for at, (_, high) in enumerate(outline)]
    lower = [f"{at} {middle - low}" for at, (low, _) in reversed(list(enumerate(outline)))]
    path = element("path", d=f"M{' '.join([*upper, *lower])}z")
    loudest = max(max(-low, high) for low, high in outline)
    told = f"peak {round(100 * loudest / 128)} %"
    return _lane("Sound", told, "wave", path, _WAVE_HIGH, len(outline))


def _stretches(name: str, parts: Sequence[Stretch], length_ms: int, kind: str) -> Html:
    total = sum(end - start for start, end in parts)
    drawn = []
    for start_ms, end_ms in parts:
        start = round(start_ms * _WIDE / length_ms)
        wide = max(round(end_ms * _WIDE / length_ms) - start, _LEAST_WIDE)
        drawn.append(f"M{start} 0h{wide}v{_HIGH}h-{wide}z")
    told = f"{span(total / 1000)} in {len(parts)}"
    return _lane(name, told, kind, element("path", d="".join(drawn)), _HIGH)


def _moments(name: str, times_ms: Iterable[int], length_ms: int, kind: str, what: str) -> Html:
    times = sorted(times_ms)
    path = element("path", d="".join(f"M{round(at * _WIDE / length_ms)} 0v{_HIGH}" for at in times))
    return _lane(name, counted(len(times), what), f"moments {kind}", path, _HIGH)
