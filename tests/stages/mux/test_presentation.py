"""Where a media file hides something that a copy could show again."""

from __future__ import annotations

import pytest

from shared.documents.media import Hidden, Media, Track
from stages.mux.presentation import Cut, cut_of
from stages.mux.stage import Container, container_for


def a_media(picture: Hidden, sound: Hidden, *, picture_start_ms: int = 0) -> Media:
    tracks = (
        Track(index=0, kind="video", codec="h264", duration_ms=6000, hidden=picture, start_ms=picture_start_ms),
        Track(index=1, kind="audio", codec="aac", duration_ms=6000, hidden=sound),
        Track(index=2, kind="video", codec="png", cover=True, hidden=Hidden(start_ms=9000)),
    )
    return Media(container="mov", start_ms=0, duration_ms=6000, tracks=tracks, audio_track=1, decoded_ms=6000)


def test_priming_and_the_pictures_of_an_open_group_are_no_cut() -> None:
    assert cut_of(a_media(Hidden(inside_ms=120), Hidden(start_ms=48))) == Cut()


def test_a_cut_is_told_by_where_it_is() -> None:
    assert cut_of(a_media(Hidden(start_ms=8000), Hidden(start_ms=23))) == Cut(start=True)
    assert cut_of(a_media(Hidden(), Hidden(start_ms=1003))) == Cut(start=True, sound_start=True)
    assert cut_of(a_media(Hidden(inside_ms=300), Hidden())).inside
    assert cut_of(a_media(Hidden(start_ms=400), Hidden(), picture_start_ms=1500)).inside


def test_the_end_of_a_film_is_that_of_its_longest_shown_track() -> None:
    picture = Hidden(end_ms=1500, shown_ms=4500)
    assert cut_of(a_media(picture, Hidden(end_ms=900, shown_ms=5100))).end_ms == 5100
    assert cut_of(a_media(picture, Hidden(end_ms=1900, shown_ms=4100), picture_start_ms=1000)).end_ms == 5500


@pytest.mark.parametrize(
    ("cut", "copied", "encoded"),
    [
        (Cut(), "mkv", "mkv"),
        (Cut(start=True), "mp4", "mkv"),
        (Cut(start=True, sound_start=True), "mp4", "mp4"),
        (Cut(inside=True), None, None),
        (Cut(end_ms=5000), "mkv", "mkv"),
    ],
)
def test_matroska_holds_no_hidden_beginning_and_no_container_hidden_parts_inside(
    cut: Cut, copied: Container | None, encoded: Container | None
) -> None:
    assert container_for("mkv", cut, is_encoded=False) == copied
    assert container_for("mkv", cut, is_encoded=True) == encoded
