"""The joining words of a language, as a plan hands them to stages."""

from __future__ import annotations

from functools import cache

from pipeline.plan.language_tables import load_languages
from shared.text.joining_words import JoiningParams, JoiningWords
from tests.source_tree import ROOT


@cache
def _params() -> JoiningParams:
    return JoiningParams.model_validate(
        {"joining_words": load_languages(ROOT / "config" / "languages")["joining_words"]}
    )


def joining(language: str) -> JoiningWords:
    """Return the words of a language (BCP-47)."""
    return _params().joining_words_in(language)
