"""A key stays what it is over releases, and a change of one is told in few letters."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from pipeline.plan.result_key import KEY_FORMAT, result_key, short


def test_a_key_of_the_first_format_is_found_by_every_later_release() -> None:
    parts: dict[str, JsonValue] = {"format": KEY_FORMAT, "stage": "vad", "params": {"b": 1, "a": ["é", None, 0.5]}}
    assert result_key(parts) == "b707406bb4e157b77b229c33c6ff9303be2c2063cb48610813534651025a617a"
    assert result_key(dict(reversed(parts.items()))) == result_key(parts), "the order of the parts does not count"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"), (3, "3"), ("a" * 64, "a" * 12), ("a" * 60, "a" * 60), ("a" * 61, "a" * 57 + "..."),
        ([1, None, "x"], "[1, nothing, x]"), ([1, 2, 3, 4], "[1, 2 and 2 more]"),
    ],
)  # fmt: skip
def test_a_value_is_told_in_few_letters(value: JsonValue, text: str) -> None:
    assert short(value) == text
