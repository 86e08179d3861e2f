"""Claims about what a page says of a media file, and which pages are refused."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.engine.addresses.described import Described, described
from pipeline.engine.addresses.fetch import is_address

ADDRESS = "https://films.example/watch?v=1"
ONE = {"id": "1", "title": "A talk", "language": "pt-BR", "license": "CC-BY", "duration": 61.5, "filesize": 45_000_000}


def test_what_the_page_says_is_told_before_anything_is_fetched() -> None:
    about = described(ADDRESS, ONE)
    assert about == Described("A talk", "pt-BR", "CC-BY", 45_000_000, 61_500)
    told = about.sentence(ADDRESS)
    for part in ("A talk: ", "45 MB", "licence CC-BY", "language pt-BR", "films.example", "is for you to know"):
        assert part in told
    nothing = described(ADDRESS, {"id": "x"}).sentence(ADDRESS)
    for part in ("x: ", "length not stated", "size not stated", "no licence stated"):
        assert part in nothing


def test_the_parts_of_a_film_are_added_up_and_a_part_may_know_the_language() -> None:
    parts = [{"filesize": 10}, {"filesize_approx": 5, "language": "hi"}]
    about = described(ADDRESS, {**ONE, "language": None, "filesize": None, "requested_formats": parts})
    assert (about.bytes, about.language) == (15, "hi")
    unknown = described(ADDRESS, {**ONE, "requested_formats": [{"filesize": 10}, {}], "language": "klingonisch"})
    assert (unknown.bytes, unknown.language) == (None, None)


def test_a_page_with_one_media_file_gives_it_the_name_of_the_page() -> None:
    page = {"title": "A talk", "entries": [{"title": "A talk (1)", "id": "1", "duration": 3}]}
    assert described(ADDRESS, page).title == "A talk"
    alone = {**ONE, "title": "A talk (1)", "extractor_key": "HTML5MediaEmbed"}
    assert described(ADDRESS, alone).title == "A talk"
    assert described(ADDRESS, {**alone, "extractor_key": "Youtube"}).title == "A talk (1)"
    assert described(ADDRESS, {"entries": [{"entries": [ONE]}, None]}).title == "A talk"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"entries": [ONE, {**ONE, "title": "Another"}]}, "address.several"), ({"entries": []}, "address.several"),
        ({**ONE, "is_live": True}, "address.live"),
    ],
)  # fmt: skip
def test_several_none_and_what_has_no_end_are_refused(info: dict[str, object], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        described(ADDRESS, info)
    assert refused.value.code == code
    assert refused.value.hint


@given(st.text() | st.text("字é. /", min_size=90))
def test_every_title_gives_a_name_of_one_file(title: str) -> None:
    name = described(ADDRESS, {"id": "1", "title": title}).name
    assert name
    assert os.path.basename(name) == name  # noqa: PTH119
    assert name not in {".", ".."}
    assert not name.startswith(".")
    assert "\0" not in name
    assert len(name.encode()) <= 160


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://example.org/film", True), ("HTTP://example.org", True), ("ftp://example.org/a.mkv", False),
        ("film.mkv", False), ("https:/film.mkv", False),
    ],
)  # fmt: skip
def test_only_http_is_an_address(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one
