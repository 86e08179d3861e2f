"""Holds the tokens of a text, and finds them by time without looking at all of them.

Tokens need not be in order of time, for two people may speak at once. So the search is over the latest time up to each
token, which is in order. A film of 3 hours has 25,000 tokens, and a speaker who is renamed throughout has 1,500 changed
cues: with a look at all tokens for each, that took 9 s of CPU.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from shared.documents.cue import Cue
from stages.correct.tokens import Token, same_places, tokens_of_cue


class Latest:
    """Times in any order, and the latest of them up to each place: `latest` is in order."""

    def __init__(self) -> None:
        self.latest: list[int] = []
        self._times: list[int] = []

    def put(self, first: int, last: int, times: Sequence[int]) -> None:
        """Put other times into the places from `first` to before `last`."""
        self._times[first:last] = times
        self.latest[first:last] = times
        now_ms = self.latest[first - 1] if first else None
        for place in range(first, len(self._times)):
            now_ms = self._times[place] if now_ms is None else max(now_ms, self._times[place])
            if place >= first + len(times) and self.latest[place] == now_ms:
                return  # so are all that follow
            self.latest[place] = now_ms


class Timeline:
    """The tokens in their order. They change only by `put`."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens: list[Token] = []
        self._starts, self._middles = Latest(), Latest()
        self._before_end = Latest()  # the middles from the last token to the first, as times before 0
        self.put(0, 0, list(tokens))

    def inside(self, start_ms: int, end_ms: int) -> list[int]:
        """Return the places of the tokens whose middle lies in a stretch of time."""
        first = bisect_left(self._middles.latest, start_ms)
        end = len(self.tokens) - bisect_right(self._before_end.latest, -end_ms)
        return [place for place in range(first, end) if start_ms <= self.tokens[place].middle_ms < end_ms]

    def first_from(self, time_ms: int) -> int:
        """Return the place of the first token that starts at a time or later; the number of tokens if none does."""
        return bisect_left(self._starts.latest, time_ms)

    def put(self, first: int, last: int, made: Sequence[Token]) -> None:
        """Put `made` into the place of the tokens from `first` to before `last`."""
        count = len(self.tokens)
        self.tokens[first:last] = made
        self._starts.put(first, last, [token.start_ms for token in made])
        self._middles.put(first, last, [token.middle_ms for token in made])
        self._before_end.put(count - last, count - first, [-token.middle_ms for token in reversed(made)])


def placed(timeline: Timeline, cues: Sequence[Cue], others: Sequence[Cue] | None = None) -> tuple[int, int]:
    """Return the tokens that some cues were made from: those in their time, but no farther than their words go.

    With `others`, the cues are new: they take no token from the time of those others.
    """
    start_ms, end_ms = cues[0].start_ms, max(cue.end_ms for cue in cues)
    tokens, inside = timeline.tokens, timeline.inside(start_ms, end_ms)
    taken = [cue for cue in others or () if cue.start_ms < end_ms and cue.end_ms > start_ms]
    if not inside or any(cue.start_ms <= tokens[n].middle_ms < cue.end_ms for n in inside for cue in taken):
        after = timeline.first_from(start_ms)
        return after, after
    first, last = inside[0], inside[-1] + 1
    if others is None:
        near, far = max(first - 3, 0), min(last + 3, len(tokens))
        said = [token.heard for cue in cues for token in tokens_of_cue(cue)]
        found = same_places([token.heard for token in tokens[near:far]], said)
        if len(found) * 2 > len(said):  # else the transcript says something else here, and time alone must do
            # A first or last word that was heard otherwise is found by its time alone.
            first = near + min(found) if 0 in found.values() else min(near + min(found), first)
            last = near + max(found) + 1 if len(said) - 1 in found.values() else max(near + max(found) + 1, last)
    return first, last
