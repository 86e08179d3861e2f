"""Published error rates of recognisers, as parameters of the stage that recognises."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Frozen


class ErrorRate(Frozen):
    """The rate of wrong `unit`s in percent, by a test that others published at `source`. Words that were written
    without being said count too, so that it may be above 100."""

    percent: float = Field(ge=0)
    unit: Literal["word", "character"]
    source: str
