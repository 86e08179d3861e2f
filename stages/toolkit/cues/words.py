"""Make the pieces from which a subtitle is laid out: words with times, which no line break may divide.

A script with spaces breaks only at spaces, even if a recogniser divides its words. A script without spaces breaks
between the recogniser's words, or between grapheme clusters if there are none (see `shared.text.text_width`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from shared.documents.transcript import Segment
from shared.text.sentence_end import OPENERS
from shared.text.text_width import clusters, is_cluster_edge, is_spaceless, places

CLAUSE_ENDS = frozenset(",;:–—，、；：､،؛")
# Characters at which a line may not begin, besides closers and marks. For Japanese and Chinese: JIS X 4051, in short.
_NEVER_FIRST = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶーゝゞ々〻・‐゠〜～ๆະາะาๅ")
_NEVER_LAST = frozenset("เแโใไເແໂໃໄ")  # vowels written before the consonant that they follow


@dataclass(frozen=True)
class Piece:
    """A word to lay out, with its times in ms. `joined` tells that there is no space before it.

    `pin` is the number of the correction that fixes its cue, None if the layout is free.
    """

    text: str
    start_ms: int
    end_ms: int
    joined: bool = False
    speaker: str | None = None
    pin: int | None = None


def fit_pieces(pieces: Iterable[Piece], line_length: int, end_ms: int) -> list[Piece]:
    """Return the pieces in order of time, inside the media, none wider than a line."""
    fitting = (part for piece in join_inseparable(pieces) for part in _cut_to_fit(piece, line_length))
    return list(_in_order(fitting, end_ms))


def text_of(pieces: Sequence[Piece]) -> str:
    """Return pieces as running text."""
    texts = (piece.text if number == 0 or piece.joined else f" {piece.text}" for number, piece in enumerate(pieces))
    return "".join(texts)


def spread_text(text: str, over: Segment) -> Iterator[Piece]:
    """Yield the words of a text with times inside a segment, each in proportion to its length."""
    yield from spread_tokens(list(_tokens(text)), over.start_ms, over.end_ms, over.speaker)


def pieces_of(segments: Iterable[Segment]) -> Iterator[Piece]:
    """Yield the words of the segments. The text of a segment without words is spread over its time."""
    spaced = True  # whether there is white space before the next piece, in a word or between two words
    for segment in segments:
        if not segment.words:
            yield from spread_text(segment.text, segment)
            spaced = segment.text.strip() == "" or segment.text[-1:].isspace()
        for word in segment.words:
            spaced = spaced or not word.joined or word.text[:1].isspace()
            parts = [(part, number == 0 and not spaced) for number, part in enumerate(word.text.split())]
            yield from spread_tokens(parts, word.start_ms, word.end_ms, word.speaker or segment.speaker)
            spaced = word.text[-1:].isspace() or (spaced and not parts)


def spread_tokens(
    tokens: Sequence[tuple[str, bool]], start_ms: int, end_ms: int, speaker: str | None
) -> Iterator[Piece]:
    """Yield a piece for each token, a text and whether it joins the one before, with a time in proportion to its
    length."""
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
    """Yield the words of a text, each with whether it joins the one before; in scripts without spaces, grapheme
    clusters with the marks that must stay with them."""
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
    """Tell whether a line may end between two texts without a space between them."""
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


def join_inseparable(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the pieces, with those that a line break must not divide as one: a recogniser may give `well` and `-known`,
    or the parts of a grapheme cluster."""
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
    """Yield a piece wider than a line as several: where a line may end in its script, else each as long as may be."""
    if places(piece.text) <= limit:
        yield piece
        return
    parts = [part for token, _ in _tokens(piece.text) for part in _filled(token, limit)]
    tokens = [(part, number > 0 or piece.joined) for number, part in enumerate(parts)]
    yield from spread_tokens(tokens, piece.start_ms, piece.end_ms, piece.speaker)


def _filled(word: str, limit: int) -> Iterator[str]:
    """Yield the parts of a word, each as wide as a limit allows."""
    held, width = "", 0
    for cluster in clusters(word):
        if held and width + places(cluster) > limit:
            yield held
            held, width = "", 0
        held += cluster
        width += places(cluster)
    yield held


def _in_order(pieces: Iterable[Piece], end_ms: int) -> Iterator[Piece]:
    """Yield the pieces with times in order and inside the media."""
    earliest = 0
    for piece in pieces:
        start = min(max(piece.start_ms, earliest), max(end_ms - 1, 0))
        end = max(min(piece.end_ms, end_ms), start + 1)
        earliest = start
        yield piece if (start, end) == (piece.start_ms, piece.end_ms) else replace(piece, start_ms=start, end_ms=end)
