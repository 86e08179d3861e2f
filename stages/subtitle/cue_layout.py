"""Divide a text into cues and lines, by dynamic programming over the whole text.

For each piece, the search keeps the best cue that ends before it. A cue holds few pieces, so the work grows linearly
with the text. The recogniser's segments do not matter; sentences, pauses and speakers do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from shared.text.guide_limits import Limits
from shared.text.joining_words import JoiningWords
from shared.text.text_width import places
from stages.subtitle.times import LAG_MS, LaidOutCue, needed_ms
from stages.toolkit.cues.line_breaks import Breaks, breaks_of
from stages.toolkit.cues.marks import DIALOGUE_MARK
from stages.toolkit.cues.words import Piece, text_of

# The costs of a layout. Only their order matters: a limit comes before language, and language before shape.
_CUE, _DIALOGUE = 5.0, 6.0  # of a cue, and of a cue with two speakers in addition
_SECOND_SENTENCE = 6.0  # a little more than the cue that it saves: sentences share a cue only to be readable
# Of a cue that ends within the first words of a sentence: nearly as much as one that is too fast, so that only reading
# speed comes before it.
_JUST_BEGUN, _BEGINNING_WORDS = 18.0, 3
_CUE_BREAK = 1.4  # times the cost of the same break between lines
_SECOND_LINE, _UNBALANCED, _TOP_HEAVY, _ONE_WORD = 1.0, 6.0, 1.0, 4.0  # of lines
_SCRAP = 4.0  # of a short cue that is not a sentence, the more the shorter it is
_TOO_FAST, _FASTER = 20.0, 80.0  # of a cue that is too short to be read, and by how much it is too short
_PAUSE_INSIDE_MS, _PAUSE_PER_MS = 500, 1 / 250  # the longest free pause inside a cue, and the cost of each ms more
_NEVER = float("inf")


@dataclass(frozen=True)
class _Text:
    """A text with the numbers that the search needs. All lists are by piece."""

    pieces: Sequence[Piece]
    breaks: Breaks
    limits: Limits
    end_ms: int
    space: list[int]  # before the piece: 1 or 0
    at: list[int]  # the width of all pieces before it in one line
    sentences: list[int]  # how many have ended before it
    begun: list[int]  # where the sentence began that a cue ending before it would cut after a few words, else 0
    pauses: list[float]  # the cost of all pauses before it

    def width(self, start: int, end: int) -> int:
        """Return the places of the pieces from `start` to before `end` in one line."""
        return self.at[end] - self.at[start] - self.space[start]

    def line(self, start: int, end: int) -> str:
        """Return the pieces from `start` to before `end` as text."""
        return text_of(self.pieces[start:end])


def lay_out(pieces: Sequence[Piece], joining: JoiningWords, limits: Limits, end_ms: int) -> list[LaidOutCue]:
    """Return cues with their lines and the times in which their words are spoken. Every piece is in one cue, in order.
    Neighbouring pieces with the same pin become a cue without lines, which the correction's cues replace."""
    if not pieces:
        return []
    text = _measure(pieces, joining, limits, end_ms)
    found: list[LaidOutCue] = []
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
    """Return, for each piece, where its sentence began if at most `_BEGINNING_WORDS` of it come before the piece and
    the same speaker continues; else 0."""
    found, began = [0] * len(sentence), 0
    for place in range(1, len(pieces)):
        if sentence[place]:
            began = place
        elif place - began <= _BEGINNING_WORDS and pieces[place].speaker == pieces[place - 1].speaker:
            found[place] = began
    return found


def _laid(text: _Text, start: int, second: int, end: int) -> LaidOutCue:
    pieces, pin = text.pieces, text.pieces[start].pin
    times = pieces[start].start_ms, max(pieces[end - 1].end_ms, pieces[start].start_ms + 1)
    if pin is not None:
        return LaidOutCue((), *times, pieces[start].speaker, pin=pin)
    if second:
        lines = tuple(DIALOGUE_MARK + text.line(*part) for part in ((start, second), (second, end)))
        return LaidOutCue(lines, *times, None)
    edges = [start, *_line_edges(text, start, end, text.limits.lines)[1], end]
    lines = tuple(text.line(one, other) for one, other in pairwise(edges))
    return LaidOutCue(lines, *times, pieces[start].speaker)


def _best_cues(text: _Text) -> list[tuple[int, int]]:
    """Return, for the place before each piece, where the best cue that ends there begins, and where its second speaker
    begins (0 for one speaker)."""
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
        ended, begun = sentences[end - 1], text.begun[end]
        # Every part of a cost is positive, so a cue whose cost is too high already is dropped at once. Long cues come
        # first, because they are mostly better. Of two cues with the same cost, the shorter one is taken.
        for start in range(fitting, end):
            cost = best[start] + price + pauses[end - 1] - pauses[start]
            if cost > least:
                continue
            width = at[end] - begins[start]
            cost += _SECOND_SENTENCE * (ended - sentences[start]) + (_JUST_BEGUN if start < begun else 0.0)
            needed = needs[width] if width <= widest else needs[widest]
            if (available := latest - starts[start]) < needed:  # `_hurry` inlined, because it runs for every cue
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
    """Return the cost of a cue that is shown for less time than reading it needs; 0 for any other."""
    if available_ms >= needed:
        return 0.0
    return _TOO_FAST + (_FASTER * (1 - available_ms / needed) if available_ms > 0 else _FASTER)


def _try_dialogue(
    text: _Text, best: list[float], second: int, end: int, latest: int, least: float, came_from: list[tuple[int, int]]
) -> float:
    """Try cues with two speakers, a line each, of complete sentences only. Return the lowest cost so far."""
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
    """Return the cost of the best lines for these pieces, and where each line after the first begins."""
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
