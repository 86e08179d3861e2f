"""Match the words of a text with recognised words, over a whole film and without any times.

Parts may be missing on either side or be in another order, and words may differ. The match has three steps, like those
of genome aligners (seed, chain, extend: Li, "Minimap2", Bioinformatics 2018):

1. Seeds are runs of words that occur on both sides and are rare on both.
2. Dynamic programming finds the best chain of runs. Going on at the same distance between the two sides costs nothing.
   Going on at another distance, as after a missing scene, costs with the logarithm of the difference. Going on anywhere
   else, as in a part in another place, has a fixed cost.
3. Between two runs, and beyond the ends of the chain, the alignment of Needleman and Wunsch finds words without a seed.

10,000 words on each side take 1 s.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

# The words of a seed, and how often it may occur: the highest product of its counts on both sides.
_SEEDS = ((1, 1), (2, 1), (3, 4), (4, 9), (6, 25))
_SHORTEST_ALONE = 4  # letters of a word that may be a seed by itself
_LOOK_BACK = 60  # the runs before a run from which a chain may come at a near distance
_JUMP_COST = 8.0  # in words; two jumps are needed to put a part into another place
_SHIFT_COST = 0.5  # in words, by each doubling of the difference in distance
_MATCH, _CLOSE, _DIFFERENT, _GAP = 1.0, 0.4, -0.6, -0.5  # random text scores below 0, so an extension ends
_LARGEST_TABLE = 10_000  # cells; a larger gap is aligned only from its ends
_REACH = 60  # words that an extension covers at most
_DROP = 4.0  # in words: a row so far below the best one ends an extension
_CLOSE_SHARE = 0.7  # of the letters of two words: with fewer alike, by edit distance, they are different


MayPair = Callable[[int, int], bool]
"""Tell whether the word of the text and the recognised word at these places may be the same."""


class Pair(NamedTuple):
    """The places of a word of the text and of the recognised word that it was matched with."""

    text: int
    recognised: int


class _Run(NamedTuple):
    """A run of words that are the same on both sides: its place in the text and among the recognised words."""

    text: int
    recognised: int
    length: int

    @property
    def text_end(self) -> int:
        return self.text + self.length

    @property
    def recognised_end(self) -> int:
        return self.recognised + self.length


def match_words(text: Sequence[str], recognised: Sequence[str], may_pair: MayPair = lambda _, __: True) -> list[Pair]:
    """Return the pairs in the order of the text, with each word of either side at most once.

    Words are compared as they are, so pass them without marks and in one case. `may_pair` limits the seeds.
    """
    chain = _best_chain(_runs(text, recognised, may_pair))
    pairs = [Pair(run.text + step, run.recognised + step) for run in chain for step in range(run.length)]
    pairs += _between(chain, text, recognised)
    found: dict[int, Pair] = {}
    used: set[int] = set()
    for pair in pairs:  # the runs come first, and so are preferred
        if pair.text not in found and pair.recognised not in used:
            found[pair.text] = pair
            used.add(pair.recognised)
    return [found[place] for place in sorted(found)]


def seeds(text: Sequence[str], recognised: Sequence[str]) -> Iterator[tuple[Pair, int]]:
    """Yield each run of words that is rare on both sides: the places of its first word, and the number of its words."""
    for size, most in _SEEDS:
        recognised_places = _places(recognised, size)
        for seed, places in _places(text, size).items():
            if size == 1 and len(seed[0]) < _SHORTEST_ALONE:
                continue
            matching = recognised_places.get(seed, [])
            if len(places) * len(matching) <= most:
                yield from ((Pair(place, other), size) for place in places for other in matching)


def _runs(text: Sequence[str], recognised: Sequence[str], may_pair: MayPair) -> list[_Run]:
    """Return the longest runs that the seeds form, in the order of the text."""
    by_distance: dict[int, set[int]] = defaultdict(set)
    for (place, other), size in seeds(text, recognised):
        if may_pair(place, other):
            by_distance[other - place].update(range(place, place + size))
    runs = [
        _Run(first, first + distance, last - first + 1)
        for distance, places in by_distance.items()
        for first, last in _stretches(sorted(places))
    ]
    return sorted(runs)


def _places(words: Sequence[str], size: int) -> dict[tuple[str, ...], list[int]]:
    """Return the places of each run of `size` words."""
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
    """Return the runs of the chain with the most words less the costs of its jumps. Where two runs share words of the
    text, the earlier one is shortened."""
    scores: list[float] = []
    before: list[int | None] = []
    by_end = sorted(range(len(runs)), key=lambda number: runs[number].text_end)
    ended, best_ended = 0, None  # the best chain whose text ends before the run, wherever it was recognised
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
    """Return the cost of going on from one run to another, or None unless the other is later on both sides."""
    if one.text >= other.text or one.recognised >= other.recognised:
        return None
    overlap = max(0, one.text_end - other.text, one.recognised_end - other.recognised)
    if overlap >= min(one.length, other.length):
        return None
    shift = abs((other.recognised - other.text) - (one.recognised - one.text))
    return overlap + min(_SHIFT_COST * math.log2(1 + shift), _JUMP_COST)


def _between(chain: Sequence[_Run], text: Sequence[str], recognised: Sequence[str]) -> Iterator[Pair]:
    """Yield the pairs between the runs of a chain and beyond its ends."""
    if not chain:
        return
    yield from _extended(text, recognised, chain[0].text, chain[0].recognised, -1, chain[0].text)
    for one, other in pairwise(chain):
        wide, long = other.text - one.text_end, other.recognised - one.recognised_end
        if wide <= 0 or long == 0:
            continue
        if long > 0 and wide * long <= _LARGEST_TABLE:
            yield from _aligned(
                text, recognised, range(one.text_end, other.text), range(one.recognised_end, other.recognised)
            )
        else:
            yield from _extended(text, recognised, one.text_end, one.recognised_end, 1, wide)
            yield from _extended(text, recognised, other.text, other.recognised, -1, wide)
    yield from _extended(
        text, recognised, chain[-1].text_end, chain[-1].recognised_end, 1, len(text) - chain[-1].text_end
    )


def _extended(
    text: Sequence[str], recognised: Sequence[str], at: int, at_recognised: int, step: int, room: int
) -> Iterator[Pair]:  # fmt: skip
    """Yield the pairs after a run (`step` 1) or before it (-1), as far as the score of the alignment grows."""
    reach = min(room, _REACH)
    if step > 0:
        places, others = (
            range(at, min(at + reach, len(text))),
            range(at_recognised, min(at_recognised + _REACH, len(recognised))),
        )
    else:
        places = range(at - 1, max(at - 1 - reach, -1), -1)
        others = range(at_recognised - 1, max(at_recognised - 1 - _REACH, -1), -1)
    yield from _aligned(text, recognised, places, others, whole=False)


def _aligned(
    text: Sequence[str], recognised: Sequence[str], places: range, others: range, *, whole: bool = True
) -> list[Pair]:  # fmt: skip
    """Return the pairs of the best alignment of two stretches. Without `whole`, only their beginnings are aligned, as
    far as the score grows."""
    previous = [_GAP * column for column in range(len(others) + 1)]
    table = [previous]
    best, best_cell = 0.0, (0, 0)
    for row, place in enumerate(places, 1):
        word, current = text[place], [_GAP * row]
        for column, other in enumerate(others, 1):
            diagonal = previous[column - 1] + _likeness(word, recognised[other])
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
        likeness = _likeness(text[places[row - 1]], recognised[others[column - 1]])
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
    """Return the score of two different words by their edit distance: a wrong word often resembles the right one."""
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
