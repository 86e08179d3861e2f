"""Draws the chart of a run as text or as SVG: for each worker a lane, with a bar for each step and each load. Pure."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

from pipeline.base.display import one_line
from pipeline.publishing.run_report.summary import last_ms
from pipeline.store.history import RunDetails
from shared.text.timecode import span

LOADING = "~"
_IDLE, _GONE = ".", " "
_TICKS = 4
_MOST_BARS, _MOST_COLUMNS = 600, 400  # of a picture in a report; each bar takes 150 bytes

# The seven colours of Okabe and Ito, which people with any colour vision can tell apart. Further kinds get stripes.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_STRIPES = ("rotate(45)", "rotate(-45)", "rotate(90)")
_LOADING_COLOUR = "#BBBBBB"
_ROW, _BAR, _LEFT, _WIDTH, _TOP, _RIGHT = 22, 16, 190, 1000, 30, 20
SVG_START = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} '
_LETTER = 7  # width of most letters, at most, at the chart's text size


@dataclass(frozen=True)
class Bar:
    """Stretch of a worker's time, in ms from the beginning of the chart. `kind` is a step without its language, or
    `LOADING`; `what` is the text that is shown on pointing at the bar."""

    kind: str
    what: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Lane:
    """Life of a worker, with its bars in order of time."""

    worker: str
    label: str
    start_ms: int
    end_ms: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Chart:
    """Chart with its lanes, from 0 to `length_ms`."""

    length_ms: int
    lanes: tuple[Lane, ...]

    @property
    def kinds(self) -> list[str]:
        """Return the kinds of bars without `LOADING`, each once."""
        return list(dict.fromkeys(bar.kind for lane in self.lanes for bar in lane.bars if bar.kind != LOADING))


def chart(details: RunDetails) -> Chart | None:
    """Return the chart of a run; None if no worker was started."""
    if not details.workers:
        return None
    began = min(worker.started_ms for worker in details.workers)
    ended = last_ms(details, began)
    lanes = []
    for worker in details.workers:
        bars = [
            Bar(
                step.step.partition(":")[0], f"{step.item}: {step.step}", step.started_ms - began, step.ended_ms - began
            )
            for step in details.steps
            if step.worker == worker.worker and step.started_ms is not None and step.ended_ms is not None
        ]
        for load in details.loads:
            if load.worker == worker.worker:
                end = load.ended_ms - began
                what = f"loading {', '.join(load.models) or load.backend}"
                bars.append(Bar(LOADING, what, max(end - round(load.seconds * 1000), 0), end))
        bars.sort(key=lambda bar: bar.start_ms)
        life = (worker.started_ms - began, (worker.ended_ms or ended) - began)
        lanes.append(Lane(worker.worker, worker.label, *life, tuple(bars)))
    return Chart(max(ended - began, 1), tuple(lanes))


def condensed(drawn: Chart) -> Chart:
    """Return a chart with fewer bars, if there are very many: one for each stretch of a lane in which one kind of step
    took most of the time. A chart of 10,000 steps would have megabytes, and bars thinner than a pixel."""
    if sum(len(lane.bars) for lane in drawn.lanes) <= _MOST_BARS:
        return drawn
    letters, columns = _letters(drawn.kinds), min(_MOST_COLUMNS, max(2_000 // len(drawn.lanes), 20))
    kinds = {letter: kind for kind, letter in letters.items()} | {LOADING: LOADING}
    lanes = []
    for lane in drawn.lanes:
        bars, column = [], 0
        for sign, group in groupby(_cells(lane, drawn, letters, columns)):
            begin, column = column, column + len(list(group))
            if sign in kinds:
                edges = (drawn.length_ms * begin // columns, drawn.length_ms * column // columns)
                bars.append(Bar(kinds[sign], "loading" if sign == LOADING else kinds[sign], *edges))
        lanes.append(replace(lane, bars=tuple(bars)))
    return Chart(drawn.length_ms, tuple(lanes))


def as_text(drawn: Chart, width: int) -> str:
    """Draw the chart in `width` columns, each with the letter of the kind of step that took most of its time."""
    letters = _letters(drawn.kinds)
    head = max(len(f"{lane.worker} {lane.label}") for lane in drawn.lanes)
    head = min(head, max(width // 3, 4))
    columns = max(width - head - 1, 10)
    lines = [
        f"{f'{lane.worker} {lane.label}'[:head]:<{head}} {_cells(lane, drawn, letters, columns)}"
        for lane in drawn.lanes
    ]
    key = [f"{letter} {kind}" for kind, letter in letters.items()]
    key += [f"{LOADING} loads", f"{_IDLE} waits"]
    return "\n".join(
        [*(line.rstrip() for line in lines), _axis(drawn.length_ms, head + 1, columns), *_wrapped(key, width)]
    )


def as_svg(drawn: Chart, title: str) -> str:
    """Draw the chart as SVG: a row for each worker, with bars that show a text on pointing at them."""
    fills = {kind: _fill(number) for number, kind in enumerate(drawn.kinds)} | {LOADING: _LOADING_COLOUR}
    scale = (_WIDTH - _LEFT - _RIGHT) / drawn.length_ms
    bottom = _TOP + _ROW * len(drawn.lanes)
    places = list(_legend(fills, bottom + 26))
    height = places[-1][2] + 24
    parts = [
        f'{SVG_START}{height}" font-family="sans-serif" font-size="11">',
        f"<title>{_xml(title)}</title>",
        f"<defs>{''.join(map(_pattern, range(len(_COLOURS), len(drawn.kinds))))}</defs>",
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="10" y="18" font-size="13">{_xml(title)}</text>',
    ]
    for number, lane in enumerate(drawn.lanes):
        y = _TOP + number * _ROW
        name = f"{lane.worker} {lane.label}"
        parts.append(f'<text x="10" y="{y + 12}">{_xml(_cut(name, (_LEFT - 14) // _LETTER))}</text>')
        parts.append(_rectangle(lane.start_ms, lane.end_ms, y, scale, "#EEEEEE", name))
        for bar in lane.bars:
            what = f"{bar.what}, {span((bar.end_ms - bar.start_ms) / 1000)}"
            parts.append(_rectangle(bar.start_ms, bar.end_ms, y, scale, fills[bar.kind], what))
    for number in range(_TICKS + 1):
        at = drawn.length_ms * number / _TICKS
        tick = f"{_LEFT + at * scale:.1f}"
        parts.append(f'<path d="M{tick} {_TOP - 4}V{bottom}" stroke="#CCCCCC" stroke-width="0.5"/>')
        anchor = "end" if number == _TICKS else "middle"
        parts.append(f'<text x="{tick}" y="{bottom + 14}" text-anchor="{anchor}">{span(at / 1000)}</text>')
    for kind, x, y in places:
        parts.append(f'<rect x="{x}" y="{y}" width="10" height="10" fill="{fills[kind]}"/>')
        parts.append(f'<text x="{x + 14}" y="{y + 9}">{_xml(_legend_name(kind))}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _xml(text: str) -> str:
    """Return the text escaped for XML, without control characters, which XML cannot contain."""
    return escape(one_line(text))


def _fill(number: int) -> str:
    return _COLOURS[number] if number < len(_COLOURS) else f"url(#kind{number})"


def _pattern(number: int) -> str:
    """Return the striped pattern of a kind after the seventh."""
    turn = _STRIPES[(number // len(_COLOURS) - 1) % len(_STRIPES)]
    return (
        f'<pattern id="kind{number}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="{turn}">'
        f'<rect width="5" height="5" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
        '<rect width="1.5" height="5" fill="black"/></pattern>'
    )


def _legend(kinds: Iterable[str], y: int) -> Iterator[tuple[str, int, int]]:
    """Yield each kind with the position of its square, in as many lines as they need."""
    x = _LEFT
    for kind in kinds:
        width = 14 + _LETTER * len(_legend_name(kind)) + 12
        if x > _LEFT and x + width > _WIDTH:
            x, y = _LEFT, y + 18
        yield kind, x, y
        x += width


def _legend_name(kind: str) -> str:
    return "loads" if kind == LOADING else kind


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _rectangle(start_ms: int, end_ms: int, y: int, scale: float, colour: str, what: str) -> str:
    width = max((end_ms - start_ms) * scale, 0.5)
    place = f'x="{_LEFT + start_ms * scale:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}"'
    return f'<rect {place} fill="{colour}"><title>{_xml(what)}</title></rect>'


def _letters(kinds: Sequence[str]) -> dict[str, str]:
    """Return a letter for each kind: the first letter of its name that is still free, in upper case."""
    letters: dict[str, str] = {}
    spare = iter(string.ascii_uppercase + string.digits + string.ascii_lowercase)
    for kind in kinds:
        own = (letter for letter in kind.upper() if letter.isalpha() and letter not in letters.values())
        letters[kind] = next(own, None) or next(letter for letter in spare if letter not in letters.values())
    return letters


def _cells(lane: Lane, drawn: Chart, letters: Mapping[str, str], columns: int) -> str:
    """Return the letter of the longest activity in each column."""
    column_ms = drawn.length_ms / columns
    share: list[dict[str, float]] = [{} for _ in range(columns)]
    waits = Bar(_IDLE, "", lane.start_ms, lane.end_ms)
    for bar in (waits, *lane.bars):
        sign = letters.get(bar.kind, bar.kind)
        for column in range(int(bar.start_ms / column_ms), min(int(bar.end_ms / column_ms) + 1, columns)):
            covered = min(bar.end_ms, (column + 1) * column_ms) - max(bar.start_ms, column * column_ms)
            # Waiting counts less, so that a short step between long pauses is visible.
            share[column][sign] = share[column].get(sign, 0.0) + covered * (0.2 if sign == _IDLE else 1.0)
    return "".join(max(signs, key=lambda sign: signs[sign]) if signs else _GONE for signs in share)


def _axis(length_ms: int, left: int, columns: int) -> str:
    """Return the line of times below the columns; the last time ends at the last column."""
    line = [" "] * (left + columns)
    ticks = max(min(_TICKS, columns // 12), 1)
    for number in range(ticks + 1):
        text = span(length_ms * number / ticks / 1000)
        at = left + min(round(columns * number / ticks), columns - len(text))
        line[at : at + len(text)] = text
    return "".join(line).rstrip()


def _wrapped(words: Iterable[str], width: int) -> list[str]:
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 3 + len(word) > width:
            lines.append("")
        lines[-1] += f"   {word}" if lines[-1] else word
    return lines
