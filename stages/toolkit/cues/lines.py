"""Break the text of one cue into as few lines as the guide allows, at the places where breaks cost least."""

from __future__ import annotations

from collections.abc import Sequence

from shared.text.guide_limits import Limits
from shared.text.joining_words import JoiningWords
from shared.text.text_width import places
from stages.toolkit.cues.line_breaks import breaks_of
from stages.toolkit.cues.words import Piece, text_of

_UNEVEN = 6.0  # the cost of a line that is twice as long as the mean, as in the layout of cues
_NEVER = float("inf")


def lines_of(pieces: Sequence[Piece], joining: JoiningWords, limits: Limits) -> list[str]:
    """Return the text of the pieces in lines, none longer than the guide allows unless a single piece is. There may be
    more lines than the guide allows if the text needs them."""
    for count in range(1, len(pieces) + 1):
        if lines := _in_lines(pieces, joining, limits.line_length, count):
            return lines
    return [piece.text for piece in pieces]


def _in_lines(pieces: Sequence[Piece], joining: JoiningWords, longest: int, count: int) -> list[str] | None:
    """Return the text in `count` lines, by dynamic programming over the places where a line may end; None if that is
    too few."""
    costs, total = breaks_of(pieces, joining).line, len(pieces)
    even = sum(places(piece.text) + (not piece.joined) for piece in pieces) / count
    best: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(0, 0): (0.0, ())}
    for number in range(1, count + 1):
        for end in range(number, total + 1):
            found = _NEVER, tuple[int, ...]()
            for start in range(end - 1, number - 2, -1):
                width = places(text_of(pieces[start:end]))
                if width > longest and end - start > 1:
                    break
                if (before := best.get((number - 1, start))) is None:
                    continue
                cost = before[0] + (costs[start] if start else 0.0) + _UNEVEN * abs(width - even) / max(even, 1)
                if cost < found[0]:
                    found = cost, (*before[1], end)
            if found[1]:
                best[number, end] = found
    if (count, total) not in best:
        return None
    ends = best[count, total][1]
    return [text_of(pieces[start:end]) for start, end in zip((0, *ends), ends, strict=False)]
