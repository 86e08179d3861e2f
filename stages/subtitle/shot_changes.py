"""Move the times of cues to the shot changes near them, where no limit is broken by it.

As in the Netflix Subtitle Timing Guidelines, a cue that begins or ends a little off a shot change looks like a mistake.
So a cue that begins near a change begins with it or a whole zone before it. A cue that ends near a change ends two
frames before it or a whole zone after it. If the next cue follows at once, its start moves along.

The order, the gaps and the limits of duration are kept, and every cue that could be read can still be read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from shared.documents.cue import Cue
from shared.documents.speech import Region
from shared.text.guide_limits import Limits
from shared.text.text_width import places_of_lines
from stages.subtitle.times import needed_ms

_RED = 7 / 12  # of the zone: a time nearer to the change moves to it, a time farther from it moves out of the zone

_Times = tuple[int, int]


def keep_to_shots(
    cues: Sequence[Cue], changes_ms: Sequence[int], limits: Limits, end_ms: int, fixed: Collection[int] = ()
) -> tuple[Cue, ...]:
    """Return the cues with times moved to the shot changes, which must be in order. Cues whose numbers are in `fixed`
    keep their times."""
    if not changes_ms or not limits.shot_zone_ms or not cues:
        return tuple(cues)
    shots = _Shots(changes_ms, limits)
    times = [(cue.start_ms, cue.end_ms) for cue in cues]
    needs = [min(needed_ms(places_of_lines(cue.lines), limits), cue.end_ms - cue.start_ms) for cue in cues]

    def fits(index: int, place: _Times) -> bool:
        start, end = place
        spoken = cues[index].spoken or Region(start_ms=start, end_ms=end)
        was_start, was_end = cues[index].start_ms, cues[index].end_ms
        if index in fixed:
            return place == (was_start, was_end)
        return (
            start >= 0
            and end <= end_ms
            and needs[index] <= end - start <= limits.max_duration_ms
            and start <= max(spoken.start_ms + shots.red_ms, was_start)
            and start >= min(spoken.start_ms - limits.shot_zone_ms, was_start)
            and end >= min(spoken.end_ms - shots.red_ms - limits.gap_ms, was_end)
        )

    first = shots.start(times[0][0]), times[0][1]
    if fits(0, first):
        times[0] = first
    for index in range(len(times) - 1):
        (start, end), (following, following_end) = times[index], times[index + 1]
        for new_end, new_following in shots.proposals(end, following):
            gap, before = new_following - new_end, following - end
            if gap < min(limits.gap_ms, before) or (_is_unchained(gap, limits) and not _is_unchained(before, limits)):
                continue
            if fits(index, (start, new_end)) and fits(index + 1, (new_following, following_end)):
                times[index], times[index + 1] = (start, new_end), (new_following, following_end)
                break
    last = times[-1][0], shots.end(times[-1][1])
    if fits(len(times) - 1, last):
        times[-1] = last
    return tuple(
        cue.model_copy(update={"start_ms": start, "end_ms": end}) for cue, (start, end) in zip(cues, times, strict=True)
    )


def _is_unchained(gap_ms: int, limits: Limits) -> bool:
    """Tell whether a gap is so short that it should have been closed."""
    return limits.gap_ms < gap_ms < limits.chain_below_ms


class _Shots:
    """The preferred times of cues by the shot changes, without regard to other limits."""

    def __init__(self, changes_ms: Sequence[int], limits: Limits) -> None:
        self._changes, self._zone, self._gap = changes_ms, limits.shot_zone_ms, limits.gap_ms
        self.red_ms = round(limits.shot_zone_ms * _RED)

    def start(self, start_ms: int) -> int:
        """Return when a cue that starts at this time should start."""
        change = self._nearest(start_ms)
        if self.red_ms < change - start_ms < self._zone:
            return change - self._zone
        return change if abs(start_ms - change) < self._zone else start_ms

    def end(self, end_ms: int) -> int:
        """Return when a cue that ends at this time should end."""
        change = self._nearest(end_ms)
        if self.red_ms < end_ms - change < self._zone:
            return change + self._zone
        return change - self._gap if abs(end_ms - change) < self._zone else end_ms

    def proposals(self, end_ms: int, following_ms: int) -> Iterator[_Times]:
        """Yield times for the end of one cue and the start of the next, best first: both as preferred; the start as
        preferred and the end a gap before it; only the start; only the end."""
        end, following = self.end(end_ms), self.start(following_ms)
        yield end, following
        yield following - self._gap, following
        yield end_ms, following
        yield end, following_ms

    def _nearest(self, time_ms: int) -> int:
        index = bisect_left(self._changes, time_ms)
        around = self._changes[max(index - 1, 0) : index + 1]
        return min(around, key=lambda change: abs(change - time_ms))
