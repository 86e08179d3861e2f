"""Draws the timeline of a media file: its sound, and a lane for each kind of finding, such as speech and speakers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.base.display import counted
from pipeline.publishing.run_report.html import Html, element
from pipeline.publishing.run_report.job_facts import JobFacts, Stretch
from shared.documents.quality_report import QualityReport
from shared.text.timecode import clock, span

_WIDTH, _HEIGHT = 10_000, 10  # of a lane, in its own units
_WAVE_HEIGHT = 256
_MOST_SPEAKERS = 8
_TICKS = 4
_LEAST_WIDTH = 12  # so that a short stretch of a long film is visible


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
    if removed := [(removal.start_ms, removal.end_ms) for removal in facts.removals]:
        lanes.append(_stretches("Removed", removed, length_ms, "removed"))
    if over := sorted({start_ms for subtitles in facts.subtitles for start_ms in _over_limits(subtitles.report)}):
        lanes.append(_moments("Over limits", over, length_ms, "over", "cue"))
    if doubts := [doubt.start_ms for doubt in facts.doubts]:
        lanes.append(_moments("Listen again", doubts, length_ms, "doubt", "place"))
    marks = [clock(length_ms * number // _TICKS) for number in range(_TICKS + 1)]
    axis = element("div", [element("span", mark) for mark in marks], class_="axis", aria_hidden="true")
    return element("div", lanes, axis, class_="timeline")


def _over_limits(report: QualityReport | None) -> Iterator[int]:
    """Yield the start times of the cues over a limit."""
    for broken in report.broken if report else ():
        if broken.severity == "error":
            yield from (offender.start_ms for offender in broken.worst)


def _lane(name: str, summary: str, kind: str, content: Html, height: int, width: int = _WIDTH) -> Html:
    label = element(
        "div", element("span", name, class_="name", dir="auto"), element("span", summary, class_="told"), class_="label"
    )
    picture = element(
        "svg", content, viewBox=f"0 0 {width} {height}", preserveAspectRatio="none", role="img",
        aria_label=f"{name}: {summary}", class_=kind,
    )  # fmt: skip
    return element("div", label, picture, class_="lane")


def _wave(outline: Sequence[tuple[int, int]]) -> Html:
    middle = _WAVE_HEIGHT // 2
    upper = [f"{at} {middle - high}" for at, (_, high) in enumerate(outline)]
    lower = [f"{at} {middle - low}" for at, (low, _) in reversed(list(enumerate(outline)))]
    path = element("path", d=f"M{' '.join([*upper, *lower])}z")
    loudest = max(max(-low, high) for low, high in outline)
    summary = f"peak {round(100 * loudest / 128)} %"
    return _lane("Sound", summary, "wave", path, _WAVE_HEIGHT, len(outline))


def _stretches(name: str, parts: Sequence[Stretch], length_ms: int, kind: str) -> Html:
    total = sum(end - start for start, end in parts)
    drawn = []
    for start_ms, end_ms in parts:
        start = round(start_ms * _WIDTH / length_ms)
        width = max(round(end_ms * _WIDTH / length_ms) - start, _LEAST_WIDTH)
        drawn.append(f"M{start} 0h{width}v{_HEIGHT}h-{width}z")
    summary = f"{span(total / 1000)} in {len(parts)}"
    return _lane(name, summary, kind, element("path", d="".join(drawn)), _HEIGHT)


def _moments(name: str, times_ms: Iterable[int], length_ms: int, kind: str, what: str) -> Html:
    times = sorted(times_ms)
    path = element("path", d="".join(f"M{round(at * _WIDTH / length_ms)} 0v{_HEIGHT}" for at in times))
    return _lane(name, counted(len(times), what), f"moments {kind}", path, _HEIGHT)
