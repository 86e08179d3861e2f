"""Find speech for which the recogniser gave no text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.documents.removals import Removal
from shared.documents.speech import Region
from shared.documents.transcript import Segment
from shared.intervals import Spans
from shared.text.without_text import without_text

_LEAST_WITHOUT_TEXT_MS = 1_000  # of speech in a row; less is a cough or an edge of a detected region
_SHORTEST_REGION_MS = 400  # a shorter one is not decoded again


def untranscribed_regions(
    pack: Sequence[Region], speech: Sequence[Region], segments: Sequence[Segment], left_out: Sequence[Removal]
) -> tuple[Region, ...]:
    """Return the speech regions of a pack that got no text, where they hold a second of speech in a row or more.

    Regions that touch text in `left_out` are not returned: their text was refused, not missed.
    """
    pack_start, pack_end = pack[0].start_ms, pack[-1].end_ms
    refused = Spans((removal.start_ms, removal.end_ms) for removal in left_out)
    regions = [
        region
        for region in speech
        if pack_start <= region.start_ms
        and region.end_ms <= pack_end
        and not refused.share(region.start_ms, region.end_ms)
    ]
    return tuple(
        Region(start_ms=start, end_ms=end)
        for stretch in without_text(regions, segments, _LEAST_WITHOUT_TEXT_MS)
        for region in regions
        if (start := max(region.start_ms, stretch.start_ms)) + _SHORTEST_REGION_MS
        <= (end := min(region.end_ms, stretch.end_ms))
    )
