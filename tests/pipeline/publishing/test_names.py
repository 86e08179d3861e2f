"""Names that a disk takes."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.names import NameRules, alike, fitted, free_names, is_portable, portable, stem_of

RULES = NameRules(255, portable=False)


@pytest.mark.parametrize(
    ("file_name", "stem"),
    [
        ("Film (2020).mkv", "Film (2020)"),
        ("a.b.mp4", "a.b"),
        ("film", "film"),
        (".film.mp4", "film"),
        (".mp4", "mp4"),
        ("..mp4", "mp4"),
        ("...mp4", "mp4"),
        (". .mp4", "mp4"),
        ("....", "media"),
    ],
)
def test_no_name_is_hidden_or_climbs(file_name: str, stem: str) -> None:
    assert stem_of(file_name, RULES) == stem


@pytest.mark.parametrize(
    ("name", "taken"),
    [("CON", "CON_"), ("nul.en", "nul_.en"), ("com1 ", "com1_"), ("a:b", "a_b"), ("end. ", "end"), ("...", "_")],
)
def test_a_name_that_windows_refuses_gets_another(name: str, taken: str) -> None:
    assert portable(name) == taken
    assert is_portable(taken)


text = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=300)


@given(text, st.sampled_from([".en.srt", ".zh-Hant-TW.forced.quality.json", ""]), st.integers(64, 255))
def test_every_name_fits_and_is_the_same_each_time(stem: str, tail: str, longest: int) -> None:
    rules = NameRules(longest, portable=False)
    name = fitted(stem, tail, rules)
    assert len(os.fsencode(name)) <= longest
    assert name.endswith(tail)
    assert name == fitted(stem, tail, rules)
    if len(os.fsencode(stem + tail)) <= longest:
        assert name == stem + tail


def test_a_cut_falls_between_what_readers_take_for_characters_and_tells_two_names_apart() -> None:
    words = "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f " * 20
    first, second = (fitted(words + end, ".hin.srt", RULES) for end in ("1", "2"))
    assert first != second
    assert first.partition("-")[0].endswith(("\u0915\u094d\u0937", "\u0924\u094d\u0930\u093f", "\u092f"))


def test_the_names_after_a_taken_one_are_those_that_media_servers_read() -> None:
    names = free_names("Film (2020)", ".en.srt", RULES)
    assert [next(names) for _ in range(3)] == [
        "Film (2020).en.srt", "Film (2020).reel.en.srt", "Film (2020).reel-2.en.srt"
    ]  # fmt: skip


def test_names_are_alike_in_any_letter_case_and_composition() -> None:
    assert alike("CAF\u00c9") == alike("cafe\u0301")
    assert alike("film") != alike("film2")
