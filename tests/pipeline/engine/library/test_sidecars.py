"""Subtitle files beside a film are recognised by the names that media servers and people give them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.library.sidecars import Sidecar, Sidecars
from shared.text.language import is_covered, language_named


def found(folder: Path, film: str = "Film (2020).mkv") -> list[Sidecar]:
    return Sidecars().of(str(folder), film)


def laid_out(folder: Path, *names: str) -> Path:
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("x", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "language", "forced"),
    [
        ("Film (2020).srt", None, False),
        ("Film (2020).en.srt", "en", False),
        ("Film (2020).eng.ass", "en", False),
        ("Film (2020).English.vtt", "en", False),
        ("film (2020).ENGLISH.SRT", "en", False),
        ("Film (2020).en.sdh.srt", "en", False),
        ("Film (2020).en.hi.srt", "en", False),
        ("Film (2020).hi.srt", "hi", False),
        ("Film (2020).hin.srt", "hi", False),
        ("Film (2020).hi.en.srt", "en", False),
        ("Film (2020).en.forced.srt", "en", True),
        ("Film (2020).foreign.en.srt", "en", True),
        ("Film (2020).default.pt-BR.srt", "pt-BR", False),
        ("Film (2020).pt_br.srt", "pt-BR", False),
        ("Film (2020).zh-Hant.srt", "zh-Hant", False),
        ("Film (2020).ger.ssa", "de", False),
        ("Film (2020).Director's cut.de.srt", "de", False),
        ("Film (2020)-en.srt", "en", False),
        ("Film (2020)_eng.srt", "en", False),
        ("Film (2020) [en].srt", "en", False),
        ("Film (2020).en.sub", "en", False),
        ("Subs/Film (2020).en.srt", "en", False),
        ("subtitles/2_English.srt", "en", False),
        ("Subs/Film (2020)/3_French.srt", "fr", False),
        ("Subs/forced.eng.srt", "en", True),
    ],
)
def test_a_subtitle_is_recognised_by_its_name(tmp_path: Path, name: str, language: str | None, forced: bool) -> None:
    laid_out(tmp_path, "Film (2020).mkv", name)
    assert [(one.name, one.language, one.forced) for one in found(tmp_path)] == [(name, language, forced)]


@pytest.mark.parametrize(
    "name",
    [
        "Film (2020).en.txt",
        "Film (2020).en.sup",
        "Film (2020).nfo",
        "Film (2020)-poster.jpg",
        "Film (2020) 2.en.srt",
        "Film (2020) extended cut.en.srt",
        "Film.en.srt",
        "Other (2021).en.srt",
        ".Film (2020).en.srt",
        "Extras/Film (2020).en.srt",
        "Subs/Other (2021)/English.srt",
    ],
)
def test_other_files_are_not_taken_for_subtitles_of_the_film(tmp_path: Path, name: str) -> None:
    assert found(laid_out(tmp_path, "Film (2020).mkv", name)) == []


def test_picture_subtitles_are_ignored(tmp_path: Path) -> None:
    laid_out(tmp_path, "Film (2020).mkv", "Film (2020).en.sub", "Film (2020).en.idx")
    assert found(tmp_path) == []


def test_a_subtitle_belongs_to_the_film_with_the_longest_matching_name(tmp_path: Path) -> None:
    laid_out(tmp_path, "Alien.mkv", "Alien.Resurrection.mkv", "Alien.Resurrection.en.srt", "Alien.de.srt")
    assert [one.name for one in found(tmp_path, "Alien.mkv")] == ["Alien.de.srt"]
    assert [one.name for one in found(tmp_path, "Alien.Resurrection.mkv")] == ["Alien.Resurrection.en.srt"]


def test_an_episode_does_not_take_the_subtitles_of_another(tmp_path: Path) -> None:
    laid_out(tmp_path, "S01E01.mkv", "S01E02.mkv", "Subs/S01E01/2_English.srt", "Subs/English.srt", "S01E02.en.srt")
    assert [one.name for one in found(tmp_path, "S01E01.mkv")] == ["Subs/S01E01/2_English.srt"]
    assert [one.name for one in found(tmp_path, "S01E02.mkv")] == ["S01E02.en.srt"]


def test_a_missing_folder_has_no_subtitles(tmp_path: Path) -> None:
    assert found(tmp_path / "gone") == []


@pytest.mark.parametrize("word", ["", "the", "1080p", "xx", "en-", "en-abc", "commentary", "x264"])
def test_other_words_are_not_languages(word: str) -> None:
    assert language_named(word) is None


@given(st.text(max_size=8))
def test_any_word_is_a_language_or_not(word: str) -> None:
    named = language_named(word)
    assert named is None or is_covered(named, named)


@pytest.mark.parametrize(
    ("wanted", "there", "serves"),
    [("pt", "pt-BR", True), ("pt-BR", "pt", True), ("pt-BR", "pt-PT", False), ("zh-Hans", "zh-Hant", False),
     ("en", "EN", True), ("en", "de", False)],
)  # fmt: skip
def test_a_language_without_a_region_matches_every_region(wanted: str, there: str, serves: bool) -> None:
    assert is_covered(wanted, there) is serves
