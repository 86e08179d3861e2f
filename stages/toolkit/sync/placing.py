"""Give every cue of a file its time in the film: those that were heard, those that were not, in one order.

Where the file keeps a rhythm of its own (its cues begin at the same distance from their words), it is kept, because a
person made it; the distance alone is changed. Where it has none, each cue begins with its first word. A cue that was
not heard keeps its distance to the nearest one that was, or shares the room there is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from stages.toolkit.sync.cue_words import CueText, HeardCue, without_times
from stages.toolkit.sync.pieces import Piece

KEPT_MS = 150
"""A piece that is off by less stays as it is: viewers do not see it, and recognition is not more exact."""

_OWN_RHYTHM_MS = 250.0  # the spread of a file that has one; recognition alone is off by 100 to 150
_SAME_SPEED = 2e-4
_NEAR_MS = 500  # words heard so far outside their cue are in it all the same
_SURE_SHARE = 0.5  # of a cue's words: with so many, the times of the words count, wherever they are
_SURE_WORDS = 3
_FARTHEST_SLIP_MS = 5_000  # one cue alone is not farther off: the same words were said there, too

Basis = Literal["rhythm", "words", "neighbours", "nowhere"]
"""Says by which evidence a cue was placed: the rhythm of its piece (its own words agree), its own words, its
neighbours, or none, because the film has no room for it."""


@dataclass(frozen=True)
class PlacedCue:
    """A cue's time in the film, and by which evidence it got it."""

    start_ms: int
    end_ms: int
    basis: Basis
    piece: int


def place(
    cues: Sequence[CueText], heard: Sequence[HeardCue], pieces: Sequence[Piece], doubtful: Container[int] = ()
) -> list[PlacedCue]:
    """Return one time for each cue, in their order. Expects a piece at least. Cues that are `doubtful` go with their
    neighbours."""
    by_cue = {one.cue: one for one in heard}
    lost = without_times(cues)
    pieces = pieces if heard else _apart(cues, pieces)
    of_piece = _pieces_of(cues, pieces)
    made: list[PlacedCue] = []
    for number, cue in enumerate(cues):
        own = by_cue.get(number)
        if own and number in lost:
            made.append(PlacedCue(own.start_ms, max(own.end_ms, own.start_ms + 1), "words", of_piece[number]))
            continue
        start_ms, basis = _start(cue, own, pieces[of_piece[number]], number, heard, cues)
        if number in doubtful:
            basis = "neighbours"
        length = (cue.end_ms - cue.start_ms) * (1.0 if stays(pieces[of_piece[number]]) else pieces[0].speed)
        end_ms = start_ms + length
        if own and basis == "words":
            end_ms = max(end_ms, own.end_ms)
        made.append(PlacedCue(max(0, round(start_ms)), max(1, round(end_ms)), basis, of_piece[number]))
    return _in_order(cues, _fitted(cues, made, pieces), pieces)


def _apart(cues: Sequence[CueText], pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces, each without the cues at its end that would be shown after the next one begins: by speech
    alone, the scene that a film does not have seems to go on with what stands before it. Where that would be more
    cues than the next piece has, that one is as doubtful, and both stay."""
    made = list(pieces)
    for number, (one, other) in enumerate(pairwise(pieces)):
        begin_ms = other.film_ms(cues[other.first].start_ms)
        inside = [at for at in range(one.first, one.last + 1) if one.film_ms(cues[at].start_ms) < begin_ms]
        late = one.last - one.first + 1 - len(inside)
        if inside and late < other.last - other.first + 1:
            made[number] = replace(one, last=inside[-1])
    return made


def stays(piece: Piece) -> bool:
    """Tell whether a piece is in step as it is."""
    return abs(piece.speed - 1) < _SAME_SPEED and abs(piece.offset_ms) < KEPT_MS


def has_rhythm(piece: Piece) -> bool:
    """Tell whether the cues of a piece begin at the same distance from their words."""
    return piece.spread_ms <= _OWN_RHYTHM_MS


def _start(
    cue: CueText, own: HeardCue | None, piece: Piece, number: int, heard: Sequence[HeardCue], cues: Sequence[CueText]
) -> tuple[float, Basis]:  # fmt: skip
    expected = float(cue.start_ms) if stays(piece) else piece.film_ms(cue.start_ms)
    inside = own is not None and piece.first <= number <= piece.last
    if own is None or not inside:
        return expected + (0.0 if has_rhythm(piece) else _drift(cue, number, piece, heard, cues)), _basis_without_words(
            heard, piece, number
        )
    length = piece.speed * (cue.end_ms - cue.start_ms)
    near = sum(expected - _NEAR_MS <= at <= expected + length + _NEAR_MS for _, at, _ in own.words)
    sure = len(own.words) >= max(_SURE_WORDS, _SURE_SHARE * own.size)
    slipped = near * 2 < len(own.words) and abs(own.start_ms - expected) <= _FARTHEST_SLIP_MS
    if sure and (slipped or not has_rhythm(piece)):
        return own.start_ms, "words"
    if has_rhythm(piece):
        return expected, "rhythm" if near else "neighbours"
    return (own.start_ms, "words") if near else (expected + _drift(cue, number, piece, heard, cues), "neighbours")


def _basis_without_words(heard: Sequence[HeardCue], piece: Piece, number: int) -> Basis:
    """Return the basis of a cue without words of its own: where no words were heard at all, speech gave the times."""
    return "neighbours" if heard or not piece.first <= number <= piece.last else "rhythm"


def _drift(
    cue: CueText, number: int, piece: Piece, heard: Sequence[HeardCue], cues: Sequence[CueText]
) -> float:  # fmt: skip
    """Return how far the cue next to this one that was heard is off from its piece: its distance to that is kept."""
    at = bisect_left(heard, number, key=lambda one: one.cue)
    near = [one for one in heard[max(0, at - 1) : at + 1] if piece.first <= one.cue <= piece.last]
    if not near:
        return 0.0
    nearest = min(near, key=lambda one: abs(cues[one.cue].start_ms - cue.start_ms))
    return nearest.start_ms - piece.film_ms(cues[nearest.cue].start_ms)


def _pieces_of(cues: Sequence[CueText], pieces: Sequence[Piece]) -> list[int]:
    """Return the piece of each cue. Between two pieces, a cue goes with the one whose next cue is nearer in time."""
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


def _fitted(cues: Sequence[CueText], made: Sequence[PlacedCue], pieces: Sequence[Piece]) -> list[PlacedCue]:
    """Return the cues with those between two pieces in the room there is: a scene that the film does not have leaves
    too little of it, and then they share what is left."""
    found = list(made)
    for one, other in pairwise(pieces):
        inside = range(one.last + 1, other.first)
        low, high = made[one.last].end_ms, made[other.first].start_ms
        if not inside or made[one.last].start_ms > high:
            continue  # nothing stands between, or a part that stands elsewhere in the film follows
        starts = [made[number].start_ms for number in inside]
        if starts == sorted(starts) and min(starts) >= low and max(made[n].end_ms for n in inside) <= high:
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


def _in_order(cues: Sequence[CueText], made: Sequence[PlacedCue], pieces: Sequence[Piece]) -> list[PlacedCue]:
    """Return the cues in the order that they had, except where the film has the pieces in another one, and without new
    overlaps."""
    found = list(made)
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
