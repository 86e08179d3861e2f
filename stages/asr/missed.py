"""Finds speech that the recogniser gave no text for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.documents.removals import Removal
from shared.documents.speech import Region
from shared.documents.transcript import Segment
from shared.intervals import Spans
from shared.text.without_text import without_text

_MISSED_MS, _SHORTEST_MS = 1_000, 400


def missed(
    pack: Sequence[Region], speech: Sequence[Region], said: Sequence[Segment], left_out: Sequence[Removal]
) -> tuple[Region, ...]:
    """Return the regions of a pack without text, if several in a row or one hold at least a second. Text that was left
    out counts."""
    first, last = pack[0].start_ms, pack[-1].end_ms
    refused = Spans((one.start_ms, one.end_ms) for one in left_out)
    inside = [one for one in speech if first <= one.start_ms and one.end_ms <= last]
    heard = [one for one in inside if not refused.share(one.start_ms, one.end_ms)]
    return tuple(
        Region(start_ms=start, end_ms=end)
        for stretch in without_text(heard, said, _MISSED_MS)
        for region in heard
        if (start := max(region.start_ms, stretch.start_ms)) + _SHORTEST_MS
        <= (end := min(region.end_ms, stretch.end_ms))
    )
