"""Translate texts so that names and terms are written as the glossary has them.

Three methods are tried in order, the later ones for the texts in which an earlier one lost a term. An earlier method
reads better, a later one is safer:

1. The term's rendering is put into the source text. Models copy it, and even inflect the words around it.
2. A code such as `XQ1` is put in the term's place. Bergamot kept it in 8 of 8 sentences, and `<1>`, `{1}`, `#1` and
   `@1` in 3 at most.
3. The text between the terms is translated by itself, and the renderings are put between. This cannot fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.text.glossary import Glossary, count_in
from shared.text.sentence_end import SENTENCE_ENDS

_CODE = "XQ"

Translate = Callable[[list[str]], list[str]]
"""Return one translation for each text, in order."""


@dataclass(frozen=True)
class SeparatedText:
    """A text divided at its terms: the texts between them, one more than there are terms, and the rendering of each
    term."""

    between: tuple[str, ...]
    renderings: tuple[str, ...]

    def with_terms(self, written: Sequence[str]) -> str:
        """Return the text with `written` in place of its terms."""
        return "".join(text for pair in zip(self.between, [*written, ""], strict=True) for text in pair)


def separate_terms(text: str, glossary: Glossary, language: str) -> SeparatedText:
    """Return the text divided at its terms. Each term of `glossary` must have a rendering in the language."""
    between, renderings, end = [], [], 0
    for hit in glossary.find(text):
        between.append(text[end : hit.start])
        renderings.append(hit.term.rendering(language) or text[hit.start : hit.end])
        end = hit.end
    return SeparatedText((*between, text[end:]), tuple(renderings))


def translate_protected(texts: Sequence[SeparatedText], translate: Translate) -> list[str]:
    """Return the translations, each with all its renderings. A translation that came back empty stays empty."""
    found = translate([text.with_terms(text.renderings) for text in texts])
    lost = [number for number, text in enumerate(texts) if found[number].strip() and not _has_all(found[number], text)]
    if lost:
        coded = [_coded(texts[number]) for number in lost]
        tried = translate([texts[number].with_terms(codes) for number, codes in zip(lost, coded, strict=True)])
        for number, codes, text in zip(lost, coded, tried, strict=True):
            found[number] = _decoded(text, dict(zip(codes, texts[number].renderings, strict=True))) or ""
        lost = [number for number in lost if not _has_all(found[number], texts[number])]
    if lost:
        pieces = list(
            dict.fromkeys(piece.strip() for number in lost for piece in texts[number].between if _has_words(piece))
        )
        known = dict(zip(pieces, translate(pieces), strict=True))
        for number in lost:
            found[number] = _in_pieces(texts[number], known)
    return found


def _has_all(text: str, separated: SeparatedText) -> bool:
    """Tell whether every rendering occurs in the text as often as it must."""
    counts = Counter(separated.renderings)
    return counts <= count_in(text, counts)


def _coded(text: SeparatedText) -> list[str]:
    """Return a code for each term. No code occurs in the text already, and none is the beginning of another."""
    code = _CODE
    while any(code in piece for piece in text.between):
        code += _CODE[0]
    width = len(str(len(text.renderings)))
    return [f"{code}{number:0{width}}" for number in range(1, len(text.renderings) + 1)]


def _decoded(text: str, renderings: Mapping[str, str]) -> str | None:
    """Return the text with the renderings in place of their codes; None unless each code occurs exactly once."""
    if any(text.count(code) != 1 for code in renderings):
        return None
    for code, rendering in renderings.items():
        text = text.replace(code, rendering)
    return text


def _in_pieces(text: SeparatedText, translated: Mapping[str, str]) -> str:
    """Return the renderings with the translations of the texts between them."""
    written = []
    for piece in text.between:
        plain = piece.strip()
        new = translated.get(plain, plain).strip() or plain
        if plain[-1:] not in SENTENCE_ENDS:  # a model may add a full stop to a part of a sentence
            new = new.rstrip("".join(SENTENCE_ENDS)) or new
        written.append(
            f"{piece[: len(piece) - len(piece.lstrip())]}{new}{piece[len(piece.rstrip()) :] if plain else ''}"
        )
    return SeparatedText(tuple(written), text.renderings).with_terms(text.renderings).strip()


def _has_words(piece: str) -> bool:
    """Tell whether there is anything to translate."""
    return any(character.isalnum() for character in piece)
