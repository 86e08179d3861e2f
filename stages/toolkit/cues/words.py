"""The pieces a subtitle is laid out from: words with times, which no line break may cut.

Scripts that use spaces break at spaces only, whatever parts a recogniser gave; scripts without them break between its
words, and where there are none, between clusters (see `shared.text.text_width`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.documents.transcript import Segment
from shared.text.sentence_end import OPENERS
from shared.text.text_width import clusters, is_cluster_edge, is_spaceless, places

CLAUSE_ENDS = frozenset(",;:–—，、；：､،؛")
# What a line of Japanese or Chinese may not begin with, beside closers and marks: JIS X 4051, in short.
_NEVER_FIRST = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶーゝゞ々〻・‐゠〜～ๆະາะาๅ")
_NEVER_LAST = frozenset("เแโใไເແໂໃໄ")  # vowels written before the consonant that they follow


@dataclass(frozen=True)
class Piece:
    """A word to lay out: unbreakable, with its times; `joined` when no space stands before it.

    `pin` is the number of the correction that fixes its cue, None where the layout is free.
    """

    text: str
    start_ms: int
    end_ms: int
    joined: bool = False
    speaker: str | None = None
    pin: int | None = None


def fitted(said: Iterable[Piece], line_length: int, end_ms: int) -> list[Piece]:
    """Return all that is to be shown, in order of time, inside the media, and no piece wider than a line."""
    fitting = (part for piece in glued(said) for part in _cut_to_fit(piece, line_length))
    return list(_in_order(fitting, end_ms))


def spread(text: str, over: Segment) -> Iterator[Piece]:
    """Yield a text without times of its own over the time of a segment, each word in proportion to its length."""
    yield from by_proportion(list(_tokens(text)), over.start_ms, over.end_ms, over.speaker)


def spoken(segments: Iterable[Segment]) -> Iterator[Piece]:
    """Yield the words of every segment; the text of one that has none, spread over its time."""
    spaced = True  # whether white space stands before what comes next, be it in a word or between two
    for segment in segments:
        if not segment.words:
            yield from spread(segment.text, segment)
            spaced = segment.text.strip() == "" or segment.text[-1:].isspace()
        for word in segment.words:
            spaced = spaced or not word.joined or word.text[:1].isspace()
            parts = [(part, number == 0 and not spaced) for number, part in enumerate(word.text.split())]
            yield from by_proportion(parts, word.start_ms, word.end_ms, word.speaker or segment.speaker)
            spaced = word.text[-1:].isspace() or (spaced and not parts)


def by_proportion(
    tokens: Sequence[tuple[str, bool]], start_ms: int, end_ms: int, speaker: str | None
) -> Iterator[Piece]:
    """Yield words, each with whether it joins the one before, over a time in proportion to their length."""
    if len(tokens) == 1:  # nearly always
        yield Piece(tokens[0][0], start_ms, end_ms, tokens[0][1], speaker)
        return
    total = sum(max(places(token), 1) for token, _ in tokens)
    done = 0
    for token, joined in tokens:
        start = start_ms + (end_ms - start_ms) * done // total
        done += max(places(token), 1)
        yield Piece(token, start, start_ms + (end_ms - start_ms) * done // total, joined, speaker)


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Yield words; in scripts without spaces, clusters with the marks that may not leave them."""
    for word in text.split():
        held = ""
        joined = False
        for cluster in clusters(word):
            if held and _may_part(held, cluster):
                yield held, joined
                held, joined = cluster, True
            else:
                held += cluster
        yield held, joined


def _may_part(before: str, after: str) -> bool:
    """Return whether a line may end between two texts that no space parts."""
    last, first = before[-1], after[0]
    if not (is_spaceless(last) or is_spaceless(first)) or not is_cluster_edge(last + after, 1):
        return False
    if last.isdecimal() and first.isdecimal():
        return False
    if last in OPENERS or last in _NEVER_LAST or unicodedata.category(last) in {"Ps", "Pi"}:
        return False
    if first in OPENERS or unicodedata.category(first) in {"Ps", "Pi"}:
        return True
    return first not in _NEVER_FIRST and unicodedata.category(first)[0] not in {"P", "M"}


def glued(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces that may not be parted as one: a recogniser gives `well` and `-known`, and parts of a cluster."""
    held: list[Piece] = []
    for piece in pieces:
        if held and not (piece.joined and not _may_part(held[-1].text, piece.text)):
            yield _as_one(held)
            held = []
        held.append(piece)
    if held:
        yield _as_one(held)


def _as_one(parts: Sequence[Piece]) -> Piece:
    if len(parts) == 1:
        return parts[0]
    return replace(parts[0], text="".join(part.text for part in parts), end_ms=parts[-1].end_ms)


def _cut_to_fit(piece: Piece, limit: int) -> Iterator[Piece]:
    """Yield a piece wider than a line as several, each as long as may be."""
    if places(piece.text) <= limit:
        yield piece
        return
    tokens: list[tuple[str, bool]] = []
    held, width = "", 0
    for cluster in clusters(piece.text):
        if held and width + places(cluster) > limit:
            tokens.append((held, True))
            held, width = "", 0
        held += cluster
        width += places(cluster)
    tokens.append((held, True))
    tokens[0] = (tokens[0][0], piece.joined)
    yield from by_proportion(tokens, piece.start_ms, piece.end_ms, piece.speaker)


def _in_order(pieces: Iterable[Piece], end_ms: int) -> Iterator[Piece]:
    """Correct times so that none goes back, begins before the media or ends after it."""
    earliest = 0
    for piece in pieces:
        start = min(max(piece.start_ms, earliest), max(end_ms - 1, 0))
        end = max(min(piece.end_ms, end_ms), start + 1)
        earliest = start
        yield piece if (start, end) == (piece.start_ms, piece.end_ms) else replace(piece, start_ms=start, end_ms=end)
