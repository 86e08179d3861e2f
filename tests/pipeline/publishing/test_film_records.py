"""Records beside films: whose they are, what they name, and where that lies, in folders as people make them."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from pipeline.engine.folder_walk import FolderWalk
from pipeline.plan.model import Plan, Publication
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import job_folder
from pipeline.publishing.edits import changed_files
from pipeline.publishing.film_records import own_names, take_over
from pipeline.publishing.folders import Folders, unwritable
from pipeline.publishing.names import NameRules, alike
from pipeline.publishing.placing import sweep, temporary_name
from pipeline.publishing.publish import FinishedJob, PublishedFiles, Rules, publish
from pipeline.publishing.record import JOB, Job, read_job
from pipeline.store.results import ResultStore, StoredFile, StoredResult

RULES = NameRules(255, portable=False)


def film_at(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"the film {place.name}", encoding="utf-8")
    return place


class BesideFilms:
    """Publishes a made-up subtitle file beside each film, as a run with `--beside` does."""

    def __init__(self, root: Path, *films: Path) -> None:
        self.store, self.batch = ResultStore(root / "store"), BatchMedia(films)
        self._folders = Folders(None, self.batch)

    def run(self, film: Path, content: str, *, failing: bool = False, replace: bool = False) -> PublishedFiles:
        digest = hashlib.sha256(film.read_bytes()).hexdigest()
        made = hashlib.sha256(content.encode()).hexdigest()
        place = self.store.object_path(made)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
        result = StoredResult(
            key="k", ingredients={"stage": "s", "tools": {}}, facts={"language": "en"}, warnings=(), seconds=0, cpu_s=0,
            outputs={"files": (StoredFile(sha256=made, size=len(content), name="x.srt"),)}, memory_mb=None,
        )  # fmt: skip
        one, other = (Publication(step, "files", "{name}.{language}{kind}{suffix}") for step in ("step", "other"))
        plan = Plan("a recipe", "a profile", (), (one, other) if failing else (one,))
        missing = {"other.files": "stage.failed"} if failing else {}
        rules = Rules(self.store, {}, self.batch, RULES, lambda taken: taken, beside=True, replace=replace)
        folder = self._folders.take(film, digest, RULES)
        take_over(film, digest)
        return publish(FinishedJob(film, digest, plan, {"step": result}, "plan", missing), folder, rules)


def test_a_film_takes_no_record_over_from_a_film_that_is_there(tmp_path: Path) -> None:
    small, capital, other = (film_at(tmp_path / "films" / name) for name in ("a.mkv", "A.mkv", "a.mp4"))
    job_folder(small).parent.mkdir()
    films = BesideFilms(tmp_path, small, capital, other)
    films.run(capital, "of A.mkv")
    of_small = films.run(small, "of a.mkv")  # in a folder with a part of its digest
    assert of_small.folder != job_folder(small)

    of_other = films.run(other, "of a.mp4")

    job = read_job(of_small.folder)
    assert job
    assert job.media == str(small)
    assert [path.read_text(encoding="utf-8") for path in of_small.files] == ["of a.mkv"]
    assert [path.read_text(encoding="utf-8") for path in of_other.files] == ["of a.mp4"]


def test_subtitles_lie_beside_the_film_where_the_folder_of_records_is_a_link(tmp_path: Path) -> None:
    film = film_at(tmp_path / "films" / "film.mkv")
    records = tmp_path / "records" / "of films"
    records.mkdir(parents=True)
    (film.parent / ".reel").symlink_to(records)
    foreign = records.parent / "film.en.srt"
    foreign.write_text("of another user, and not beside the film", encoding="utf-8")

    published = BesideFilms(tmp_path, film).run(film, "made", replace=True)

    assert published.files == (film.parent / "film.en.srt",)
    assert published.files[0].read_text(encoding="utf-8") == "made"
    assert foreign.read_text(encoding="utf-8") == "of another user, and not beside the film"
    assert (records / "film.mkv" / JOB).is_file()


def test_a_file_that_is_gone_is_not_told_as_kept(tmp_path: Path) -> None:
    film = film_at(tmp_path / "films" / "film.mkv")
    films, theirs = BesideFilms(tmp_path, film), film.with_suffix(".en.srt")
    theirs.write_text("of the user", encoding="utf-8")
    assert films.run(film, "made").theirs == (theirs,)
    theirs.unlink()

    again = films.run(film, "made")

    assert again.files == (film.with_suffix(".reel.en.srt"),), "it keeps its name"
    assert not again.theirs
    assert not again.renamed


def test_on_a_full_disk_the_way_out_is_room(tmp_path: Path) -> None:
    full, closed = (
        unwritable(tmp_path, OSError(number, os.strerror(number))) for number in (errno.ENOSPC, errno.EROFS)
    )
    assert "free some space there" in str(full.hint)
    assert "free some space there" not in str(closed.hint)


@pytest.mark.parametrize("length", [237, 244, 248])
def test_a_name_that_the_disk_takes_beside_the_film_is_not_cut(tmp_path: Path, length: int) -> None:
    film = film_at(tmp_path / "films" / f"{'x' * length}.mkv")
    published = BesideFilms(tmp_path, film).run(film, "made")
    assert published.files == (film.with_suffix(".en.srt"),)
    assert not published.shortened


def test_what_a_killed_job_had_yet_to_take_away_is_still_reels(tmp_path: Path) -> None:
    film = film_at(tmp_path / "out" / "film" / "film.mp4")
    film_at(film.with_name("film.mkv"))
    film_at(film.with_name("theirs.mkv"))
    job = Job(
        media=str(film), media_sha256="1" * 64, recipe="r", profile="p", files={"film.en.txt": "2" * 64},
        earlier={"film.mkv": ("3" * 64,), "film.en.srt": ("4" * 64,)}, steps={}, licences={},
    )  # fmt: skip
    job.write(film.parent / JOB)

    found = {Path(entry.path).name for entry in FolderWalk().media(str(tmp_path / "out"))}

    assert found == {"film.mp4", "theirs.mkv"}
    assert own_names(film.parent, ()) == {alike(name) for name in ("film.en.txt", "film.mkv", "film.en.srt")}


def test_a_record_that_a_person_has_changed_costs_no_run(tmp_path: Path) -> None:
    film = film_at(tmp_path / "films" / "film.mkv")
    films = BesideFilms(tmp_path, film)
    folder = films.run(film, "made").folder
    job = read_job(folder)
    assert job
    for origins, steps in (({"gone.srt": "other.files"}, job.steps), ({"../../film.en.srt": "other.files"}, {})):
        job.model_copy(update={"origins": origins, "steps": steps}).write(folder / JOB)
        published = films.run(film, "made", failing=True)
        assert [path.read_text(encoding="utf-8") for path in published.files] == ["made"]


@pytest.mark.parametrize("name", ["a\0b", "x" * 400, "../../" + "x" * 400, "\u0915" * 100])
def test_a_record_with_a_name_that_no_file_can_have_costs_no_run(tmp_path: Path, name: str) -> None:
    film = film_at(tmp_path / "films" / "film.mkv")
    films = BesideFilms(tmp_path, film)
    folder = films.run(film, "made").folder
    job = read_job(folder)
    assert job
    job.model_copy(update={"files": {**job.files, name: "0" * 64}, "origins": {name: "step.files"}}).write(folder / JOB)

    assert not changed_files(folder, (), films.store)
    assert [path.read_text(encoding="utf-8") for path in films.run(film, "made again").files] == ["made again"]


def test_a_record_whose_media_file_has_a_name_that_cannot_be_is_none(tmp_path: Path) -> None:
    film = film_at(tmp_path / "films" / "film.mkv")
    folder = BesideFilms(tmp_path, film).run(film, "made").folder
    job = read_job(folder)
    assert job
    job.model_copy(update={"media": "/a\0b/film.mkv"}).write(folder / JOB)
    assert read_job(folder) is None


def test_a_folder_that_a_killed_process_has_left_keeps_nothing_from_being_published(tmp_path: Path) -> None:
    left = temporary_name(tmp_path)
    left = left.with_name(left.name.replace(f"-{left.name.split('-')[2]}-", "-999999999-"))
    left.mkdir()
    sweep(tmp_path)
    assert not left.exists()
