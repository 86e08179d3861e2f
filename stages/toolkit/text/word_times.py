"""Give the words of a rewritten text times: a word that stays keeps its own, a new one gets a share.

The words are aligned by Ratcliff and Obershelp's matching blocks (`difflib`). Only letters and digits are compared, so
a changed comma moves nothing. New words share the time of those that they replace, by their lengths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from shared.documents.transcript import Segment, Word
from shared.text.text_width import clusters, is_spaceless

_MARKS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class _Token:
    """A word, or a grapheme cluster of a script without spaces. `unit` are the old words to which it belongs; it is
    token number `place` of the `size` tokens of those words."""

    text: str
    start_ms: int = 0
    end_ms: int = 0
    joined: bool = False
    unit: tuple[Word, ...] = ()
    place: int = 0
    size: int = 1

    @property
    def key(self) -> str:
        return bare(self.text)


def bare(word: str) -> str:
    """Return the form by which a word is compared, without marks and letter case; a word of marks only is unchanged."""
    return _MARKS.sub("", word).casefold() or word


def tokens_of(text: str) -> list[tuple[str, bool]]:
    """Return the words of a text, or grapheme clusters in scripts without spaces, each with whether it joins the one
    before it without a space."""
    found: list[tuple[str, bool]] = []
    for part in text.split():
        for place, piece in enumerate(clusters(part) if any(map(is_spaceless, part)) else [part]):
            if place and not piece[0].isalnum():  # a mark belongs to the word before it
                found[-1] = found[-1][0] + piece, found[-1][1]
            else:
                found.append((piece, place > 0))
    return found


def by_length(texts: Sequence[str], start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Yield a start and an end for each text: its share of an interval, by its length."""
    total, done = sum(map(len, texts)), 0
    for text in texts:
        at_ms = start_ms + (end_ms - start_ms) * done // total
        done += len(text)
        yield at_ms, start_ms + (end_ms - start_ms) * done // total


def rewritten(segment: Segment, text: str, probability: float | None = None) -> Segment:
    """Return the segment with another text and the same times. Its words, if it has any, follow the text.

    A new word has `probability`, or that of the least probable word that it replaces.
    """
    if text == segment.text:
        return segment
    words = tuple(_words_of_text(segment.words, text, probability)) if segment.words else ()
    return segment.model_copy(update={"text": text, "words": words})


def _words_of_text(words: Sequence[Word], text: str, probability: float | None) -> Iterator[Word]:
    old = [token for unit in _units(words) for token in _parts(unit)]
    new = [_Token(part, joined=joined) for part, joined in tokens_of(text)]
    matcher = SequenceMatcher(None, [word.key for word in old], [word.key for word in new], autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            yield from _keep_words(old[i1:i2], new[j1:j2])
        elif j1 < j2:
            yield from _spread_new(new[j1:j2], old[i1:i2], old[max(i1 - 1, 0) : i1], old[i2 : i2 + 1], probability)


def _units(words: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """Yield the words in units without a space inside: a recogniser may give `well` and `-known`. In scripts without
    spaces, each word is a unit."""
    held: tuple[Word, ...] = ()
    for word in words:
        edge = (held[-1].text[-1:], word.text[:1]) if held else ()
        if held and not (word.joined and not any(map(is_spaceless, filter(None, edge)))):
            yield held
            held = ()
        held += (word,)
    if held:
        yield held


def _parts(unit: tuple[Word, ...]) -> Iterator[_Token]:
    pieces = tokens_of("".join(word.text for word in unit))
    start_ms, length_ms = unit[0].start_ms, unit[-1].end_ms - unit[0].start_ms
    for place, (piece, joined) in enumerate(pieces):
        from_ms, to_ms = (start_ms + length_ms * end // len(pieces) for end in (place, place + 1))
        yield _Token(piece, from_ms, to_ms, joined or unit[0].joined, unit, place, len(pieces))


def _keep_words(old: Sequence[_Token], new: Sequence[_Token]) -> Iterator[Word]:
    """Yield the words for tokens that are the same on both sides. A word of which all tokens are there is kept, with
    changed marks and letter case."""
    place = 0
    while place < len(old):
        first = old[place]
        size = first.size if first.place == 0 and place + first.size <= len(old) else 1
        text, joined = "".join(token.text for token in new[place : place + size]), new[place].joined
        if size == first.size and text == "".join(word.text for word in first.unit) and joined == first.unit[0].joined:
            yield from first.unit
        else:
            last = old[place + size - 1]
            yield first.unit[0].model_copy(
                update={"text": text, "joined": joined, "start_ms": first.start_ms, "end_ms": last.end_ms}
            )
        place += size


def _spread_new(
    new: Sequence[_Token], over: Sequence[_Token], before: Sequence[_Token], after: Sequence[_Token],
    probability: float | None,
) -> Iterator[Word]:  # fmt: skip
    """Yield new words over the time of the tokens that they replace, or over the gap between their neighbours if they
    replace none."""
    model = (over or before or after)[0].unit[0]
    if over:
        start_ms, end_ms = over[0].start_ms, over[-1].end_ms
    else:
        start_ms = before[0].end_ms if before else after[0].start_ms
        end_ms = max(after[0].start_ms if after else start_ms, start_ms)
    if probability is None:
        probability = min((word.probability for token in over for word in token.unit), default=0.0)
    times = by_length([token.text for token in new], start_ms, end_ms)
    for token, (at_ms, until_ms) in zip(new, times, strict=True):
        yield Word(
            text=token.text, start_ms=at_ms, end_ms=until_ms, probability=probability, joined=token.joined,
            speaker=model.speaker,
        )  # fmt: skip
