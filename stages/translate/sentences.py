"""Join segments into sentences, and divide the translation of a sentence among its segments.

A sentence that begins in one segment and ends in another is translated as a whole. It never continues after a change of
speaker or a long pause. A passage without punctuation is not joined, because nothing tells where its sentences end.
The words of a translation are not aligned, so each segment gets a share in proportion to its length, cut where a line
could be broken (`stages.toolkit.cues.line_breaks`) and never inside a term.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from shared.documents.transcript import Segment
from shared.text.joining_words import JoiningWords
from shared.text.sentence_end import ends_sentence
from shared.text.text_width import places
from stages.toolkit.cues.line_breaks import Breaks, breaks_of
from stages.toolkit.cues.parts import join_texts
from stages.toolkit.cues.words import Piece, spread_text, text_of

_LONGEST_PAUSE_MS = 2_000
# The longest sentence, in places. IndicTrans2 has 256 positions, and each character of a script that its vocabulary
# hardly knows takes one; 240 places are a long sentence, or six lines of a subtitle.
_LONGEST = 240
# The cost of a cut that is off its share, by the square of the distance: off by a tenth of the sentence, it costs as
# much as a break inside a clause; off by a quarter, as much as one after an article.
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
        """Return the text of the whole sentence."""
        return join_texts(part.text for part in self.parts)


def sentences_of(segments: Sequence[Segment], joining: JoiningWords, *, join: bool = True) -> list[Sentence]:
    """Return the text of the segments as sentences, in order; without `join`, no sentence continues in another segment.

    `joining` are words of their language, by which a sentence that is too long for a model is cut.
    """
    found: list[Sentence] = []
    for passage in _passages(segments) if join else ([index] for index in range(len(segments))):
        pieces = [(index, piece) for index in passage for piece in spread_text(segments[index].text, segments[index])]
        breaks = breaks_of([piece for _, piece in pieces], joining)
        ends = [place for place in range(1, len(pieces)) if ends_sentence(pieces[place - 1][1].text)]
        # A recogniser that writes no mark inside a passage may have left them out; a person has not.
        is_one = bool(pieces) and segments[passage[0]].origin == "read" and ends_sentence(pieces[-1][1].text)
        if len(passage) > 1 and not ends and not is_one:
            ends = [place for place in range(1, len(pieces)) if pieces[place][0] != pieces[place - 1][0]]
        for begin, end in pairwise([0, *ends, len(pieces)]):
            found += [_sentence(pieces[first:last]) for first, last in _bounded(pieces, breaks, begin, end)]
    return found


def split_back(text: str, parts: Sequence[Part], joining: JoiningWords, whole: Sequence[str] = ()) -> list[str] | None:
    """Return the share of each part in the translation of a sentence; None if it has fewer words than parts.

    `joining` are words of the translation's language; `whole` are terms in it that are not cut.
    """
    if len(parts) == 1:
        return [text.strip()]
    tokens = _tokens(text, whole)
    if len(tokens) < len(parts):
        return None
    costs = breaks_of(tokens, joining).line
    cuts = _cuts(tokens, costs, [max(places(part.text), 1) for part in parts])
    return [text_of(tokens[begin:end]) for begin, end in pairwise(cuts)]


def _passages(segments: Sequence[Segment]) -> Iterator[list[int]]:
    """Yield the numbers of segments in a row of one speaker without a long pause."""
    passage: list[int] = []
    for index, segment in enumerate(segments):
        if passage:
            before = segments[passage[-1]]
            # In a subtitle made by a person, songs are marked, so a sentence does not continue in one.
            apart = segment.origin == "read" and segment.sung != before.sung
            if apart or segment.speaker != before.speaker or segment.start_ms - before.end_ms > _LONGEST_PAUSE_MS:
                yield passage
                passage = []
        passage.append(index)
    if passage:
        yield passage


def _bounded(owned: Sequence[tuple[int, Piece]], breaks: Breaks, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the pieces from `begin` to before `end` in parts within the limit, cut near the middle where it costs
    least."""
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
    return Sentence(tuple(Part(index, text_of(pieces)) for index, pieces in held.items()))


def _tokens(text: str, whole: Sequence[str]) -> list[Piece]:
    """Return the words of a text; the words of a term in `whole` are one token."""
    pieces = list(spread_text(text, Segment(id=0, text=text, start_ms=0, end_ms=0)))
    plain = text_of(pieces)
    inside = {
        place for term in whole for begin in _occurrences(term, plain) for place in range(begin + 1, begin + len(term))
    }
    tokens: list[Piece] = []
    begin = 0
    for piece in pieces:
        begin += not piece.joined and begin > 0
        if begin in inside:
            tokens[-1] = Piece(text_of([tokens[-1], piece]), 0, 0, tokens[-1].joined)
        else:
            tokens.append(piece)
        begin += len(piece.text)
    return tokens


def _occurrences(term: str, text: str) -> Iterator[int]:
    """Yield where a term occurs in a text; nowhere for an empty term."""
    at = text.find(term) if term else -1
    while at >= 0:
        yield at
        at = text.find(term, at + 1)


def _cuts(tokens: Sequence[Piece], costs: Sequence[float], weights: Sequence[int]) -> list[int]:
    """Return where the parts begin and end, with at least one token each, near their shares and at cheap breaks.

    Dynamic programming finds the cuts with the lowest sum of costs.
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
