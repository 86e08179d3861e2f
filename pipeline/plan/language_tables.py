"""Tables by language: the files in `config/languages`, turned around for the stages whose parameters name them, and the
published error rates of recognisers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipeline.base.errors import UsageError
from shared.documents.base import Frozen
from shared.mistakes import first_mistake
from shared.text.error_rates import ErrorRate
from shared.text.joining_words import JoiningWords
from shared.text.language import parse_language


class LanguageFile(Frozen):
    """One file of `config/languages`: what recognisers invent, sounds of hesitation, what labels are called, the
    numbers from 0 on that are written out (an empty word for one that depends on what is counted), words that turn
    a sentence round, words whose capital shows that a sentence begins, short words by which a text's language is told,
    a few sentences with punctuation for a recogniser to follow, the words that hold sentences together, and what may
    be left out of a text that is too fast: phrases that say nothing, and subject pronouns."""

    stock_phrases: tuple[str, ...] = ()
    filler_words: tuple[str, ...] = ()
    label_words: dict[str, str] = {}
    number_words: tuple[str, ...] = ()
    negation_words: tuple[str, ...] = ()
    sentence_openers: tuple[str, ...] = ()
    common_words: tuple[str, ...] = ()
    asides: tuple[str, ...] = ()
    silent_subjects: tuple[str, ...] = ()
    example_text: str = ""
    joining_words: JoiningWords = JoiningWords()


def load_languages(folder: Path) -> dict[str, dict[str, JsonValue]]:
    """Return each table by name, and its entries by language. Raises `UsageError` for a file that is not a table."""
    tables: dict[str, dict[str, JsonValue]] = {name: {} for name in LanguageFile.model_fields}
    for path in sorted(folder.glob("*.toml")):
        try:
            tag = parse_language(path.stem)
            data = LanguageFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (ValueError, tomllib.TOMLDecodeError) as error:
            raise UsageError("language.invalid", f"{path} is not a language file: {_reason(error)}") from error
        for name, value in data.model_dump(mode="json", exclude_unset=True).items():
            tables[name][tag] = value
    return tables


class PublishedRates(Frozen):
    """A publication: error rates by model and language, in percent of `unit`s."""

    source: str
    unit: str
    rates: dict[str, dict[str, float]]


class ErrorRatesFile(Frozen):
    """`config/error_rates.toml`."""

    published: tuple[PublishedRates, ...]


def load_error_rates(path: Path) -> Mapping[str, Mapping[str, JsonValue]]:
    """Return the published rates by model and language, each an `ErrorRate` in JSON. Raises `UsageError` for a file of
    another form."""
    found: dict[str, dict[str, JsonValue]] = {}
    try:
        for one in ErrorRatesFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).published:
            for model, rates in one.rates.items():
                for tag, percent in rates.items():
                    rate = ErrorRate.model_validate({"percent": percent, "unit": one.unit, "source": one.source})
                    found.setdefault(model, {})[parse_language(tag)] = rate.model_dump(mode="json")
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise UsageError("language.invalid", f"{path} is not a table of error rates: {_reason(error)}") from error
    return found


def _reason(error: ValueError) -> str:
    return str(first_mistake(error)) if isinstance(error, ValidationError) else str(error)
