"""Hold the tokens of a text, and find them by time with a binary search.

Tokens need not be in order of time, because two people may speak at once. So the search is over the latest time up to
each token, which is in order. A film of 3 hours has 25,000 tokens, and a speaker who is renamed throughout has 1,500
changed cues: a search through all tokens for each of them took 9 s of CPU.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from shared.documents.cue import Cue
from stages.correct.tokens import Token, matching_places, tokens_of_cue

_MARGIN_TOKENS = 3  # before and after the time of a cue, in which its words are looked for


class RunningMaximum:
    """Times in any order, and `latest`: for each place the latest time up to it, which is in order."""

    def __init__(self) -> None:
        self.latest: list[int] = []
        self._times: list[int] = []

    def replace(self, first: int, last: int, times: Sequence[int]) -> None:
        """Replace the times from place `first` to before `last`."""
        self._times[first:last] = times
        self.latest[first:last] = times
        latest_ms = self.latest[first - 1] if first else None
        for place in range(first, len(self._times)):
            latest_ms = self._times[place] if latest_ms is None else max(latest_ms, self._times[place])
            if place >= first + len(times) and self.latest[place] == latest_ms:
                return  # the rest is right too
            self.latest[place] = latest_ms


class Timeline:
    """The tokens of a text in their order. They change only by `replace`."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens: list[Token] = []
        self._starts, self._middles = RunningMaximum(), RunningMaximum()
        self._reversed_middles = RunningMaximum()  # negative, from the last token to the first
        self.replace(0, 0, list(tokens))

    def inside(self, start_ms: int, end_ms: int) -> list[int]:
        """Return the places of the tokens whose middle lies in an interval."""
        first = bisect_left(self._middles.latest, start_ms)
        end = len(self.tokens) - bisect_right(self._reversed_middles.latest, -end_ms)
        return [place for place in range(first, end) if start_ms <= self.tokens[place].middle_ms < end_ms]

    def first_from(self, time_ms: int) -> int:
        """Return the place of the first token that starts at a time or later; the number of tokens if none does."""
        return bisect_left(self._starts.latest, time_ms)

    def replace(self, first: int, last: int, new: Sequence[Token]) -> None:
        """Replace the tokens from place `first` to before `last`."""
        count = len(self.tokens)
        self.tokens[first:last] = new
        self._starts.replace(first, last, [token.start_ms for token in new])
        self._middles.replace(first, last, [token.middle_ms for token in new])
        self._reversed_middles.replace(count - last, count - first, [-token.middle_ms for token in reversed(new)])


def locate(timeline: Timeline, cues: Sequence[Cue], others: Sequence[Cue] | None = None) -> tuple[int, int]:
    """Return the places of the first token that some cues were made from, and of the token after the last one.

    These are the tokens in the time of the cues, or with the words of the cues near that time. `others` is given if
    the cues are new: no token in the time of the other cues is then taken.
    """
    start_ms, end_ms = cues[0].start_ms, max(cue.end_ms for cue in cues)
    tokens, inside = timeline.tokens, timeline.inside(start_ms, end_ms)
    taken = [cue for cue in others or () if cue.start_ms < end_ms and cue.end_ms > start_ms]
    if not inside or any(cue.start_ms <= tokens[n].middle_ms < cue.end_ms for n in inside for cue in taken):
        after = timeline.first_from(start_ms)
        return after, after
    first, last = inside[0], inside[-1] + 1
    if others is None:
        near, far = max(first - _MARGIN_TOKENS, 0), min(last + _MARGIN_TOKENS, len(tokens))
        keys = [token.key for cue in cues for token in tokens_of_cue(cue)]
        found = matching_places([token.key for token in tokens[near:far]], keys)
        if len(found) * 2 > len(keys):  # else the transcript has other words here, and only the time tells the place
            # A first or last word that was recognised differently is found only by its time.
            first = near + min(found) if 0 in found.values() else min(near + min(found), first)
            last = near + max(found) + 1 if len(keys) - 1 in found.values() else max(near + max(found) + 1, last)
    return first, last
