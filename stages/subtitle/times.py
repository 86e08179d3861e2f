"""Set the times of cues: a cue begins with its words and stays as long as reading takes, if its neighbours allow it.

Cues are always in order, inside the media, without overlaps, and no longer than the guide allows. There is at least the
guide's gap between them if the media is long enough for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.documents.cue import Cue
from shared.documents.speech import Region
from shared.text.guide_limits import Limits
from shared.text.text_width import places_of_lines, reading_ms

# How far a cue may be off its words if reading needs it. Netflix asks for three frames, the BBC allows 1.5 s; a quarter
# of a second is hardly noticed.
LEAD_MS = 250  # before the first word
DELAY_MS = 250  # after the first word
LAG_MS = 1500  # after the last word: the BBC's limit


@dataclass(frozen=True)
class LaidOutCue:
    """A cue with its lines and the time in which they are spoken.

    `pin` is the number of a correction whose cues replace this one. `fixed` is a corrected cue, which keeps its times.
    """

    lines: tuple[str, ...]
    start_ms: int
    end_ms: int
    speaker: str | None
    italic: bool = False
    pin: int | None = None
    fixed: Cue | None = None

    @property
    def begin_ms(self) -> int:
        """Return when the cue begins if its neighbours allow it."""
        return self.fixed.start_ms if self.fixed else self.start_ms


def set_times(laid: Sequence[LaidOutCue], limits: Limits, end_ms: int) -> tuple[Cue, ...]:
    """Return the cues with their times. `end_ms` is the end of the media, raised to a millisecond for each cue if it is
    earlier."""
    end_ms = max(end_ms, len(laid))
    gap = limits.gap_ms if len(laid) * (limits.gap_ms + 1) <= end_ms else 0
    needs = [needed_ms(places_of_lines(cue.lines), limits) for cue in laid]
    latest = _latest_starts(laid, needs, gap, end_ms)
    last_starts = _last_starts(laid, gap, end_ms)
    times: list[tuple[int, int]] = []
    free = 0
    for index, cue in enumerate(laid):
        if cue.fixed:
            times.append((cue.fixed.start_ms, cue.fixed.end_ms))
            free = cue.fixed.end_ms + gap
            continue
        start = min(max(min(cue.start_ms, latest[index]), free), last_starts[index])
        last_end = min(cue.end_ms + LAG_MS, end_ms)
        late_end = min(latest[index + 1] - gap, last_end) if index + 1 < len(laid) else last_end
        end_on_time = min(laid[index + 1].begin_ms - gap, late_end) if index + 1 < len(laid) else last_end
        end = min(max(cue.end_ms, start + needs[index]), end_on_time)
        if end - start < needs[index]:
            end = max(end, min(start + needs[index], late_end))
        room = last_starts[index + 1] - gap if index + 1 < len(laid) else end_ms
        end = min(max(end, start + 1), start + limits.max_duration_ms, room)
        times.append((start, end))
        free = end + gap
    chained = _chain(laid, times, limits, gap)
    return tuple(
        cue.fixed
        or Cue(
            start_ms=start,
            end_ms=end,
            lines=cue.lines,
            speaker=cue.speaker,
            italic=cue.italic,
            spoken=Region(start_ms=cue.start_ms, end_ms=cue.end_ms),
        )
        for (start, end), cue in zip(chained, laid, strict=True)
    )


def _last_starts(laid: Sequence[LaidOutCue], gap: int, end_ms: int) -> list[int]:
    """Return the latest start of each cue at which all cues after it still have room, a millisecond each."""
    last = [0] * len(laid)
    following = end_ms + gap
    for index in range(len(laid) - 1, -1, -1):
        fixed = laid[index].fixed
        following = last[index] = fixed.start_ms if fixed else max(following - gap - 1, 0)
    return last


def _latest_starts(laid: Sequence[LaidOutCue], needs: Sequence[int], gap: int, end_ms: int) -> list[int]:
    """Return the latest start of each cue at which it and all cues after it can be read in time, computed from the last
    cue to the first.

    A cue that cannot be read in time in any case does not make the cues before it earlier.
    """
    latest = [0] * len(laid)
    following = end_ms + gap
    for index in range(len(laid) - 1, -1, -1):
        cue = laid[index]
        if cue.fixed:
            following = latest[index] = cue.fixed.start_ms
            continue
        last_end = min(cue.end_ms + LAG_MS, end_ms, following - gap)
        earliest = max(cue.start_ms - LEAD_MS, 0)
        if last_end - needs[index] >= earliest:
            following = min(cue.start_ms + DELAY_MS, last_end - needs[index])
        else:
            following = max(earliest, min(cue.start_ms, last_end - 1))
        latest[index] = following
    return latest


def needed_ms(count: int, limits: Limits) -> int:
    """Return how long a cue with `count` places should be shown."""
    return min(max(reading_ms(count, limits.reading_speed), limits.min_duration_ms), limits.max_duration_ms)


def _chain(
    laid: Sequence[LaidOutCue], times: Sequence[tuple[int, int]], limits: Limits, gap: int
) -> list[tuple[int, int]]:
    """Return the times with each gap that viewers would not see as a pause shortened to the smallest one allowed."""
    chained = []
    for index, (start, end) in enumerate(times):
        following = times[index + 1][0] if index + 1 < len(times) else end
        if gap < following - end < limits.chain_below_ms and not laid[index].fixed:
            end = max(end, min(following - gap, start + limits.max_duration_ms))
        chained.append((start, end))
    return chained
