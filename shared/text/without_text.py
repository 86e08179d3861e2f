"""Find speech that has no text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shared.documents.speech import Region
from shared.documents.transcript import Segment
from shared.intervals import Spans

_LONG_PAUSE_MS = 2_000  # speech before and after a longer pause is reported separately


def without_text(speech: Sequence[Region], segments: Iterable[Segment], least_ms: int) -> tuple[Region, ...]:
    """Return the stretches of speech without a word of the segments, in order, each with at least `least_ms` of speech.

    A segment whose words were not timed covers the whole window in which it was heard.
    """
    covered = Spans(span for segment in segments for span in _spans(segment))
    found: list[tuple[Region, int]] = []
    for region in speech:
        for start, end in covered.gaps(region.start_ms, region.end_ms):
            before, length = found[-1] if found else (None, 0)
            near = before and start - before.end_ms < _LONG_PAUSE_MS
            if before and near and not covered.share(before.end_ms, max(start, before.end_ms + 1)):
                found[-1] = Region(start_ms=before.start_ms, end_ms=end), length + end - start
            else:
                found.append((Region(start_ms=start, end_ms=end), end - start))
    return tuple(region for region, length in found if length >= least_ms)


def _spans(segment: Segment) -> Iterator[tuple[int, int]]:
    if segment.window:
        yield segment.window.start_ms, segment.window.end_ms
    elif segment.words:
        yield from ((word.start_ms, word.end_ms) for word in segment.words)
    else:
        yield segment.start_ms, segment.end_ms
