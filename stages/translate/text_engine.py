"""Translate the segments of a transcript with a model that translates texts: the engine of several backends.

The engine joins segments into sentences, protects the glossary's terms, gives no text to the model twice, and divides
each translation among the segments of its sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from shared.text.language import english_name
from stages.toolkit.cues.parts import join_texts
from stages.translate.protected_terms import separate_terms, translate_protected
from stages.translate.sentences import Sentence, sentences_of, split_back
from stages.translate.stage import Work


class TextModel(Protocol):
    """A loaded model. It returns one translation for each text, in order, and calls `tick` after each batch with the
    number of its texts."""

    def translate(self, texts: Sequence[str], work: Work, tick: Callable[[int], None]) -> list[str]: ...


class TextEngine:
    """See `stages.translate.Engine`."""

    def __init__(self, model: TextModel) -> None:
        self._model = model

    def translate(self, work: Work) -> Sequence[str]:
        """Return one text for each segment, translated sentence by sentence."""
        return _Translation(self._model, work).by_segment()


class _Translation:
    """The translation of one job."""

    def __init__(self, model: TextModel, work: Work) -> None:
        self._model, self._work = model, work
        self._known: dict[str, str] = {}
        self._asked = self._done = 0

    def by_segment(self) -> list[str]:
        """Return one text for each segment. The text is empty if no part of the segment came back translated; a part
        that did not keeps its source words."""
        work = self._work
        sentences = sentences_of(
            work.segments, work.params.joining_words_in(work.source), join=work.params.join_sentences
        )
        self._learn(sentence.text for sentence in sentences)
        shared = [(sentence, self._shares(sentence)) for sentence in sentences]
        # A sentence whose translation is empty or cannot be divided is translated part by part.
        self._learn(part.text for sentence, shares in shared if not shares for part in sentence.parts)
        written: list[list[tuple[str, str]]] = [[] for _ in work.segments]  # of each segment: source and translation
        for sentence, shares in shared:
            texts = shares or [self._known[part.text] for part in sentence.parts]
            for part, text in zip(sentence.parts, texts, strict=True):
                written[part.segment].append((part.text, text))
        partly = sum(any(new for _, new in parts) and not all(new for _, new in parts) for parts in written)
        if partly:
            language = english_name(work.source)
            work.warn(f"{partly} of {len(written)} segments came back in part and keep some of their {language} text")
        return [
            join_texts(new or old for old, new in parts) if any(new for _, new in parts) else "" for parts in written
        ]

    def _shares(self, sentence: Sentence) -> list[str] | None:
        """Return the translation of each part of a sentence; None if it is empty or too short to be divided."""
        text = self._known[sentence.text]
        renderings = separate_terms(sentence.text, self._work.glossary, self._work.target).renderings
        joining = self._work.params.joining_words_in(self._work.target)
        return split_back(text, sentence.parts, joining, renderings) if text else None

    def _learn(self, texts: Iterable[str]) -> None:
        """Translate the texts that are not known yet."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        separated = [separate_terms(text, self._work.glossary, self._work.target) for text in new]
        found = translate_protected(separated, self._call_model) if new else []
        self._known |= {text: translation.strip() for text, translation in zip(new, found, strict=True)}

    def _call_model(self, texts: list[str]) -> list[str]:
        self._asked += len(texts)
        return self._model.translate(texts, self._work, self._tick)

    def _tick(self, done: int) -> None:
        self._done += done
        self._work.progress(self._done / self._asked)
