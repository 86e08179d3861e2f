"""Choose the stretch with the most speech in each of several equal parts of a film: the engine of stage `sample`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shared.documents.speech import Region
from shared.stage import Device


class Spread:
    """An engine without a model. It reads no audio."""

    def stretches(self, regions: Sequence[Region], count: int, length_ms: int) -> tuple[Region, ...]:
        """Return the regions of the stretch with the most speech in each of `count` parts of the film, in order."""
        if not regions:
            return ()
        parts = _parts(regions, count)
        return tuple(region for part in parts for region in _most_speech(part, length_ms))


def load(models: Mapping[str, Path], device: Device) -> Spread:
    """Return the engine; there is no model to load."""
    return Spread()


def _parts(regions: Sequence[Region], count: int) -> Iterator[Sequence[Region]]:
    """Yield the regions that begin in each of `count` equal parts of the film."""
    begin, length = regions[0].start_ms, regions[-1].start_ms - regions[0].start_ms + 1
    for part in range(count):
        low, high = (begin + length * step // count for step in (part, part + 1))
        yield [region for region in regions if low <= region.start_ms < high]


def _most_speech(regions: Sequence[Region], length_ms: int) -> Sequence[Region]:
    """Return the regions that begin within `length_ms`, from that region on with which they have the most speech."""
    best: Sequence[Region] = ()
    most_ms = last = 0
    for first, region in enumerate(regions):
        while last < len(regions) and regions[last].start_ms < region.start_ms + length_ms:
            last += 1
        spoken_ms = sum(inside.end_ms - inside.start_ms for inside in regions[first:last])
        if spoken_ms > most_ms:
            most_ms, best = spoken_ms, regions[first:last]
    return best
