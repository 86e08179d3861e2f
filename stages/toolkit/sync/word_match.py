"""Match the words of a text with the words that were heard, over a whole film, and without any time.

Parts may be missing on either side, may stand in another order, and words may differ. Three steps, as genome aligners
do it (seed, chain, extend: Li, "Minimap2", Bioinformatics 2018):

1. Seeds are runs of words that stand on both sides and that are rare on both.
2. The best chain of runs is found by dynamic programming. A chain goes on at the same distance for free, at another
   distance for a cost that grows with the logarithm of the difference, and anywhere else for a fixed cost: that is a
   scene that is missing, and a part in another place.
3. Between two runs, and beyond the ends of a chain, Needleman and Wunsch's alignment finds the words that no seed
   holds.

10,000 words on each side take 1 s.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

# How long a seed is, and how often it may occur: the product of its counts on both sides.
_SEEDS = ((1, 1), (2, 1), (3, 4), (4, 9), (6, 25))
_SHORTEST_ALONE = 4  # letters of a word that may be a seed alone
_LOOK_BACK = 60  # runs before this one that a chain may go on from at their distance
_JUMP_COST = 8.0  # in words; two jumps are needed to put a part into another place
_SHIFT_COST = 0.5  # in words, by each doubling of the difference in distance
_MATCH, _CLOSE, _DIFFERENT, _GAP = 1.0, 0.4, -0.6, -0.5  # random text loses, so that an extension ends
_LARGEST_TABLE = 10_000  # cells; a larger gap is aligned from its ends alone
_REACH = 60  # words beyond the end of a chain
_DROP = 4.0  # in words: a row that is so far below the best one ends an extension
_CLOSE_SHARE = 0.7  # of the letters of two words, by edits, that are alike


MayPair = Callable[[int, int], bool]
"""Tells whether a word of the text and a word heard, by their places, may be the same one."""


class Pair(NamedTuple):
    """A word of the text and the word heard that it was matched with, by their places."""

    text: int
    heard: int


class _Run(NamedTuple):
    """Words that are the same on both sides."""

    text: int
    heard: int
    length: int

    @property
    def text_end(self) -> int:
        return self.text + self.length

    @property
    def heard_end(self) -> int:
        return self.heard + self.length


def match_words(text: Sequence[str], heard: Sequence[str], may_pair: MayPair = lambda _, __: True) -> list[Pair]:
    """Return the pairs in the order of the text, each word of either side at most once. Words are compared as they
    are: give them without marks and letter case. `may_pair` tells whether two places may be seeds."""
    chain = _best_chain(_runs(text, heard, may_pair))
    pairs = [Pair(run.text + step, run.heard + step) for run in chain for step in range(run.length)]
    pairs += _between(chain, text, heard)
    found: dict[int, Pair] = {}
    used: set[int] = set()
    for pair in pairs:  # the runs come first, and so are preferred
        if pair.text not in found and pair.heard not in used:
            found[pair.text] = pair
            used.add(pair.heard)
    return [found[place] for place in sorted(found)]


def seeds(text: Sequence[str], heard: Sequence[str]) -> Iterator[tuple[Pair, int]]:
    """Yield each run of words that is rare on both sides: its places, and how many words it has."""
    for size, most in _SEEDS:
        there = _places(heard, size)
        for seed, places in _places(text, size).items():
            if size == 1 and len(seed[0]) < _SHORTEST_ALONE:
                continue
            matching = there.get(seed, [])
            if len(places) * len(matching) <= most:
                yield from ((Pair(place, other), size) for place in places for other in matching)


def _runs(text: Sequence[str], heard: Sequence[str], may_pair: MayPair) -> list[_Run]:
    """Return the maximal runs of the seeds, in the order of the text."""
    by_distance: dict[int, set[int]] = defaultdict(set)
    for (place, other), size in seeds(text, heard):
        if may_pair(place, other):
            by_distance[other - place].update(range(place, place + size))
    runs = [
        _Run(first, first + distance, last - first + 1)
        for distance, places in by_distance.items()
        for first, last in _stretches(sorted(places))
    ]
    return sorted(runs)


def _places(words: Sequence[str], size: int) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in range(len(words) - size + 1):
        found[tuple(words[place : place + size])].append(place)
    return found


def _stretches(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each stretch of numbers without a gap."""
    first = before = None
    for number in numbers:
        if first is None or before is None or number != before + 1:
            if first is not None and before is not None:
                yield first, before
            first = number
        before = number
    if first is not None and before is not None:
        yield first, before


def _best_chain(runs: Sequence[_Run]) -> list[_Run]:
    """Return the runs of the chain with the most words, less what its jumps cost. Where two runs share words of the
    text, the later one is shortened."""
    scores: list[float] = []
    before: list[int | None] = []
    by_end = sorted(range(len(runs)), key=lambda number: runs[number].text_end)
    ended, best_ended = 0, None  # the best chain that ended before the run, wherever it was heard
    for number, run in enumerate(runs):
        while ended < len(by_end) and runs[by_end[ended]].text_end <= run.text:
            if best_ended is None or scores[by_end[ended]] > scores[best_ended]:
                best_ended = by_end[ended]
            ended += 1
        score, previous = float(run.length), None
        if best_ended is not None and scores[best_ended] - _JUMP_COST + run.length > score:
            score, previous = scores[best_ended] - _JUMP_COST + run.length, best_ended
        for other in range(max(0, number - _LOOK_BACK), number):
            cost = _cost(runs[other], run)
            if cost is not None and scores[other] + run.length - cost > score:
                score, previous = scores[other] + run.length - cost, other
        scores.append(score)
        before.append(previous)
    chain: list[_Run] = []
    at = max(range(len(runs)), key=scores.__getitem__, default=None)
    while at is not None:
        run = runs[at]
        if chain and run.text_end > chain[-1].text:
            run = run._replace(length=chain[-1].text - run.text)
        chain.append(run)
        at = before[at]
    return chain[::-1]


def _cost(one: _Run, other: _Run) -> float | None:
    """Return the cost of going on from one run to another that lies behind it on both sides; None if it does not."""
    if one.text >= other.text or one.heard >= other.heard:
        return None
    overlap = max(0, one.text_end - other.text, one.heard_end - other.heard)
    if overlap >= min(one.length, other.length):
        return None
    shift = abs((other.heard - other.text) - (one.heard - one.text))
    return overlap + min(_SHIFT_COST * math.log2(1 + shift), _JUMP_COST)


def _between(chain: Sequence[_Run], text: Sequence[str], heard: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs between the runs of a chain and beyond its ends."""
    if not chain:
        return
    yield from _extended(text, heard, chain[0].text, chain[0].heard, -1, chain[0].text)
    for one, other in pairwise(chain):
        wide, long = other.text - one.text_end, other.heard - one.heard_end
        if wide <= 0 or long == 0:
            continue
        if long > 0 and wide * long <= _LARGEST_TABLE:
            yield from _aligned(text, heard, range(one.text_end, other.text), range(one.heard_end, other.heard))
        else:
            yield from _extended(text, heard, one.text_end, one.heard_end, 1, wide)
            yield from _extended(text, heard, other.text, other.heard, -1, wide)
    yield from _extended(text, heard, chain[-1].text_end, chain[-1].heard_end, 1, len(text) - chain[-1].text_end)


def _extended(
    text: Sequence[str], heard: Sequence[str], at: int, at_heard: int, step: int, room: int
) -> Iterator[Pair]:  # fmt: skip
    """Yield the pairs beyond a run, in front of it (`step` 1) or behind it (-1), as far as they are worth it."""
    reach = min(room, _REACH)
    if step > 0:
        places, others = range(at, min(at + reach, len(text))), range(at_heard, min(at_heard + _REACH, len(heard)))
    else:
        places = range(at - 1, max(at - 1 - reach, -1), -1)
        others = range(at_heard - 1, max(at_heard - 1 - _REACH, -1), -1)
    yield from _aligned(text, heard, places, others, whole=False)


def _aligned(
    text: Sequence[str], heard: Sequence[str], places: range, others: range, *, whole: bool = True
) -> list[Pair]:  # fmt: skip
    """Return the best alignment of two stretches; without `whole`, of their beginnings, as far as the score grows."""
    previous = [_GAP * column for column in range(len(others) + 1)]
    table = [previous]
    best, best_cell = 0.0, (0, 0)
    for row, place in enumerate(places, 1):
        word, current = text[place], [_GAP * row]
        for column, other in enumerate(others, 1):
            diagonal = previous[column - 1] + _likeness(word, heard[other])
            current.append(max(diagonal, previous[column] + _GAP, current[column - 1] + _GAP))
        table.append(current)
        highest = max(current)
        if highest > best:
            best, best_cell = highest, (row, current.index(highest))
        elif not whole and highest < best - _DROP:
            break
        previous = current
    row, column = (len(places), len(others)) if whole else best_cell
    pairs = []
    while row and column:
        likeness = _likeness(text[places[row - 1]], heard[others[column - 1]])
        if table[row][column] == table[row - 1][column - 1] + likeness:
            row, column = row - 1, column - 1
            if likeness > 0:
                pairs.append(Pair(places[row], others[column]))
        elif table[row][column] == table[row - 1][column] + _GAP:
            row -= 1
        else:
            column -= 1
    return pairs


def _likeness(one: str, other: str) -> float:
    return _MATCH if one == other else _near(one, other)


@lru_cache(maxsize=1 << 16)
def _near(one: str, other: str) -> float:
    """Return the score of two words that differ: most recognition errors are words that sound alike."""
    longest = max(len(one), len(other))
    most = int(longest * (1 - _CLOSE_SHARE))
    if not most or abs(len(one) - len(other)) > most:
        return _DIFFERENT
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], place
        for column, expected in enumerate(other, 1):
            diagonal, row[column] = (
                row[column], min(diagonal + (letter != expected), row[column] + 1, row[column - 1] + 1)
            )  # fmt: skip
    return _CLOSE if row[-1] <= most else _DIFFERENT
