"""Pair the cues of two sheets by their times: the engine of stage `bilingual`.

If both sheets have the same times, as with an existing subtitle, the cues are paired one by one. Otherwise cues that
overlap make a group. The words of the other language, spread over the times of their cues, are divided among the
group's cues in the spoken language. They are cut where a line may end and near the beginning of the next of these cues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from shared.documents.cue import Cue, CueSheet
from shared.stage import Device
from shared.text.guide_limits import Limits
from shared.text.joining_words import JoiningWords
from stages.bilingual.stage import Order
from stages.toolkit.cues.line_breaks import breaks_of
from stages.toolkit.cues.lines import lines_of
from stages.toolkit.cues.words import Piece, fit_pieces, spread_tokens
from stages.toolkit.formats.writer import render

# The share of the shorter of two cues that must overlap to group them: a cue may stay for reading when the next begins.
_LEAST_OVERLAP = 0.3
_OFF_PER_MS = 1 / 60  # the cost of a cut that is off in time: a second costs as much as a cut after an article


class Pairs:
    """The engine, without state."""

    def combine(
        self, cues: CueSheet, translated: CueSheet, order: Order, limits: Limits, joining: JoiningWords
    ) -> CueSheet:
        """Return a sheet of both languages, with all cues of both. `joining` are words of the other language."""
        combined: list[Cue] = []
        for ours, theirs in _groups(_ordered(cues), _ordered(translated)):
            if not ours:
                combined += theirs
            elif len(ours) == len(theirs) == 1:
                combined.append(_both(ours[0], theirs[0].lines, order))
            else:
                shares = _shares(ours, theirs, limits, joining)
                combined += [_both(cue, lines, order) for cue, lines in zip(ours, shares, strict=True)]
        return CueSheet(language=translated.language, kind=cues.kind, cues=tuple(combined))

    def render(self, sheet: CueSheet, kind: str, aspect: float | None) -> str:
        """See `stages.toolkit.formats.writer.render`."""
        return render(sheet, kind, aspect)


def load(models: Mapping[str, Path], device: Device) -> Pairs:
    """Return the engine; there is no model to load."""
    return Pairs()


def _ordered(sheet: CueSheet) -> list[Cue]:
    return sorted((cue for cue in sheet.cues if cue.lines), key=lambda cue: (cue.start_ms, cue.end_ms))


def _both(cue: Cue, others: Sequence[str], order: Order) -> Cue:
    """Return a cue with the lines of another language added. The styles of spans stay with their lines."""
    if tuple(others) == cue.lines:  # a sound or a name is shown once
        return cue
    above, below = (cue.lines, tuple(others)) if order == "source-above" else (tuple(others), cue.lines)
    down = 0 if order == "source-above" else len(others)
    spans = tuple(span.model_copy(update={"line": span.line + down}) for span in cue.spans)
    return cue.model_copy(update={"lines": (*above, *below), "spans": spans})


def _groups(ours: Sequence[Cue], theirs: Sequence[Cue]) -> Iterator[tuple[list[Cue], list[Cue]]]:
    """Yield the cues of both sheets that belong together, in order of time. One side may be empty."""
    if [(cue.start_ms, cue.end_ms) for cue in ours] == [(cue.start_ms, cue.end_ms) for cue in theirs]:
        yield from (([one], [other]) for one, other in zip(ours, theirs, strict=True))
        return
    one = other = 0
    while one < len(ours) or other < len(theirs):
        group: tuple[list[Cue], list[Cue]] = ([], [])
        if other >= len(theirs) or (one < len(ours) and ours[one].start_ms <= theirs[other].start_ms):
            group[0].append(ours[one])
            one += 1
        else:
            group[1].append(theirs[other])
            other += 1
        while True:
            if one < len(ours) and any(_overlap(ours[one], cue) for cue in group[1]):
                group[0].append(ours[one])
                one += 1
            elif other < len(theirs) and any(_overlap(theirs[other], cue) for cue in group[0]):
                group[1].append(theirs[other])
                other += 1
            else:
                break
        yield group


def _overlap(first: Cue, other: Cue) -> bool:
    shared = min(first.end_ms, other.end_ms) - max(first.start_ms, other.start_ms)
    shorter = min(first.end_ms - first.start_ms, other.end_ms - other.start_ms)
    return shared > _LEAST_OVERLAP * shorter or (shared >= 0 and first.start_ms == other.start_ms)


def _shares(ours: Sequence[Cue], theirs: Sequence[Cue], limits: Limits, joining: JoiningWords) -> list[tuple[str, ...]]:
    """Return the lines in the other language for each cue of a group; none for a cue that gets no words."""
    pieces = list(fit_pieces(_pieces(theirs), limits.line_length, max((cue.end_ms for cue in theirs), default=0)))
    costs = breaks_of(pieces, joining).line if pieces else []
    cuts = [0]
    for cue in ours[1:]:
        # A cut at the beginning or the end leaves a cue without words, which is right if it has no spoken words.
        places = range(cuts[-1], len(pieces) + 1)
        cuts.append(min(places, key=lambda place: _cost(pieces, costs, place, cue.start_ms)))
    cuts.append(len(pieces))
    return [tuple(lines_of(pieces[begin:end], joining, limits)) for begin, end in pairwise(cuts)]


def _cost(pieces: Sequence[Piece], costs: Sequence[float], place: int, start_ms: int) -> float:
    inside = 0 < place < len(pieces)
    at_ms = pieces[place].start_ms if place < len(pieces) else pieces[-1].end_ms if pieces else start_ms
    return (costs[place] if inside else 0.0) + _OFF_PER_MS * abs(at_ms - start_ms)


def _pieces(cues: Sequence[Cue]) -> Iterator[Piece]:
    """Yield the words of cues, spread over their times."""
    for cue in cues:
        words = [(word, False) for line in cue.lines for word in line.split()]
        start, end = (cue.spoken.start_ms, cue.spoken.end_ms) if cue.spoken else (cue.start_ms, cue.end_ms)
        if words:
            yield from spread_tokens(words, start, end, cue.speaker)
