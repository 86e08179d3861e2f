"""Names and terms that come through a translation as the glossary has them, whatever the model makes of the rest.

Tried in this order, as each reads better than the next and is kept less surely; what one loses goes to the next:
the term's rendering in the middle of the source text, which models copy, and even inflect around; a code in its
place, as `XQ1`, which Bergamot kept in 8 of 8 sentences (`<1>`, `{1}`, `#1` and `@1` in 3 at best); and the text
between the terms translated by itself, with the renderings put between, which cannot fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.text.glossary import Glossary, count_in
from shared.text.sentence_end import SENTENCE_ENDS

_CODE = "XQ"

Translate = Callable[[list[str]], list[str]]
"""Texts into as many texts, in order."""


@dataclass(frozen=True)
class Protected:
    """A text with terms: what stands between them, one more than there are terms, and each one's rendering."""

    between: tuple[str, ...]
    renderings: tuple[str, ...]

    def with_each(self, written: Sequence[str]) -> str:
        """Return the text with its terms replaced."""
        return "".join(text for pair in zip(self.between, [*written, ""], strict=True) for text in pair)


def protected(text: str, glossary: Glossary, language: str) -> Protected:
    """Return the text with its terms apart; `glossary` holds only terms that have a rendering in the language."""
    between, renderings, end = [], [], 0
    for hit in glossary.find(text):
        between.append(text[end : hit.start])
        renderings.append(hit.term.rendering(language) or text[hit.start : hit.end])
        end = hit.end
    return Protected((*between, text[end:]), tuple(renderings))


def translate_protected(texts: Sequence[Protected], translate: Translate) -> list[str]:
    """Return the translations, each with all its renderings; one that came back empty stays empty."""
    found = translate([text.with_each(text.renderings) for text in texts])
    lost = [number for number, text in enumerate(texts) if found[number].strip() and not _has_all(found[number], text)]
    if lost:
        coded = [_coded(texts[number]) for number in lost]
        tried = translate([texts[number].with_each(codes) for number, codes in zip(lost, coded, strict=True)])
        for number, codes, text in zip(lost, coded, tried, strict=True):
            found[number] = _decoded(text, dict(zip(codes, texts[number].renderings, strict=True))) or ""
        lost = [number for number in lost if not _has_all(found[number], texts[number])]
    if lost:
        pieces = list(
            dict.fromkeys(piece.strip() for number in lost for piece in texts[number].between if _says(piece))
        )
        known = dict(zip(pieces, translate(pieces), strict=True))
        for number in lost:
            found[number] = _in_pieces(texts[number], known)
    return found


def _has_all(text: str, wanted: Protected) -> bool:
    """Return whether every rendering stands in the text as often as it must."""
    counts = Counter(wanted.renderings)
    return counts <= count_in(text, counts)


def _coded(text: Protected) -> list[str]:
    """Return a code for each term that does not stand in the text already, and none of which begins another."""
    code = _CODE
    while any(code in piece for piece in text.between):
        code += _CODE[0]
    width = len(str(len(text.renderings)))
    return [f"{code}{number:0{width}}" for number in range(1, len(text.renderings) + 1)]


def _decoded(text: str, renderings: Mapping[str, str]) -> str | None:
    """Return the text with the renderings in the places of their codes; None where not each stands in it exactly
    once."""
    if any(text.count(code) != 1 for code in renderings):
        return None
    for code, rendering in renderings.items():
        text = text.replace(code, rendering)
    return text


def _in_pieces(text: Protected, translated: Mapping[str, str]) -> str:
    """Return the renderings with the translation of what stands between them."""
    written = []
    for piece in text.between:
        plain = piece.strip()
        new = translated.get(plain, plain).strip() or plain
        if plain[-1:] not in SENTENCE_ENDS:  # a model ends what it takes for a sentence
            new = new.rstrip("".join(SENTENCE_ENDS)) or new
        written.append(
            f"{piece[: len(piece) - len(piece.lstrip())]}{new}{piece[len(piece.rstrip()) :] if plain else ''}"
        )
    return Protected(tuple(written), text.renderings).with_each(text.renderings).strip()


def _says(piece: str) -> bool:
    """Return whether there is anything to translate."""
    return any(character.isalnum() for character in piece)
