"""Claims about publishing beside other runs, after kills and over damage."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from pipeline.base.errors import BadInput
from pipeline.plan.model import Plan, Publication, Step
from pipeline.publishing import publish as publishing
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.folders import Folders, OutputDisk
from pipeline.publishing.placing import put_copy
from pipeline.publishing.publish import FinishedJob, Rules, publish
from pipeline.publishing.record import JOB, read_job
from pipeline.store.results import ObjectDamaged, StoredResult
from tests.fakes import misbehave
from tests.fakes.models import MODELS
from tests.fakes.publisher import Publisher

_T = TypeVar("_T")
SUBTITLES, FILM, TRANSCRIPT = "{name}.{language}{kind}{suffix}", "{name}{suffix}", "transcript.json"


def publisher(root: Path, film: str = "film.mkv", content: bytes = b"a film", store: str = "one") -> Publisher:
    place = root / film
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return Publisher(root / store, place, root / "out")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def at_once(*works: Callable[[], _T]) -> list[_T]:
    """Do all of it in threads that begin together."""
    ready, done, failed = threading.Barrier(len(works)), list[_T](), list[Exception]()

    def one(work: Callable[[], _T]) -> None:
        ready.wait()
        try:
            done.append(work())
        except (OSError, AssertionError, BadInput) as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    return done


@pytest.mark.parametrize("round_", range(5))
def test_two_films_of_one_name_in_two_runs_at_once_get_a_folder_each(tmp_path: Path, round_: int) -> None:
    first = publisher(tmp_path, "a/film.mkv", b"one", "store a")
    second = publisher(tmp_path, "b/film.mkv", b"two", "store b")
    one, two = at_once(
        lambda: first.run([SUBTITLES, FILM, TRANSCRIPT], b"1"), lambda: second.run([SUBTITLES, FILM, TRANSCRIPT], b"2")
    )
    assert one.folder != two.folder
    for published in (one, two):
        assert not published.renamed
        contents = {path.read_bytes()[:1] for path in published.files}
        assert len(contents) == 1, "no folder holds files of two films"
        assert names(published.folder) == {*(path.name for path in published.files), JOB}


def test_two_runs_that_try_one_new_output_folder_are_not_in_each_others_way(tmp_path: Path) -> None:
    for number in range(200):
        folder = tmp_path / str(number) / "out" / "film"
        check = OutputDisk(try_it=True).check
        at_once(lambda: check(folder), lambda: check(folder))  # noqa: B023 - both are done when the next begins
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("round_", range(5))
def test_two_runs_for_one_film_leave_no_file_without_a_record(tmp_path: Path, round_: int) -> None:
    first, second = publisher(tmp_path, store="store a"), publisher(tmp_path, store="store b")
    at_once(lambda: first.run([SUBTITLES, FILM], b"1"), lambda: second.run([TRANSCRIPT, FILM], b"2"))
    folder = tmp_path / "out" / "film"
    job = read_job(folder)
    assert job
    assert names(folder) == {*job.files, JOB}
    assert not job.earlier


@pytest.mark.parametrize("killed_at", range(3))
def test_a_run_that_was_killed_while_it_published_leaves_nothing_that_is_taken_for_anothers(
    tmp_path: Path, killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = publisher(tmp_path)
    one.run([SUBTITLES, FILM], b"1")
    count = iter(range(9))

    def killed(*given: object, **named: object) -> bool:
        if next(count) == killed_at:
            raise KeyboardInterrupt
        return put_copy(*given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "put_copy", killed)
        with pytest.raises(KeyboardInterrupt):
            one.run([SUBTITLES, FILM, TRANSCRIPT], b"22")
    published = one.run([SUBTITLES, TRANSCRIPT], b"333")
    assert not published.renamed
    assert not published.edited
    assert names(tmp_path / "out" / "film") == {"film.en.srt", "film.en.vtt", "transcript.json", JOB}
    assert all(path.read_bytes().startswith(b"333") for path in published.files)


def test_a_published_file_that_rotted_is_replaced_and_one_that_was_edited_is_kept(tmp_path: Path) -> None:
    one = publisher(tmp_path)
    made = one.run([SUBTITLES], b"good")
    rotten, edited = made.files
    before = rotten.read_bytes()
    rotten.write_bytes(before.replace(b"g", b"f"))
    edited.write_bytes(b"better")
    again = one.run([SUBTITLES], b"good", untouched=frozenset({rotten}))
    assert rotten.read_bytes() == before
    assert again.edited == (edited,)
    assert edited.read_bytes() == b"better"


class Rotten(Publisher):
    """Publishes from a store of which every content is damaged."""

    def result(self, key: str, contents: Iterable[tuple[str, bytes]]) -> StoredResult:
        made = super().result(key, contents)
        for file in made.files:
            self.store.path(file).write_bytes(b"flipped")
        return made


def test_a_damaged_object_takes_the_place_of_no_file(tmp_path: Path) -> None:
    one = publisher(tmp_path)
    one.run([FILM], b"1")
    film = tmp_path / "out" / "film" / "film.mkv"
    before = film.read_bytes()
    with pytest.raises(ObjectDamaged):
        Rotten(tmp_path / "one", one.film, one.output).run([FILM], b"22")
    assert film.read_bytes() == before
    assert names(film.parent) == {"film.mkv", JOB}


def test_a_published_film_is_a_file_of_its_own(tmp_path: Path) -> None:
    one = publisher(tmp_path)
    (film,) = one.run([FILM], b"x" * (9 << 20)).files
    stored = {path: path.read_bytes() for path in (tmp_path / "one" / "store" / "objects").glob("*/*")}
    with open(film, "r+b") as stream:  # as mkvpropedit does
        stream.write(b"tags")
    assert {path: path.read_bytes() for path in stored} == stored


def test_a_free_name_is_kept_until_the_user_insists(tmp_path: Path) -> None:
    one = publisher(tmp_path)
    mine = tmp_path / "out" / "film" / "film.en.srt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    for content in (b"1", b"22"):
        published = one.run([SUBTITLES], content)
        assert [path.name for path in published.renamed] == ["film.reel.en.srt"]
    mine.unlink()
    assert "film.reel.en.srt" in {path.name for path in one.run([SUBTITLES], b"1").files}
    assert names(mine.parent) == {"film.reel.en.srt", "film.en.vtt", JOB}
    mine.write_text("mine", encoding="utf-8")
    one.run([SUBTITLES], b"1", replace=True)
    assert names(mine.parent) == {"film.en.srt", "film.en.vtt", JOB}
    assert mine.read_bytes().startswith(b"1")


def _ways(film: Path) -> Iterable[Path]:
    """Yield the paths by which a film may be met."""
    root = film.parent.parent
    (root / "linked").symlink_to(film.parent)
    (root / "link.mkv").symlink_to(film)
    (root / "hard.mkv").hardlink_to(film)
    yield from (film, root / "link.mkv", root / "hard.mkv", root / "linked" / film.name)
    yield film.with_name(film.name.upper())
    yield film.with_name("cafe\u0301.mkv")


def test_a_media_file_of_the_run_is_known_by_any_path(tmp_path: Path) -> None:
    film = tmp_path / "films" / "caf\u00e9.mkv"
    film.parent.mkdir()
    film.write_bytes(b"film")
    batch = BatchMedia([film])
    for path in _ways(film):
        assert path in batch, path
    other = film.with_name("other.mkv")
    other.write_bytes(b"film")
    assert other not in batch
    film.unlink()
    assert film in batch, "where it is away for a while, nothing takes its place"
    batch.add(other)
    assert other in batch


def test_trying_an_output_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    OutputDisk(try_it=True).check(tmp_path / "a" / "b" / "film")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("", encoding="utf-8")
    for try_it in (True, False):
        with pytest.raises(BadInput) as caught:
            OutputDisk(try_it=try_it).check(tmp_path / "file" / "out" / "film")
        assert caught.value.code == "publish.unwritable"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_found_by_trying_and_by_asking(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    for try_it in (True, False):
        with pytest.raises(BadInput):
            OutputDisk(try_it=try_it).check(tmp_path / "out")


def test_a_film_that_is_reached_by_a_link_to_its_folder_has_the_folder_that_it_had(tmp_path: Path) -> None:
    film = tmp_path / "films" / "film.mkv"
    one = publisher(tmp_path, "films/film.mkv")
    made = one.run([SUBTITLES], b"1")
    (tmp_path / "link").symlink_to("films")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "film.mkv").hardlink_to(film)

    by_link = Publisher(tmp_path / "one", tmp_path / "link" / "film.mkv", tmp_path / "out").run([SUBTITLES], b"1")
    hard_link = Publisher(tmp_path / "one", tmp_path / "other" / "film.mkv", tmp_path / "out").run([SUBTITLES], b"1")

    assert by_link.folder == made.folder
    assert hard_link.folder != made.folder, "two names of one file stay two"


def test_the_record_says_which_lock_each_model_is_from(tmp_path: Path) -> None:
    one = publisher(tmp_path)
    params = misbehave.MisbehaveParams(how="well")
    models = {"asr": "whisper", "other": "aligner"}
    step = Step("step0", misbehave.STAGE, "itself", misbehave.STAGE.backends["itself"], params, {}, models)
    plan = Plan("a recipe", "a profile", (step,), (Publication("step0", "files", FILM),))
    batch = BatchMedia([one.film])
    folders, names = Folders(one.output, batch), OutputDisk(try_it=True).rules(one.output, one.film)
    folder = folders.take(one.film, one.digest, names)
    rules = Rules(
        one.store, MODELS, batch, names, lambda taken: folder,
        origin=lambda model: "here" if model == "whisper" else "shipped",
    )  # fmt: skip
    publish(FinishedJob(one.film, one.digest, plan, {"step0": one.result("k", [("x.mkv", b"x")])}), folder, rules)
    job = read_job(folder)
    assert job is not None
    assert job.steps["step0"]["locked"] == {"whisper": "here", "aligner": "shipped"}
