"""The words that hold a language's sentences together, as parameters of the stages that break lines by them.

`config/languages` holds them; the orchestrator passes them to these stages.
"""

from __future__ import annotations

from pydantic import Field

from shared.documents.base import Frozen
from shared.text.language_params import LanguageParams, entry_for


class JoiningWords(Frozen):
    """The lists of one language, in lower case, closed classes only.

    A line may well end before `conjunctions` and `prepositions`. It may not end after `prepositions` and `binding`
    words (articles, pronouns, auxiliaries, titles), nor before `leaning` ones (postpositions, particles).
    `capitals_are_names`: a capital inside a sentence begins a name.
    """

    conjunctions: tuple[str, ...] = ()
    prepositions: tuple[str, ...] = ()
    binding: tuple[str, ...] = ()
    leaning: tuple[str, ...] = ()
    capitals_are_names: bool = True

    @property
    def every(self) -> frozenset[str]:
        """Return the words of all lists."""
        return frozenset((*self.conjunctions, *self.prepositions, *self.binding, *self.leaning))


NO_JOINING_WORDS = JoiningWords()


class JoiningParams(LanguageParams):
    """Base of parameters with these lists."""

    joining_words: dict[str, JoiningWords] = Field(
        {},
        description="by language: conjunctions, prepositions, articles and so on, which tell where a line may end",
    )

    def joining_words_in(self, language: str) -> JoiningWords:
        """Return the lists of a language (BCP-47); empty ones for a language without."""
        return entry_for(self.joining_words, language, NO_JOINING_WORDS)
