"""Cuts a text into cues and lines, by dynamic programming over all of it.

The best way to end a cue before a piece is kept for every piece; a cue holds few pieces, so the work grows with the
length of the text only. Whatever a recogniser took for a segment does not matter: sentences, pauses and speakers do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from shared.text.guide_limits import Limits
from shared.text.joining_words import JoiningWords
from shared.text.text_width import places
from stages.subtitle.times import LAG_MS, Laid, needed_ms
from stages.toolkit.cues.line_breaks import Breaks, breaks_of
from stages.toolkit.cues.marks import DIALOGUE_MARK
from stages.toolkit.cues.words import Piece

# What weighs how much. Only the order matters: keeping a limit goes before language, language before shape. A second
# sentence in a cue costs a little more than the cue it saves, so sentences share one only to be readable.
_CUE, _SECOND_SENTENCE, _DIALOGUE = 5.0, 6.0, 6.0
# A sentence that has just begun goes on in its own cue: nearly as much as a cue that is too fast, so that only reading
# comes before it.
_JUST_BEGUN, _BEGINNING = 18.0, 3  # and for how many words
_CUE_BREAK = 1.4  # times the cost of the same break between lines
_SECOND_LINE, _UNBALANCED, _TOP_HEAVY, _SCRAP, _ONE_WORD = 1.0, 6.0, 1.0, 4.0, 4.0
_TOO_FAST, _FASTER = 20.0, 80.0
_PAUSE_INSIDE_MS, _PAUSE_PER_MS = 500, 1 / 250
_NEVER = float("inf")


@dataclass(frozen=True)
class _Text:
    """A text as numbers; `at[i]` is where piece `i` ends if all stood in one line."""

    pieces: Sequence[Piece]
    breaks: Breaks
    limits: Limits
    end_ms: int
    space: list[int]  # in front of each piece: 1 or 0
    at: list[int]
    sentences: list[int]  # how many have ended before each piece
    begun: list[int]  # where the sentence began that a cue before each piece would cut after a word or a few, else 0
    pauses: list[float]  # what the pauses before each piece cost, added up

    def width(self, start: int, end: int) -> int:
        """Return places of the pieces from `start` to before `end` in one line."""
        return self.at[end] - self.at[start] - self.space[start]

    def line(self, start: int, end: int) -> str:
        """Return the lines of a cue as text."""
        first, *others = self.pieces[start:end]
        return first.text + "".join(piece.text if piece.joined else f" {piece.text}" for piece in others)


def lay_out(pieces: Sequence[Piece], joining: JoiningWords, limits: Limits, end_ms: int) -> list[Laid]:
    """Return cues with their lines and with the time in which their words are spoken. Every piece is in one, in
    order. Neighbours with the same pin make a cue without lines, which stands for the correction's."""
    if not pieces:
        return []
    text = _measure(pieces, joining, limits, end_ms)
    found: list[Laid] = []
    end = len(pieces)
    came_from = _best_cues(text)
    while end:
        start, second = came_from[end]
        found.append(_laid(text, start, second, end))
        end = start
    return found[::-1]


def _measure(pieces: Sequence[Piece], joining: JoiningWords, limits: Limits, end_ms: int) -> _Text:
    breaks = breaks_of(pieces, joining)
    space = [0 if piece.joined or not index else 1 for index, piece in enumerate(pieces)]
    widths = [blank + places(piece.text) for blank, piece in zip(space, pieces, strict=True)]
    inside = [max(pause - _PAUSE_INSIDE_MS, 0) * _PAUSE_PER_MS for pause in breaks.pause_ms]
    return _Text(
        pieces, breaks, limits, end_ms, [*space, 0], [0, *accumulate(widths)],
        [0, *accumulate(int(ends) for ends in breaks.sentence[1:])], _begun(pieces, breaks.sentence),
        [*accumulate(inside)],
    )  # fmt: skip


def _begun(pieces: Sequence[Piece], sentence: Sequence[bool]) -> list[int]:
    """Return, for the place before each piece, where the sentence before it began if it is at most a few words old and
    the same speaker goes on with it there; else 0."""
    found, began = [0] * len(sentence), 0
    for place in range(1, len(pieces)):
        if sentence[place]:
            began = place
        elif place - began <= _BEGINNING and pieces[place].speaker == pieces[place - 1].speaker:
            found[place] = began
    return found


def _laid(text: _Text, start: int, second: int, end: int) -> Laid:
    pieces, pin = text.pieces, text.pieces[start].pin
    times = pieces[start].start_ms, max(pieces[end - 1].end_ms, pieces[start].start_ms + 1)
    if pin is not None:
        return Laid((), *times, pieces[start].speaker, pin=pin)
    if second:
        lines = tuple(DIALOGUE_MARK + text.line(*part) for part in ((start, second), (second, end)))
        return Laid(lines, *times, None)
    edges = [start, *_line_edges(text, start, end, text.limits.lines)[1], end]
    lines = tuple(text.line(one, other) for one, other in pairwise(edges))
    return Laid(lines, *times, pieces[start].speaker)


def _best_cues(text: _Text) -> list[tuple[int, int]]:
    """Return, for the place before each piece, where the cue that ends there begins, and where its second speaker
    does."""
    pieces, limits, breaks = text.pieces, text.limits, text.breaks
    at, pauses, sentences = text.at, text.pauses, text.sentences
    begins = [before + blank for before, blank in zip(at, text.space, strict=True)]
    line, widest, longest = limits.line_length, limits.line_length * limits.lines, limits.max_duration_ms
    needs = [needed_ms(width, limits) for width in range(widest + 1)]
    starts = [piece.start_ms for piece in pieces]
    count = len(pieces)
    best = [0.0] + [_NEVER] * count
    came_from = [(0, 0)] * (count + 1)
    turn = wall = 0  # where the current speaker began, and where the last pinned cue ended
    for end in range(1, count + 1):
        last = pieces[end - 1]
        price = _CUE + _CUE_BREAK * breaks.cue[end]
        latest = _latest(text, end)
        least = _NEVER
        if end > 1 and last.speaker != pieces[end - 2].speaker:
            turn = end - 1
        if last.pin is not None:
            (came_from[end], best[end]), wall = _pinned(pieces, end, came_from[end - 1][0], best), end
            continue
        fitting = max(turn, wall, bisect_left(begins, at[end] - widest), bisect_left(starts, last.end_ms - longest))
        fitting = min(fitting, end - 1)  # a single piece has to do, however wide and long it is
        said, begun = sentences[end - 1], text.begun[end]
        # Every part of a cost is positive, so what is too dear already is not looked at further. Long cues come first:
        # they are mostly the better ones. Of two that cost the same the shorter one is taken.
        for start in range(fitting, end):
            cost = best[start] + price + pauses[end - 1] - pauses[start]
            if cost > least:
                continue
            width = at[end] - begins[start]
            cost += _SECOND_SENTENCE * (said - sentences[start]) + (_JUST_BEGUN if start < begun else 0.0)
            needed = needs[width] if width <= widest else needs[widest]
            if (available := latest - starts[start]) < needed:  # `_hurry`, written out: it is asked for all the time
                cost += _TOO_FAST + (_FASTER * (1 - available / needed) if available > 0 else _FASTER)
            if width < line and not (breaks.sentence[start] and breaks.sentence[end]):
                cost += _SCRAP * (1 - width / line)
            if width > line and start < end - 1:
                if cost + _SECOND_LINE > least:
                    continue
                cost += _line_edges(text, start, end, limits.lines)[0]
            if cost <= least:
                least = cost
                came_from[end] = (start, 0)
        if turn > wall and fitting == turn and limits.lines > 1:
            least = _try_dialogue(text, best, turn, end, latest, least, came_from)
        best[end] = least
    return came_from


def _pinned(pieces: Sequence[Piece], end: int, begun: int, best: Sequence[float]) -> tuple[tuple[int, int], float]:
    """Return where the pinned cue of the piece before `end` begins, and its cost: only all of its pieces end it.

    `begun` is where the cue of the piece before that one begins.
    """
    pin = pieces[end - 1].pin
    begin = begun if end > 1 and pieces[end - 2].pin == pin else end - 1
    is_whole = end == len(pieces) or pieces[end].pin != pin
    return (begin, 0), best[begin] if is_whole else _NEVER


def _latest(text: _Text, end: int) -> int:
    """Return the latest end of a cue that ends before piece `end`."""
    hung = min(text.pieces[end - 1].end_ms + LAG_MS, text.end_ms)
    return min(hung, text.pieces[end].start_ms - text.limits.gap_ms) if end < len(text.pieces) else hung


def _hurry(needed: int, available_ms: int) -> float:
    """Return the cost of a cue that cannot stay as long as reading it takes."""
    if available_ms >= needed:
        return 0.0
    return _TOO_FAST + (_FASTER * (1 - available_ms / needed) if available_ms > 0 else _FASTER)


def _try_dialogue(
    text: _Text, best: list[float], second: int, end: int, latest: int, least: float, came_from: list[tuple[int, int]]
) -> float:
    """Try two speakers in one cue, a line each, from whole sentences only. Return the least cost known so far."""
    pieces, breaks, limits = text.pieces, text.breaks, text.limits
    line = limits.line_length - places(DIALOGUE_MARK)
    whole = end == len(pieces) or breaks.sentence[end] or pieces[end].speaker != pieces[end - 1].speaker
    speakers = pieces[second - 1].speaker, pieces[end - 1].speaker
    if not whole or None in speakers or text.width(second, end) > line:
        return least
    for start in range(second - 1, -1, -1):
        if pieces[start].pin is not None:
            break
        width = text.width(start, second)
        length = pieces[end - 1].end_ms - pieces[start].start_ms
        if pieces[start].speaker != speakers[0] or width > line or length > limits.max_duration_ms:
            break
        if not (breaks.sentence[start] or (start and pieces[start - 1].speaker != speakers[0])):
            continue
        width += text.width(second, end) + 2 * places(DIALOGUE_MARK)
        needed = needed_ms(width, limits)
        cost = best[start] + _CUE + _CUE_BREAK * breaks.cue[end] + _DIALOGUE
        cost += text.pauses[end - 1] - text.pauses[start] + _hurry(needed, latest - pieces[start].start_ms)
        if cost < least:
            least = cost
            came_from[end] = (start, second)
    return least


def _line_edges(text: _Text, start: int, end: int, lines: int) -> tuple[float, tuple[int, ...]]:
    """Return the cost of the best lines for these pieces, and where each line but the first begins."""
    whole, limit = text.width(start, end), text.limits.line_length
    if whole <= limit or end - start == 1:
        return 0.0, ()
    if lines == 1:
        return _NEVER, ()
    least, edges = _NEVER, tuple[int, ...]()
    at, space, cost_of = text.at, text.space, text.breaks.line
    from_here, to_here, below, parts = at[start] + space[start], at[end], limit * (lines - 1), lines - 1
    for cut in range(min(bisect_right(at, limit + from_here, start, end) - 1, end - 1), start, -1):
        lower = to_here - at[cut] - space[cut]
        if lower > below:
            break
        heavier = (at[cut] - from_here) * parts - lower
        cost = cost_of[cut] + _SECOND_LINE + (_ONE_WORD if cut - start == 1 or end - cut == 1 else 0.0)
        cost += _UNBALANCED * heavier / whole + _TOP_HEAVY if heavier > 0 else -_UNBALANCED * heavier / whole
        if cost >= least:
            continue
        if lines == 2:
            least, edges = cost, (cut,)
            continue
        further = _line_edges(text, cut, end, parts)
        if cost + further[0] < least:
            least, edges = cost + further[0], (cut, *further[1])
    return least, edges
