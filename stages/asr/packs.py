"""Make packs: the stretches of speech that are decoded together. Pure.

A pack joins stretches without the silence between them, so that the encoder runs only as often as the speech needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from shared.documents.speech import Region, SpeechRegions

PACK_MS = 300_000


def make_packs(
    speech: SpeechRegions, bridge_ms: int, pad_ms: int, longest_ms: int = PACK_MS
) -> tuple[tuple[Region, ...], ...]:
    """Return the stretches to decode, none longer than `longest_ms`, in packs of at most `PACK_MS`. A pack ends between
    two regions wherever it can. Pauses shorter than `bridge_ms` are decoded; longer ones leave `pad_ms` on both sides.
    """
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
        room = min(pad_ms, max(longest_ms - (end - start), 0) // 2)  # padding must not make a stretch too long
        yield from split_evenly(max(start - room, before), min(end + room, after), longest_ms)


def split_evenly(start: int, end: int, longest_ms: int) -> Iterator[Region]:
    """Yield a stretch as one piece, or as equal pieces if it is longer than `longest_ms`."""
    pieces = -(-(end - start) // longest_ms)
    edges = [start + (end - start) * number // pieces for number in range(pieces + 1)]
    for first, last in pairwise(edges):
        yield Region(start_ms=first, end_ms=last)


def leading_stretches(regions: Sequence[Region], limit_ms: int) -> tuple[Region, ...]:
    """Return the regions up to a total length of `limit_ms`; the last one is cut."""
    taken: list[Region] = []
    for region in regions:
        left = limit_ms - sum(one.end_ms - one.start_ms for one in taken)
        if left <= 0:
            break
        taken.append(Region(start_ms=region.start_ms, end_ms=min(region.end_ms, region.start_ms + left)))
    return tuple(taken)
