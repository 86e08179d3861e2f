"""Mistakes in values, told in our words and never in pydantic's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from shared.documents.base import Frozen
from shared.mistakes import first_mistake, text_mistake
from shared.nearest import nearest, suggestion


class _Inner(Frozen):
    part: float = Field(0.5, gt=0, lt=1)


class _Record(Frozen):
    name: str
    number: int = Field(1, ge=1, le=20)
    many: tuple[str, ...] = ()
    kind: Literal["mkv", "mp4"] | None = None
    switch: bool = False
    table: dict[str, int] = {}
    inner: _Inner = _Inner()
    place: Path = Path()

    @field_validator("name")
    @classmethod
    def _ours(cls, text: str) -> str:
        if text == "bad":
            raise ValueError("expected a better name, one with a comma")
        return text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "`name` is missing"),
        ({"name": 3}, "`name` cannot be 3, expected text"),
        ({"name": "bad"}, "`name` cannot be 'bad', expected a better name, one with a comma"),
        ({"name": "x", "number": "many"}, "`number` cannot be 'many', expected a whole number"),
        ({"name": "x", "number": 1.5}, "`number` cannot be 1.5, expected a whole number"),
        ({"name": "x", "number": 0}, "`number` cannot be 0, expected 1 or more"),
        ({"name": "x", "number": 21}, "`number` cannot be 21, expected 20 or less"),
        ({"name": "x", "number": None}, "`number` cannot be None, expected a whole number"),
        ({"name": "x", "many": "a"}, """`many` cannot be 'a', expected a list like ["a", "b"]"""),
        ({"name": "x", "kind": "avi"}, "`kind` cannot be 'avi', expected 'mkv' or 'mp4'"),
        ({"name": "x", "switch": "maybe"}, "`switch` cannot be 'maybe', expected true or false"),
        ({"name": "x", "table": []}, "`table` cannot be [], expected a table"),
        ({"name": "x", "table": {"a": "b"}}, "`table.a` cannot be 'b', expected a whole number"),
        ({"name": "x", "inner": {"part": 1}}, "`inner.part` cannot be 1, expected a number below 1"),
        ({"name": "x", "inner": {"prat": 1}}, "`inner.prat` is not a name that is known here"),
        ({"name": "x", "place": 3}, "`place` cannot be 3, expected a path"),
        ({"name": "x", "many": ["y" * 99, 3]}, "`many.1` cannot be 3, expected text"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_is_told_in_our_words(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Record.model_validate(values)
    assert str(first_mistake(caught.value)) == told


def test_what_is_long_is_cut() -> None:
    with pytest.raises(ValidationError) as caught:
        _Record.model_validate({"name": "x", "number": "9" * 99 + "x"})
    assert str(first_mistake(caught.value)).count("9") < 60


def test_the_nearest_name_is_offered_whatever_its_case_and_none_where_none_is_near() -> None:
    assert nearest("BEEM_SIZE", ["beam_size", "patience"]) == "beam_size"
    assert nearest("xyz", ["beam_size", "patience"]) is None
    assert suggestion("asrr", ["asr", "vad"], "there are two") == "did you mean `asr`? there are two"
    assert suggestion("xyz", ["asr", "vad"], "there are two") == "there are two"


def test_bytes_that_are_no_text_are_named_by_their_place() -> None:
    with pytest.raises(UnicodeDecodeError) as raised:
        "Grüße".encode("latin-1").decode("utf-8")
    assert text_mistake(raised.value) == "its byte 2 is 0xfc, expected text in UTF-8"
