"""Give every cue of a file its time in the film.

A file may have a rhythm: its cues begin at the same distance from their words, because a person timed them. The rhythm
is kept, and only the distance is corrected. Without a rhythm, each cue begins with its first word. A cue whose words
were not recognised keeps its distance to the nearest cue whose words were, or gets a share of the room that is left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from stages.toolkit.sync.cue_words import CueText, MatchedCue, cues_without_times
from stages.toolkit.sync.pieces import Piece

IN_STEP_MS = 150
"""A piece with a smaller offset stays as it is: viewers do not notice it, and recognition is not more exact."""

_RHYTHM_SPREAD_MS = 250.0  # the largest spread of a file with a rhythm; recognition alone is off by 100 to 150
_SAME_SPEED = 2e-4  # the largest distance of a speed from 1 that counts as 1
_NEAR_MS = 500  # words so far outside their cue still count as inside
_SURE_SHARE = 0.5  # of a cue's words: if so many were recognised, their times count, wherever they are
_SURE_WORDS = 3
_WHOLE_SHARE = 0.75  # of a cue: with so many of its words, it was not taken for another one that is said alike
_FIRST_WORDS = 0.5  # the weight of a start that one of the first three words gives
# A cue whose first words are recognised so far from where its neighbours put it slipped alone, although later words of
# it are heard while it is shown. In 49 made-up films with one line off by 1.2 to 3 s, 34 lines were put right for 12
# without this rule, and none of 2,900 others was moved.
_LEAST_SLIP_MS = 1_000
_FARTHEST_SLIP_MS = 5_000  # a single cue does not slip farther: the same words are spoken there too

Basis = Literal["rhythm", "words", "neighbours", "nowhere"]
"""The evidence by which a cue was placed: the rhythm of its piece (its own words agree), its own words, its neighbours,
or none, because the film has no room for it."""


@dataclass(frozen=True)
class PlacedCue:
    """A cue's time in the film, the evidence for it, and the number of its piece."""

    start_ms: int
    end_ms: int
    basis: Basis
    piece: int


def place(
    cues: Sequence[CueText], matched: Sequence[MatchedCue], pieces: Sequence[Piece], doubtful: Container[int] = ()
) -> list[PlacedCue]:
    """Return a time for each cue, in order.

    `matched` are the cues with recognised words, in order. There must be one piece at least. The basis of `doubtful`
    cues is their neighbours.
    """
    by_cue = {match.cue: match for match in matched}
    lost = cues_without_times(cues)
    pieces = pieces if matched else _without_overlaps(cues, pieces)
    of_piece = _pieces_of(cues, pieces)
    placed: list[PlacedCue] = []
    for number, cue in enumerate(cues):
        match, piece = by_cue.get(number), pieces[of_piece[number]]
        if match and number in lost:
            placed.append(PlacedCue(match.start_ms, max(match.end_ms, match.start_ms + 1), "words", of_piece[number]))
            continue
        start_ms, basis = _start(cues, number, match, piece, matched)
        if number in doubtful:
            basis = "neighbours"
        end_ms = start_ms + (cue.end_ms - cue.start_ms) * (1.0 if is_in_step(piece) else pieces[0].speed)
        if match and basis == "words":
            end_ms = max(end_ms, match.end_ms)
        placed.append(PlacedCue(max(0, round(start_ms)), max(1, round(end_ms)), basis, of_piece[number]))
    return _in_order(cues, _fit_between(cues, placed, pieces), pieces)


def _without_overlaps(cues: Sequence[CueText], pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces, each without the cues at its end that would be shown after the next piece begins.

    Found by speech alone, a scene that the film does not have seems to continue the piece before it. If a piece would
    lose more cues than the next piece has, the next piece is as doubtful, and both stay.
    """
    made = list(pieces)
    for number, (one, other) in enumerate(pairwise(pieces)):
        begin_ms = other.film_ms(cues[other.first].start_ms)
        inside = [at for at in range(one.first, one.last + 1) if one.film_ms(cues[at].start_ms) < begin_ms]
        late = one.last - one.first + 1 - len(inside)
        if inside and late < other.last - other.first + 1:
            made[number] = replace(one, last=inside[-1])
    return made


def is_in_step(piece: Piece) -> bool:
    """Tell whether a piece is in step as it is."""
    return abs(piece.speed - 1) < _SAME_SPEED and abs(piece.offset_ms) < IN_STEP_MS


def has_rhythm(piece: Piece) -> bool:
    """Tell whether the cues of a piece begin at the same distance from their words."""
    return piece.spread_ms <= _RHYTHM_SPREAD_MS


def _start(
    cues: Sequence[CueText], number: int, match: MatchedCue | None, piece: Piece, matched: Sequence[MatchedCue]
) -> tuple[float, Basis]:
    """Return when a cue begins in the film, in ms, and the evidence for it. `match` is that of the cue itself."""
    cue = cues[number]
    expected = float(cue.start_ms) if is_in_step(piece) else piece.film_ms(cue.start_ms)
    drifted = expected + (0.0 if has_rhythm(piece) else _drift(cues, number, piece, matched))
    inside = piece.first <= number <= piece.last
    if match is None or not inside:
        # Without any recognised words, speech gave the times of the cues inside a piece.
        return drifted, "neighbours" if matched or not inside else "rhythm"
    length = piece.speed * (cue.end_ms - cue.start_ms)
    near = sum(expected - _NEAR_MS <= word.start_ms <= expected + length + _NEAR_MS for word in match.words)
    sure = len(match.words) >= max(_SURE_WORDS, _SURE_SHARE * match.size)
    off_ms = abs(match.start_ms - expected)
    is_whole = len(match.words) >= _WHOLE_SHARE * match.size and match.weight >= _FIRST_WORDS
    begins_elsewhere = is_whole and off_ms > _LEAST_SLIP_MS
    slipped = (near * 2 < len(match.words) or begins_elsewhere) and off_ms <= _FARTHEST_SLIP_MS
    if sure and (slipped or not has_rhythm(piece)):
        return match.start_ms, "words"
    if has_rhythm(piece):
        return expected, "rhythm" if near else "neighbours"
    return (match.start_ms, "words") if near else (drifted, "neighbours")


def _drift(cues: Sequence[CueText], number: int, piece: Piece, matched: Sequence[MatchedCue]) -> float:
    """Return by how many ms the nearest matched cue of a piece begins later than the piece says. A cue without
    recognised words keeps its distance to that cue."""
    at = bisect_left(matched, number, key=lambda match: match.cue)
    near = [match for match in matched[max(0, at - 1) : at + 1] if piece.first <= match.cue <= piece.last]
    if not near:
        return 0.0
    nearest = min(near, key=lambda match: abs(cues[match.cue].start_ms - cues[number].start_ms))
    return nearest.start_ms - piece.film_ms(cues[nearest.cue].start_ms)


def _pieces_of(cues: Sequence[CueText], pieces: Sequence[Piece]) -> list[int]:
    """Return the number of the piece of each cue. A cue between two pieces belongs to the one whose cue is nearer."""
    found = []
    at = 0
    for number, cue in enumerate(cues):
        while at + 1 < len(pieces) and number >= pieces[at + 1].first:
            at += 1
        is_between = pieces[at].last < number and at + 1 < len(pieces)
        before = cue.start_ms - cues[pieces[at].last].end_ms
        after = cues[pieces[at + 1].first].start_ms - cue.end_ms if is_between else 0
        found.append(at + 1 if is_between and after < before else at)
    return found


def _fit_between(cues: Sequence[CueText], placed: Sequence[PlacedCue], pieces: Sequence[Piece]) -> list[PlacedCue]:
    """Return the cues, those between two pieces fitted into the room between them.

    A scene that the film does not have leaves too little room. Its cues then share what there is.
    """
    found = list(placed)
    for one, other in pairwise(pieces):
        inside = range(one.last + 1, other.first)
        low, high = placed[one.last].end_ms, placed[other.first].start_ms
        if not inside or placed[one.last].start_ms > high:
            continue  # there is no cue between them, or the next piece is earlier in the film
        starts = [placed[number].start_ms for number in inside]
        if starts == sorted(starts) and min(starts) >= low and max(placed[n].end_ms for n in inside) <= high:
            continue
        low = min(low, high)
        begin, end = cues[inside[0]].start_ms, max(cues[number].end_ms for number in inside)
        scale = min(1.0, (high - low) / max(1, end - begin))
        for number in inside:
            cue = cues[number]
            start = low + round(scale * max(0, cue.start_ms - begin))
            length = round(scale * (cue.end_ms - cue.start_ms))
            found[number] = PlacedCue(start, start + length, "nowhere", found[number].piece)
    return found


def _in_order(cues: Sequence[CueText], placed: Sequence[PlacedCue], pieces: Sequence[Piece]) -> list[PlacedCue]:
    """Return the cues in the order of the file and without new overlaps, except where the film has the pieces in
    another order."""
    found = list(placed)
    moved_back = {
        number for number in range(1, len(pieces))
        if pieces[number].film_ms(cues[pieces[number].first].start_ms)
        < pieces[number - 1].film_ms(cues[pieces[number - 1].first].start_ms)
    }  # fmt: skip
    for number in range(1, len(cues)):
        before, cue = found[number - 1], found[number]
        if cues[number].start_ms < cues[number - 1].start_ms or (cue.piece != before.piece and cue.piece in moved_back):
            continue
        apart = cues[number - 1].end_ms <= cues[number].start_ms
        start = max(cue.start_ms, before.start_ms + apart)
        found[number] = PlacedCue(start, max(cue.end_ms, start + 1), cue.basis, cue.piece)
        if apart and before.end_ms > start:
            found[number - 1] = PlacedCue(before.start_ms, start, before.basis, before.piece)
    last = found[-1] if found else None
    if last and last.end_ms <= last.start_ms:
        found[-1] = PlacedCue(last.start_ms, last.start_ms + 1, last.basis, last.piece)
    return found
