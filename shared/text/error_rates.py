"""Published error rates of recognisers, as parameters of the stage `asr`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.documents.base import Frozen


class ErrorRate(Frozen):
    """The rate of wrong `unit`s in percent, from a test published at `source`. Invented words count too, so the rate
    may be above 100."""

    percent: float = Field(ge=0)
    unit: Literal["word", "character"]
    source: str
