"""A subtitle's name tells what it belongs to, its language and what it holds."""

from __future__ import annotations

import pytest

from shared.text.subtitle_names import NameFacts, is_subtitle, split_name


@pytest.mark.parametrize(
    ("name", "stem", "facts"),
    [
        ("film.en.srt", "film", NameFacts("en")),
        ("film.pt-BR.sdh.srt", "film", NameFacts("pt-BR", "sdh")),
        ("film.en.forced.ass", "film", NameFacts("en", "forced")),
        ("film.hi.srt", "film", NameFacts("hi")),
        ("film.en.hi.srt", "film", NameFacts("en", "sdh")),
        ("film.hin.cc.srt", "film", NameFacts("hi", "sdh")),
        ("Film (2020).English.vtt", "Film (2020)", NameFacts("en")),
        ("film.srt", "film", NameFacts()),
        ("en.srt", "en", NameFacts()),
        ("The.Long.Film.2020.1080p.eng.srt", "The.Long.Film.2020.1080p", NameFacts("en")),
        (".en.srt", ".en", NameFacts()),
    ],
)
def test_a_name_is_split_into_the_film_and_the_facts(name: str, stem: str, facts: NameFacts) -> None:
    assert split_name(name) == (stem, facts)


def test_a_subtitle_is_told_by_its_suffix() -> None:
    assert is_subtitle("film.en.SRT")
    assert not is_subtitle("film.mkv")
    assert not is_subtitle("film.sup")
