"""Reads tables by language: those of `config/languages`, for the stages whose parameters name them, and the published
error rates of recognisers."""

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
    """One file of `config/languages`."""

    stock_phrases: tuple[str, ...] = ()  # phrases that recognisers invent in silence
    filler_words: tuple[str, ...] = ()  # sounds of hesitation
    label_words: dict[str, str] = {}  # the names of labels, such as that of music
    number_words: tuple[str, ...] = ()  # of the numbers from 0 on; empty for one that depends on what is counted
    negation_words: tuple[str, ...] = ()  # words that reverse the meaning of a sentence
    sentence_openers: tuple[str, ...] = ()  # words whose capital shows that a sentence begins
    common_words: tuple[str, ...] = ()  # short words that identify the language of a text
    asides: tuple[str, ...] = ()  # phrases that a text that is too fast can do without
    silent_subjects: tuple[str, ...] = ()  # subject pronouns that it can do without
    example_text: str = ""  # a few sentences with punctuation, whose style a recogniser follows
    joining_words: JoiningWords = JoiningWords()  # words that hold sentences together


def load_languages(folder: Path) -> dict[str, dict[str, JsonValue]]:
    """Return the entries by language of each table, by the table's name. Raises `UsageError` for an invalid file."""
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
    """Error rates from one publication, by model and language, in percent of the `unit`."""

    source: str
    unit: str
    rates: dict[str, dict[str, float]]


class ErrorRatesFile(Frozen):
    """`config/error_rates.toml`."""

    published: tuple[PublishedRates, ...]


def load_error_rates(path: Path) -> Mapping[str, Mapping[str, JsonValue]]:
    """Return the published rates by model and language, each an `ErrorRate` in JSON. Raises `UsageError` for an invalid
    file."""
    found: dict[str, dict[str, JsonValue]] = {}
    try:
        for publication in ErrorRatesFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).published:
            origin = {"unit": publication.unit, "source": publication.source}
            for model, rates in publication.rates.items():
                for tag, percent in rates.items():
                    rate = ErrorRate.model_validate({"percent": percent, **origin})
                    found.setdefault(model, {})[parse_language(tag)] = rate.model_dump(mode="json")
    except (ValueError, tomllib.TOMLDecodeError) as error:
        raise UsageError("language.invalid", f"{path} is not a table of error rates: {_reason(error)}") from error
    return found


def _reason(error: ValueError) -> str:
    return str(first_mistake(error)) if isinstance(error, ValidationError) else str(error)
