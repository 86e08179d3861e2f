"""Facts about single languages, as parameters of the stages that ask for them.

`config/languages` holds a file for each language; the orchestrator hands a stage the tables that its parameters name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from shared.stage import Params
from shared.text.language import primary

ValueT = TypeVar("ValueT")


class LanguageParams(Params):
    """Base of parameters with such tables: each is a dict by language, and a file of `config/languages` may fill it."""


def of_language(table: Mapping[str, ValueT], language: str, otherwise: ValueT) -> ValueT:
    """Return a table's entry for a language (BCP-47); a tag with script or region goes before its language."""
    return table.get(language, table.get(primary(language), otherwise))
