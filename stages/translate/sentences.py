"""Segments joined into sentences, and a sentence's translation split back: who translates text works on whole
sentences, and yet every segment gets its own words.

A sentence that one segment begins and the next ends is translated as one. It never goes across a change of speaker or
a long pause, and a stretch without any punctuation is not joined at all: nothing tells where a sentence would end.
The way back is by proportion, because the words are not aligned: each segment gets its share of the
translation, cut where a line could be broken (`stages.toolkit.cues.line_breaks`) and never inside a term.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from shared.documents.transcript import Segment
from shared.text.joining_words import JoiningWords
from shared.text.sentence_end import ends_sentence
from shared.text.text_width import is_spaceless, places
from stages.toolkit.cues.line_breaks import Breaks, breaks_of
from stages.toolkit.cues.words import Piece, spread_text

_LONGEST_PAUSE_MS = 2_000
# What a model takes at once. IndicTrans2 has 256 positions, and in a script that its vocabulary hardly knows each
# character takes one; 240 places are a long sentence, and six lines of a subtitle.
_LONGEST = 240
# A tenth of the sentence beside its share hurts as much as a break in a clause, a quarter as one after an article.
_OFF_SHARE = 400.0


@dataclass(frozen=True)
class Part:
    """The part of a sentence in one segment: `segment` is the index of the segment, `text` its words."""

    segment: int
    text: str


@dataclass(frozen=True)
class Sentence:
    """A unit of translation: parts of one segment, or of several segments in a row."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """Return all tokens of the text."""
        return paste(part.text for part in self.parts)


def sentences_of(segments: Sequence[Segment], joining: JoiningWords, *, join: bool = True) -> list[Sentence]:
    """Return the segments' text as sentences, in order; without `join`, none goes on into another segment.

    `joining` are words of their language: a sentence longer than a model takes is cut by them."""
    found: list[Sentence] = []
    for passage in _passages(segments) if join else ([index] for index in range(len(segments))):
        owned = [(index, piece) for index in passage for piece in spread_text(segments[index].text, segments[index])]
        breaks = breaks_of([piece for _, piece in owned], joining)
        ends = [place for place in range(1, len(owned)) if ends_sentence(owned[place - 1][1].text)]
        # Punctuation ends the passage at best, and tells nothing about its inside, unless a person wrote it.
        is_one = bool(owned) and segments[passage[0]].origin == "read" and ends_sentence(owned[-1][1].text)
        if len(passage) > 1 and not ends and not is_one:
            ends = [place for place in range(1, len(owned)) if owned[place][0] != owned[place - 1][0]]
        for begin, end in pairwise([0, *ends, len(owned)]):
            found += [_sentence(owned[first:last]) for first, last in _bounded(owned, breaks, begin, end)]
    return found


def split_back(text: str, parts: Sequence[Part], joining: JoiningWords, whole: Sequence[str] = ()) -> list[str] | None:
    """Return a sentence's translation, a share for each part; None where it has fewer words than parts.

    `joining` are words of the translation's language; `whole` are texts in it that are not cut.
    """
    if len(parts) == 1:
        return [text.strip()]
    tokens = _tokens(text, whole)
    if len(tokens) < len(parts):
        return None
    costs = breaks_of(tokens, joining).line
    cuts = _cuts(tokens, costs, [max(places(part.text), 1) for part in parts])
    return [joined(tokens[begin:end]) for begin, end in pairwise(cuts)]


def joined(pieces: Sequence[Piece]) -> str:
    """Join pieces to running text."""
    texts = (piece.text if number == 0 or piece.joined else f" {piece.text}" for number, piece in enumerate(pieces))
    return "".join(texts)


def paste(texts: Iterable[str]) -> str:
    """Join texts, with a space between two wherever their scripts use spaces."""
    found = ""
    for text in texts:
        bare = found and text and not (is_spaceless(found[-1]) or is_spaceless(text[0]))
        found += f" {text}" if bare else text
    return found


def _passages(segments: Sequence[Segment]) -> Iterator[list[int]]:
    """Yield the places of segments that one voice speaks without a long pause."""
    passage: list[int] = []
    for index, segment in enumerate(segments):
        if passage:
            before = segments[passage[-1]]
            # In a subtitle made by a person, a song and what is said around it are marked.
            apart = segment.origin == "read" and segment.sung != before.sung
            if apart or segment.speaker != before.speaker or segment.start_ms - before.end_ms > _LONGEST_PAUSE_MS:
                yield passage
                passage = []
        passage.append(index)
    if passage:
        yield passage


def _bounded(owned: Sequence[tuple[int, Piece]], breaks: Breaks, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the stretch in parts within the limit, cut where a cut does the least harm, near the middle."""
    if begin == end:
        return
    width = sum(places(piece.text) + 1 for _, piece in owned[begin:end])
    if width <= _LONGEST or end - begin == 1:
        yield begin, end
        return
    middle, length = (begin + end) / 2, end - begin

    def cost(place: int) -> tuple[float, int]:
        inside = owned[place][0] == owned[place - 1][0]
        return breaks.cue[place] + 4 * inside + 16 * abs(place - middle) / length, place

    cut = min(range(begin + 1, end), key=cost)
    yield from _bounded(owned, breaks, begin, cut)
    yield from _bounded(owned, breaks, cut, end)


def _sentence(owned: Sequence[tuple[int, Piece]]) -> Sentence:
    held: dict[int, list[Piece]] = {}
    for index, piece in owned:
        held.setdefault(index, []).append(piece)
    return Sentence(tuple(Part(index, joined(pieces)) for index, pieces in held.items()))


def _tokens(text: str, whole: Sequence[str]) -> list[Piece]:
    """Return the words of a text; those that stand in one of the texts in `whole` together are one token."""
    pieces = list(spread_text(text, Segment(id=0, text=text, start_ms=0, end_ms=0)))
    plain = joined(pieces)
    inside = {
        place for one in whole for begin in _occurrences(one, plain) for place in range(begin + 1, begin + len(one))
    }
    tokens: list[Piece] = []
    begin = 0
    for piece in pieces:
        begin += not piece.joined and begin > 0
        if begin in inside:
            tokens[-1] = Piece(joined([tokens[-1], piece]), 0, 0, tokens[-1].joined)
        else:
            tokens.append(piece)
        begin += len(piece.text)
    return tokens


def _occurrences(one: str, text: str) -> Iterator[int]:
    at = text.find(one) if one else -1
    while at >= 0:
        yield at
        at = text.find(one, at + 1)


def _cuts(tokens: Sequence[Piece], costs: Sequence[float], weights: Sequence[int]) -> list[int]:
    """Return where the parts begin and end: at least one token each, near their shares, where breaks cost little.

    Dynamic programming finds the least sum of costs over all ways to cut.
    """
    ends = list(accumulate(places(token.text) + (not token.joined) for token in tokens))
    shares = [share * ends[-1] / sum(weights) for share in accumulate(weights)]
    count = len(tokens)
    best: dict[int, tuple[float, list[int]]] = {0: (0.0, [0])}
    for number, share in enumerate(shares[:-1], 1):
        reached: dict[int, tuple[float, list[int]]] = {}
        for cut in range(number, count - (len(weights) - number) + 1):
            off = (ends[cut - 1] - share) / ends[-1]
            before = min((best[earlier] for earlier in best if earlier < cut), key=lambda found: found[0])
            reached[cut] = before[0] + _OFF_SHARE * off * off + costs[cut], [*before[1], cut]
        best = reached
    return [*min(best.values(), key=lambda found: found[0])[1], count]
