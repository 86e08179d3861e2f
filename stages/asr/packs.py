"""Packs: the stretches of speech that are decoded together, and the way of decoded words back to their place.

A pack joins stretches without the silence between them, so that the encoder runs as often as the speech needs. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Segment, Word
from shared.text.sentence_end import ends_sentence
from stages.asr.heard import Heard, HeardWord

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
        yield from _cut(max(start - room, before), min(end + room, after), longest_ms)


def _cut(start: int, end: int, longest_ms: int) -> Iterator[Region]:
    """Yield one piece; equal ones where it is longer than a stretch may be."""
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


def place(heard: Heard, pack: Sequence[Region]) -> Iterator[Segment]:
    """Yield the segment at its place in the audio. It is divided where a silence was cut out inside it, unless the
    backend did not measure which words stand before and after the silence."""
    placed = [(_stretch_of((word.start_ms + word.end_ms) // 2, pack), word) for word in heard.words]
    groups = groupby(placed, key=lambda pair: pair[0])
    parts: Iterator[tuple[Word, ...]]
    parts = (tuple(_words((word for _, word in group), index, pack)) for index, group in groups)
    if heard.window:
        parts = iter([tuple(word.model_copy(update={"interpolated": True}) for part in parts for word in part)])
    for words in parts:
        if words:
            yield _segment(words, heard.average_log_probability, heard.no_speech_probability, heard.window)


def sentences(segment: Segment) -> Iterator[Segment]:
    """Yield the sentences of a segment."""
    words: list[Word] = []
    for word in segment.words:
        words.append(word)
        if ends_sentence(word.text):
            yield _segment(words, segment.average_log_probability, segment.no_speech_probability, segment.window)
            words = []
    if words:
        yield _segment(words, segment.average_log_probability, segment.no_speech_probability, segment.window)


def _segment(words: Sequence[Word], log_probability: float, no_speech: float, window: Region | None) -> Segment:
    return Segment(
        id=0,
        text="".join(word.text if word.joined else f" {word.text}" for word in words).strip(),
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        words=tuple(words),
        average_log_probability=round(log_probability, 4),
        no_speech_probability=round(no_speech, 4),
        window=window,
    )


def _stretch_of(time_ms: int, pack: Sequence[Region]) -> int:
    """Return the index of the stretch that holds this time of the pack."""
    for index, stretch in enumerate(pack):
        time_ms -= stretch.end_ms - stretch.start_ms
        if time_ms < 0:
            return index
    return len(pack) - 1


def _words(heard: Iterable[HeardWord], index: int, pack: Sequence[Region]) -> Iterator[Word]:
    """Yield the words of one stretch at their place in the audio, kept inside the stretch."""
    stretch = pack[index]
    shift = stretch.start_ms - sum(one.end_ms - one.start_ms for one in pack[:index])
    joined = False
    for word in heard:
        text = "".join(word.text.split())
        joined = joined and not word.text[:1].isspace()
        if not text:
            continue
        start = min(max(word.start_ms + shift, stretch.start_ms), stretch.end_ms)
        yield Word(
            text=text,
            start_ms=start,
            end_ms=max(start, min(word.end_ms + shift, stretch.end_ms)),
            probability=round(word.probability, 4),
            joined=joined,
        )
        joined = True
