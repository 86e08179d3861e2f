"""Claims about the folder of a media file whose name the disk shows in more than one way."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

import pytest

from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.folders import may_take
from pipeline.publishing.record import JOB, Job


def _job_of(film: Path, folder: Path) -> None:
    folder.mkdir()
    digest = hashlib.sha256(film.read_bytes()).hexdigest()
    job = Job(media=str(film), media_sha256=digest, recipe="r", profile="p", files={}, steps={}, licences={})
    job.write(folder / JOB)


def _may_take(folder: Path, film: Path) -> bool:
    return may_take(folder, film, hashlib.sha256(film.read_bytes()).hexdigest(), BatchMedia([film]), replace=False)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("Film.mkv", "FILM.mkv"),
        ("Straße.mkv", "STRASSE.mkv"),
        (unicodedata.normalize("NFC", "Amélie.mkv"), unicodedata.normalize("NFD", "Amélie.mkv")),
    ],
)
def test_a_film_that_a_disk_shows_under_another_case_or_composition_keeps_its_folder(
    tmp_path: Path, before: str, now: str
) -> None:
    """A second name of the same file stands for a disk that ignores case and composition."""
    film = tmp_path / before
    film.write_bytes(b"a film")
    _job_of(film, tmp_path / "out")
    os.link(film, tmp_path / now)

    assert _may_take(tmp_path / "out", tmp_path / now)


def test_another_film_whose_name_differs_in_case_gets_another_folder(tmp_path: Path) -> None:
    for name in ("Film.mkv", "FILM.mkv"):
        (tmp_path / name).write_bytes(b"the same bytes")
    _job_of(tmp_path / "Film.mkv", tmp_path / "out")

    assert not _may_take(tmp_path / "out", tmp_path / "FILM.mkv")


def test_a_film_of_the_same_name_in_another_folder_gets_another_folder(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
    (tmp_path / "one" / "Film.mkv").write_bytes(b"a film")
    os.link(tmp_path / "one" / "Film.mkv", tmp_path / "two" / "Film.mkv")
    _job_of(tmp_path / "one" / "Film.mkv", tmp_path / "out")

    assert not _may_take(tmp_path / "out", tmp_path / "two" / "Film.mkv")
