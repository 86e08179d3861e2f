"""Packs: the stretches of speech that are decoded together.

A pack joins stretches without the silence between them, so that the encoder runs as often as the speech needs. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from shared.documents.speech import Region, SpeechRegions

PACK_MS = 300_000


def make_packs(
    speech: SpeechRegions, bridge_ms: int, pad_ms: int, longest_ms: int = PACK_MS
) -> tuple[tuple[Region, ...], ...]:
    """Return the stretches to decode, none above `longest_ms`, in packs of at most `PACK_MS`. A pack ends between two
    regions wherever it can."""
    packs: list[tuple[Region, ...]] = []
    pack: list[Region] = []
    for stretch in _stretches(speech, bridge_ms, pad_ms, longest_ms):
        if pack and sum(one.end_ms - one.start_ms for one in [*pack, stretch]) > PACK_MS:
            packs.append(tuple(pack))
            pack = []
        pack.append(stretch)
    return (*packs, tuple(pack)) if pack else tuple(packs)


def _stretches(speech: SpeechRegions, bridge_ms: int, pad_ms: int, longest_ms: int) -> Iterator[Region]:
    """Yield the regions, joined across short pauses as far as a stretch has room, and then widened."""
    spans: list[tuple[int, int]] = []
    for region in speech.regions:
        start, end = spans[-1] if spans else (0, -bridge_ms)
        if region.start_ms - end < bridge_ms and region.end_ms - start <= longest_ms - 2 * pad_ms:
            spans[-1] = start, region.end_ms
        else:
            spans.append((region.start_ms, region.end_ms))
    for index, (start, end) in enumerate(spans):
        before = (spans[index - 1][1] + start) // 2 if index else 0
        after = (end + spans[index + 1][0]) // 2 if index + 1 < len(spans) else speech.duration_ms
        room = min(pad_ms, max(longest_ms - (end - start), 0) // 2)  # what is long enough is not cut for its padding
        yield from cut(max(start - room, before), min(end + room, after), longest_ms)


def cut(start: int, end: int, longest_ms: int) -> Iterator[Region]:
    """Yield a stretch as one piece, or as equal ones where it is longer than a stretch may be."""
    pieces = -(-(end - start) // longest_ms)
    edges = [start + (end - start) * number // pieces for number in range(pieces + 1)]
    for first, last in pairwise(edges):
        yield Region(start_ms=first, end_ms=last)


def first(regions: Sequence[Region], limit_ms: int) -> tuple[Region, ...]:
    """Return the regions up to a total length of `limit_ms`; the last one is cut."""
    taken: list[Region] = []
    for region in regions:
        left = limit_ms - sum(one.end_ms - one.start_ms for one in taken)
        if left <= 0:
            break
        taken.append(Region(start_ms=region.start_ms, end_ms=min(region.end_ms, region.start_ms + left)))
    return tuple(taken)
