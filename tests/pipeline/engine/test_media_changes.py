"""A result belongs to the content that its key names, even if the media file changes during the run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import MediaChanged
from pipeline.engine.batch import BatchResult, run_batch
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.store.media_file import identity_of, read_media
from pipeline.store.results import StoredResult
from shared.files import sha256_of

BEFORE, AFTER = b"the film as it was" * 50, b"quite another film" * 50
READERS = ("demux", "shots", "mux")  # the steps of the recipe that read the media file


def rename_over(film: Path) -> None:
    """Put another file in its place, as a download manager does."""
    other = film.with_name("other")
    other.write_bytes(AFTER)
    os.replace(other, film)


def write_into(film: Path) -> None:
    """Write other content into the same file."""
    with open(film, "rb+") as stream:
        stream.write(AFTER)


def swap_unseen(film: Path) -> None:
    """Write other content of the same length, and set the time of modification back."""
    status = film.stat()
    write_into(film)
    os.utime(film, ns=(status.st_atime_ns, status.st_mtime_ns))


def cut(film: Path) -> None:
    """Cut the end off."""
    os.truncate(film, len(BEFORE) // 2)


def grow(film: Path) -> None:
    """Append, as a copy does that is still going on."""
    with open(film, "ab") as stream:
        stream.write(b"more")


def point_elsewhere(film: Path) -> None:
    """Make it a link to another film."""
    other = film.with_name("elsewhere.bin")
    other.write_bytes(AFTER)
    film.unlink()
    film.symlink_to(other)


def remove(film: Path) -> None:
    """Delete it."""
    film.unlink()


def become_folder(film: Path) -> None:
    """Put a folder in its place."""
    film.unlink()
    film.mkdir()


def become_pipe(film: Path) -> None:
    """Put a pipe in its place, which nothing ever writes to."""
    film.unlink()
    os.mkfifo(film)


CHANGES = [rename_over, write_into, swap_unseen, cut, grow, point_elsewhere, remove, become_folder, become_pipe]


class Meddler:
    """Changes a film as soon as a step of it begins or ends; the actions are given by item name and step."""

    def __init__(
        self,
        acts: Mapping[tuple[str, str], Callable[[], object]],
        when: type[events.StepStarted | events.StepDone] = events.StepStarted,
    ) -> None:
        self.events: list[events.Event] = []
        self._acts, self._when = acts, when

    def __call__(self, event: events.Event) -> None:
        self.events.append(event)
        if isinstance(event, self._when) and (act := self._acts.get((event.item, event.step))):
            act()

    def codes(self, item: str) -> list[str]:
        return [event.code for event in self.events if isinstance(event, events.StepFailedEvent) and event.item == item]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    place = tmp_path / "films" / "film.mkv"
    place.parent.mkdir()
    place.write_bytes(BEFORE)
    return place


def run(project: Project, film: Path, emit: Callable[[events.Event], None] = lambda event: None) -> BatchResult:
    return run_batch([Request(film)], project, emit)


def stored(project: Project, digest: str) -> set[str]:
    """Return the stages whose stored result has read the content with this digest itself."""
    found = (StoredResult.read(path) for path in project.store.manifests())
    return {str(one.ingredients["stage"]) for one in found if digest in json.dumps(one.ingredients["inputs"])}


def make_films(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return a folder with a film of its own for each name, all of one length."""
    films = {name: folder / name / f"{name}.mkv" for name in names}
    for number, film in enumerate(films.values()):
        film.parent.mkdir()
        film.write_bytes(BEFORE + b"%03d" % number)
    return films


def test_a_film_that_changes_during_a_step_is_neither_stored_nor_published(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project(stub=True)
    cases = {f"{change.__name__}-{step}": (change, step) for change in CHANGES for step in READERS}
    films = make_films(tmp_path, cases)
    digests = {name: sha256_of(film) for name, film in films.items()}
    acts = {(f"{name}.mkv", step): partial(change, films[name]) for name, (change, step) in cases.items()}
    meddler = Meddler(acts)
    for item in run_batch([Request(film) for film in films.values()], project, meddler).items:
        name = item.media.stem
        assert (name, item.state, item.published) == (name, "failed", None)
        assert item.error
        assert (item.error.code, item.error.exit_code) == ("media.changed", 4)
        assert str(item.media) in item.error.message
        assert meddler.codes(item.name) == ["media.changed"]
        assert cases[name][1] not in stored(project, digests[name])
    assert not list((project.folders.results / "staging").glob("*"))
    assert not project.folders.output.exists()


def test_a_film_that_changes_between_two_readings_is_not_published(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project(stub=True, recipe="transcribe")
    films = make_films(tmp_path, [change.__name__ for change in CHANGES])
    kept = {name: film.read_bytes() for name, film in films.items()}
    acts = {(f"{change.__name__}.mkv", "demux"): partial(change, films[change.__name__]) for change in CHANGES}
    requests = [Request(film) for film in films.values()]
    for item in run_batch(requests, project, Meddler(acts, events.StepDone)).items:
        assert item.error, item.name
        assert item.error.code == "media.changed"
    assert not project.folders.output.exists()
    for name, film in films.items():
        if film.is_dir():
            film.rmdir()
        film.unlink(missing_ok=True)
        film.write_bytes(kept[name])
    again = run_batch(requests, project, lambda event: None).items
    assert {item.state for item in again} == {"reused"}, "what was read before the change is right, and kept"


def test_a_film_that_disappears_before_its_first_step_fails_alone(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    films = make_films(tmp_path, ["gone", "stays"])

    def go(event: events.Event) -> None:
        if isinstance(event, events.ItemStarted):
            films["gone"].unlink(missing_ok=True)

    result = run_batch([Request(film) for film in films.values()], make_project(stub=True, recipe="transcribe"), go)
    assert {item.media.stem: item.error and item.error.code for item in result.items} == {
        "gone": "media.changed", "stays": None
    }  # fmt: skip


def test_the_next_run_processes_the_replaced_content(make_project: Callable[..., Project], film: Path) -> None:
    project = make_project(stub=True)
    run(project, film, Meddler({("film.mkv", "mux"): lambda: rename_over(film)}))
    (item,) = run(project, film).items
    assert item.state == "done"
    assert json.loads((project.folders.output / "film" / "job.json").read_text(encoding="utf-8"))[
        "media_sha256"
    ] == sha256_of(film)


def test_a_touch_without_a_change_costs_only_another_reading(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    touches: dict[str, Callable[[Path], object]] = {
        "chmod": lambda film: film.chmod(0o600),
        "link": lambda film: os.link(film, film.with_name("link")),
        "touch": Path.touch,
    }
    project, films, touched = make_project(stub=True, recipe="transcribe"), make_films(tmp_path, touches), set[str]()

    def once(name: str) -> None:
        if name not in touched:
            touched.add(name)
            touches[name](films[name])

    meddler = Meddler({(f"{name}.mkv", "demux"): partial(once, name) for name in touches})
    for item in run_batch([Request(film) for film in films.values()], project, meddler).items:
        assert item.state == "done"
        begun = [one for one in meddler.events if isinstance(one, events.StepStarted) and one.item == item.name]
        assert [one.step for one in begun].count("demux") == 2
    assert sum(isinstance(one, events.Notice) and "runs again" in one.text for one in meddler.events) == len(films)


def test_a_film_that_was_briefly_replaced_is_read_again(make_project: Callable[..., Project], film: Path) -> None:
    project, hidden = make_project(stub=True, recipe="transcribe"), film.with_name("hidden")

    def there_and_back() -> None:
        os.replace(film, hidden)
        film.write_bytes(AFTER)
        os.replace(hidden, film)

    meddler = Meddler({("film.mkv", "demux"): there_and_back})
    (item,) = run(project, film, meddler).items
    assert item.error
    assert item.error.code == "media.changed", "it is another at each of the readings"
    assert "demux" not in stored(project, sha256_of(film))


def test_an_equal_film_does_not_fail_with_the_changed_one(make_project: Callable[..., Project], film: Path) -> None:
    project, twin = make_project(stub=True, recipe="transcribe"), film.with_name("twin.mkv")
    shutil.copyfile(film, twin)
    changed: list[bool] = []

    def change() -> None:
        if not changed:
            rename_over(film)
            changed.append(True)

    result = run_batch(
        [Request(film), Request(twin)], project, Meddler({(name, "demux"): change for name in ("film.mkv", "twin.mkv")})
    )
    assert {item.name: item.state for item in result.items} == {"film.mkv": "failed", "twin.mkv": "done"}


@pytest.mark.slow
def test_the_next_run_notices_a_swap_that_keeps_size_and_time(make_project: Callable[..., Project], film: Path) -> None:
    project = make_project(stub=True)
    old = time.time() - 3600
    os.utime(film, (old, old))
    while not read_media(film).settled:  # the system keeps the time of the last change
        time.sleep(0.1)
    run(project, film)
    assert project.store.known_media(film)
    swap_unseen(film)
    assert project.store.known_media(film) is None
    (item,) = run(project, film).items
    assert item.state == "done"


def test_a_file_that_grows_while_it_is_hashed_is_reported_as_incomplete(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(b"x" * (64 << 20))
    script = 'while [ ! -e "$1/stop" ]; do echo more >> "$1/film.mkv"; done'
    with subprocess.Popen(["sh", "-c", script, "sh", tmp_path]) as writer:
        try:
            before = film.stat().st_size
            while film.stat().st_size == before:
                pass
            with pytest.raises(MediaChanged) as caught:
                read_media(film)
        finally:
            (tmp_path / "stop").touch()
    assert writer.returncode == 0
    assert caught.value.code == "media.changed"
    assert "changed while it was read" in caught.value.message
    assert "still being copied" in (caught.value.hint or "")


def test_a_changed_inode_on_a_network_disk_is_not_a_change(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(BEFORE)
    media = read_media(film)
    seen = media.identity
    media.identity = type(seen)(seen.device + 1, seen.inode + 1, seen.size, seen.modified_ns, seen.changed_ns)
    assert media.verify() == 0
    assert media.identity == identity_of(film.stat())
