"""A key stays what it is over releases, and a change of one is told in few letters."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from pipeline.plan.model import Step
from pipeline.plan.result_key import KEY_FORMAT, KeyContext, differences, ingredients, result_key, short
from tests.fakes import misbehave


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


def test_unpinned_code_and_the_build_of_torch_are_ingredients_where_there_are_any() -> None:
    backend = misbehave.STAGE.backends["itself"]
    step = Step("misbehave", misbehave.STAGE, "itself", backend, misbehave.MisbehaveParams(), {}, {})
    pinned = KeyContext({"core": "lock"}, {}, {})
    changed = KeyContext({"core": "lock"}, {}, {}, sources={"misbehave": "code"}, torch={"core": "cu128"})
    parts = ingredients(step, {"media": "a" * 64}, pinned)
    assert parts.keys().isdisjoint({"sources", "torch", "options"})
    assert ingredients(step, {"media": "a" * 64}, changed) == parts | {"sources": "code", "torch": "cu128"}
    assert "batch" not in str(parts["params"]), "a neutral parameter changes no byte"


def test_differences_are_told_part_by_part() -> None:
    old: dict[str, JsonValue] = {
        "version": 1, "backend": "a", "device": "cpu", "params": {"beam_size": 5, "language": "en", "gone": True},
        "inputs": {"audio": "a" * 64},
    }  # fmt: skip
    new: dict[str, JsonValue] = {
        "version": 2, "backend": "a", "device": "cpu", "params": {"beam_size": 3, "language": "en"},
        "inputs": {"audio": "b" * 64}, "models": {"whisper": "c" * 64}, "sources": "code",
    }  # fmt: skip
    assert {change.place: change.phrase for change in differences(old, new)} == {
        "inputs.audio": "input audio changed",
        "models.whisper": "model whisper is cccccccccccc, was nothing",
        "params.beam_size": "parameter beam_size is 3, was 5",
        "params.gone": "parameter gone is nothing, was True",
        "sources": "the code is code, was nothing",
        "version": "the stage's version is 2, was 1",
    }
    assert differences(old, old) == []
