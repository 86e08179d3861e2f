"""Facts about single languages, as parameters of the stages that need them.

`config/languages` holds a file for each language; the orchestrator passes a stage the tables that its parameters name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from shared.stage import Params
from shared.text.language import primary

ValueT = TypeVar("ValueT")


class LanguageParams(Params):
    """Base of parameters with such tables: each is a dict by language, and a file of `config/languages` may fill it."""


def entry_for(table: Mapping[str, ValueT], language: str, otherwise: ValueT) -> ValueT:
    """Return a table's entry for a language (BCP-47). An entry for the tag with its script or region goes before one
    for the language."""
    return table.get(language, table.get(primary(language), otherwise))
