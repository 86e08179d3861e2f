"""The base direction of a text: by its letters where they agree, else by its language."""

from __future__ import annotations

import pytest

from stages.toolkit.formats.direction import Direction, base_direction, direction_of_language, first_strong, with_mark


@pytest.mark.parametrize(
    ("tag", "direction"),
    [
        *(
            (tag, "rtl")
            for tag in ("ar", "he", "fa", "ur", "ps", "sd", "ug", "yi", "dv", "ckb", "ar-EG", "uz-Arab", "arz")
        ),
        *((tag, "ltr") for tag in ("en", "hi", "zh-Hant", "ku", "sd-Deva", "ks-Deva", "und", "az-Latn", "pt-BR")),
    ],
)
def test_a_script_goes_before_the_language(tag: str, direction: Direction) -> None:
    assert direction_of_language(tag) == direction


@pytest.mark.parametrize(
    ("lines", "language", "direction"),
    [
        (("iPhone 15 \u0631\u0627\u0626\u0639!",), "ar", "rtl"),
        (("\u05e9\u05dc\u05d5\u05dd means hello.",), "en", "ltr"),
        (("John!",), "ar", "ltr"),
        (("- John.", "- \u0645\u0646\u061f"), "ar", "rtl"),
        (("15:30",), "ar", "rtl"),
        (("15:30",), "en", "ltr"),
        (("...",), "und", "ltr"),
        (("\u05e9\u05dc\u05d5\u05dd!",), "en", "rtl"),
        (("\u05e9\u05dc\u05d5\u05dd John",), "und", "rtl"),
        (("John \u05e9\u05dc\u05d5\u05dd",), "und", "ltr"),
        (("\u05d0 John",), "und", "rtl"),
        ((), "fa", "rtl"),
    ],
)
def test_letters_that_agree_decide_and_else_the_language(
    lines: tuple[str, ...], language: str, direction: Direction
) -> None:
    assert base_direction(lines, language) == direction


def test_a_mark_stands_only_where_the_first_letter_tells_another_direction() -> None:
    assert with_mark("\u0645\u0646\u061f", "rtl") == "\u0645\u0646\u061f"
    assert with_mark("John \u0645\u0646", "rtl") == "\u200fJohn \u0645\u0646"
    assert with_mark("\u0645\u0646 John", "ltr") == "\u200e\u0645\u0646 John"
    assert with_mark("15!", "ltr") == "15!"
    assert with_mark("15!", "rtl") == "\u200f15!"
    assert first_strong("\u2067John\u2069 \u0645\u0646") == "rtl"  # what is isolated does not count
