"""Convert the style of a cue to runs of text with one style each, the form in which formats are read and written, and
back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypedDict

from shared.documents.cue import Cue, Place, Span, Style

Run = tuple[str, Style]
PLAIN = Style()
FOOT = 2  # the anchor of a cue without a place


class Styled(TypedDict):
    """The fields of a cue that hold its text and its style."""

    lines: tuple[str, ...]
    italic: bool
    spans: tuple[Span, ...]


def runs_of(cue: Cue) -> list[list[Run]]:
    """Return the runs of each line. Their styles do not include italics of the whole cue."""
    found: list[list[Run]] = []
    for number, line in enumerate(cue.lines):
        runs: list[Run] = []
        at = 0
        for span in (span for span in cue.spans if span.line == number):
            start, end = max(span.start, at), min(span.end, len(line))
            if start < end:  # a cue sheet that was edited by hand may have any numbers
                runs += [(line[at:start], PLAIN)] if at < start else []
                runs.append((line[start:end], span.style))
                at = end
        if line[at:] or not runs:
            runs.append((line[at:], PLAIN))
        found.append(runs)
    return found


def styled(lines: Sequence[Sequence[Run]]) -> Styled:
    """Return the fields of a cue from the runs of its lines, without blanks at their ends and without empty lines.

    If all words are in italics, the cue is, and its spans are not: each look has one form.
    """
    kept = [line for line in map(_stripped, lines) if line]
    italic = bool(kept) and all(style.italic for line in kept for text, style in line if text.strip())
    if italic:
        kept = [[(text, style.model_copy(update={"italic": False})) for text, style in line] for line in kept]
    return Styled(
        lines=tuple("".join(text for text, _ in line) for line in kept),
        italic=italic,
        spans=tuple(span for number, line in enumerate(kept) for span in _spans(number, line)),
    )


def place_of(anchor: int | None, at: tuple[int, int] | None = None) -> Place | None:
    """Return the place for an anchor and a point; None for the foot of the picture, the place of a cue without one."""
    if at is None and anchor in {None, FOOT}:
        return None
    return Place(anchor=anchor or FOOT, at=at)


def point_of(across: float, down: float) -> tuple[int, int]:
    """Return a point, in ten-thousandths of the picture, from fractions of its width and height."""
    return round(across * 10_000), round(down * 10_000)


def nearest_anchor(place: Place | None) -> int:
    """Return the anchor for formats without points: the ninth of the picture that holds the point."""
    if place is None:
        return FOOT
    if place.at is None:
        return place.anchor
    across, down = (min(max(part * 3 // 10_000, 0), 2) for part in place.at)
    return (2 - down) * 3 + across + 1


def _stripped(line: Sequence[Run]) -> list[Run]:
    runs = [run for run in line if run[0]]
    while runs and not (first := runs[0][0].lstrip()):
        del runs[0]
    if not runs:
        return []
    runs[0] = first, runs[0][1]
    while not (last := runs[-1][0].rstrip()):
        del runs[-1]
    runs[-1] = last, runs[-1][1]
    return runs


def _spans(number: int, line: Sequence[Run]) -> Iterator[Span]:
    at = 0
    for style, group in groupby(line, key=lambda run: run[1]):
        end = at + sum(len(text) for text, _ in group)
        if style is not PLAIN and style != PLAIN:
            yield Span(line=number, start=at, end=end, style=style)
        at = end
