"""Describes in lines how a subtitle was put in step with its film."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pipeline.engine.batch import BatchResult
from shared.documents.subtitle_sync import Basis, Shift, SyncReport
from shared.text.timecode import clock

_FILE = "sync.json"
_MOST_SHIFTS = 12  # lines
_MEANINGS: dict[Basis, str] = {
    "rhythm": "moved with the cues around them",
    "words": "begin with their own words",
    "neighbours": "were not heard and keep their distance to their neighbours",
    "nowhere": "are of a scene that the film does not have",
}
_SPEEDS = {25 / 24: "25/24", 25 * 1001 / 24_000: "25/23.976", 1001 / 1000: "24/23.976"}
_SAME_SPEED = 1e-5  # difference of two speeds that count as one


def report_in(result: BatchResult) -> SyncReport | None:
    """Return the report that a run published; None if the run failed."""
    for item in result.items:
        for path in item.published.files if item.published else ():
            if path.name == _FILE:
                return SyncReport.read(path)
    return None


def lines_of(report: SyncReport) -> Iterator[str]:
    """Yield the lines: how many cues moved how far, by which evidence, and which of them are doubtful."""
    yield (
        f"{report.moved} of {report.cues} cues moved, by {report.median_ms / 1000:+.1f} s in the median and"
        f" {report.farthest_ms / 1000:+.1f} s at most; {report.sure:.0%} are placed by what is heard"
    )
    if not report.moved:
        return
    if report.method == "speech":
        yield f"  by the times of speech, because {report.reason}"
    for shift in report.shifts[:_MOST_SHIFTS]:
        yield f"  {_shift(shift)}"
    if len(report.shifts) > _MOST_SHIFTS:
        yield f"  and {len(report.shifts) - _MOST_SHIFTS} more changes, see {_FILE}"
    counts = Counter(cue.basis for cue in report.placed)
    yield from (f"  {counts[basis]} {meaning}" for basis, meaning in _MEANINGS.items() if counts[basis])
    doubtful = [cue for cue in report.placed if cue.basis == "nowhere"]
    if doubtful:
        first, last = doubtful[0], doubtful[-1]
        yield f"  look at cues {first.number} to {last.number}, at {clock(first.film_ms)} of the film"


def _shift(shift: Shift) -> str:
    at_start = shift.offset_ms + (shift.speed - 1) * shift.start_ms
    text = f"cues {shift.first} to {shift.last}, from {clock(shift.start_ms)}: {at_start / 1000:+.2f} s"
    if abs(shift.speed - 1) < _SAME_SPEED:
        return text
    for speed, name in _SPEEDS.items():
        for value, named in ((speed, name), (1 / speed, "/".join(reversed(name.split("/"))))):
            if abs(value - shift.speed) < _SAME_SPEED:
                return f"{text}, {named} of the length"
    return f"{text}, {shift.speed:.4f} of the length"
