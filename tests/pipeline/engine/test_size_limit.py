"""The results stay below the size limit: those of finished jobs are deleted during the run, needed ones are kept."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import UsageError
from pipeline.engine.batch import BatchResult, run_batch
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.engine.size_limit import SizeLimit, held_bytes, limit_of
from pipeline.plan.registry import STAGES
from pipeline.store.fetched_media import FOLDER, RECORD
from pipeline.store.media_file import read_media
from pipeline.store.pinned import pin
from tests.fakes import padded

pytestmark = pytest.mark.slow  # a run or a process after the other

MB = 10**6
FILMS = int(os.environ.get("LIBRARY_FILMS", "60"))  # 1000 take some minutes
_SOUND, _COPY = 2 * MB, 3 * MB
_RECIPE = f"""summary = "a film with much behind it"
publish = [{{ file = "film.large", as = "{{name}}.mkv" }}, {{ file = "text.text", as = "{{name}}.txt" }}]
[steps.sound]
stage = "padded"
inputs = {{ media = "media" }}
params = {{ size = {_SOUND} }}
[steps.text]
stage = "padded"
inputs = {{ media = "sound.large" }}
params = {{ size = 1000 }}
[steps.film]
stage = "padded"
inputs = {{ media = "sound.large" }}
params = {{ size = {_COPY} }}
"""


@pytest.fixture
def padded_project(
    make_project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Project]:
    monkeypatch.setitem(STAGES, "padded", padded.STAGE)
    (tmp_path / "padded.toml").write_text(_RECIPE, encoding="utf-8")
    recipe = str(tmp_path / "padded.toml")
    return lambda limit: make_project(stub=True, recipe=recipe, results_limit=limit, look_ahead=3)


def make_films(folder: Path, count: int) -> list[Request]:
    folder.mkdir()
    films = [folder / f"film{number:04d}.mkv" for number in range(count)]
    for film in films:
        film.write_text(film.stem, encoding="utf-8")
    return [Request(film) for film in films]


def run(
    project: Project, films: Sequence[Request], emit: Callable[[events.Event], None] = lambda event: None
) -> BatchResult:
    return run_batch(films, project, emit)


def size(project: Project) -> int:
    found = 0
    for folder, _, names in os.walk(project.folders.results / "objects"):
        for name in names:
            try:
                found += (Path(folder) / name).stat().st_size
            except FileNotFoundError:
                continue
    return found


def stages_run(result: BatchResult) -> int:
    return sum(item.steps_run for item in result.items)


def test_a_library_larger_than_the_limit_completes(padded_project: Callable[[str], Project], tmp_path: Path) -> None:
    project, films, most = padded_project("20MB"), make_films(tmp_path / "films", FILMS), [0]

    def watch(event: events.Event) -> None:
        if isinstance(event, events.StepDone):
            most.append(size(project))

    result = run(project, films, watch)
    assert {item.state for item in result.items} == {"done"}
    at_work = 3 * (_SOUND + _COPY + 1000)
    assert max(most) <= 20 * MB + 2 * at_work, "the limit, what is at work, and what ended just now"
    assert size(project) <= 20 * MB
    assert len(list(project.folders.output.glob("*/*.mkv"))) == FILMS
    again = run(project, films)
    assert {item.state for item in again.items} == {"reused"}
    assert stages_run(again) == 0, "everything is published, so no result is needed"
    published = {path for path in project.folders.output.rglob("*") if path.suffix == ".txt"}
    assert len(published) == FILMS
    shutil.rmtree(project.folders.output / "film0000")
    (film,) = run(project, films[:1]).items
    assert film.state == "done", "what has left can be made again"
    assert (project.folders.output / "film0000" / "film0000.mkv").stat().st_size == _COPY


def test_large_intermediate_results_are_deleted_before_texts_and_published_files(
    padded_project: Callable[[str], Project], tmp_path: Path
) -> None:
    project, films = padded_project("10MB"), make_films(tmp_path / "films", 8)
    run(project, films)
    for film in films:
        shutil.rmtree(project.folders.output / film.media.stem)
    per_film = [item.steps_run for item in run(padded_project("none"), films).items]
    assert max(per_film) == 2, "the sound and the film are made again, and the text never"


def test_results_of_later_items_are_kept(padded_project: Callable[[str], Project], tmp_path: Path) -> None:
    films = make_films(tmp_path / "films", 12)
    half, project = films[6:], padded_project("none")

    def change(event: events.Event) -> None:
        if isinstance(event, events.StepDone) and event.step == "sound":
            (tmp_path / "films" / event.item).write_text("changed", encoding="utf-8")  # so that it is not published

    assert {item.state for item in run(project, half, change).items} == {"failed"}
    for film in half:
        film.media.write_text(film.media.stem, encoding="utf-8")
    while not all(read_media(film.media).settled for film in half):  # the times tell of a change from then on
        time.sleep(0.1)
    with project.store.open_for_writing("test"):
        for film in half:
            project.store.media(film.media)
    result = run(padded_project("15MB"), films)
    assert [item.steps_run for item in result.items] == [3] * 6 + [0] * 6


def test_a_limit_that_cannot_be_met_is_reported_once(padded_project: Callable[[str], Project], tmp_path: Path) -> None:
    project, emitted = padded_project("0.001MB"), list[events.Event]()
    result = run(project, make_films(tmp_path / "films", 6), emitted.append)
    assert {item.state for item in result.items} == {"done"}
    notices = [event.text for event in emitted if isinstance(event, events.Notice)]
    assert sum("results_limit" in text for text in notices) == 1


def test_fetched_media_files_count_and_the_longest_unused_go_unless_they_are_at_work_or_reviewed(
    padded_project: Callable[[str], Project], tmp_path: Path
) -> None:
    project = padded_project("none")
    addresses = project.folders.results / FOLDER
    films = [addresses / f"{number:016x}" / f"talk {number}.mp4" for number in range(5)]
    for number, film in enumerate(films):
        film.parent.mkdir(parents=True)
        film.write_bytes(bytes([number]) * 9 * MB)
        (film.parent / RECORD).write_text("{}", encoding="utf-8")
        os.utime(film.parent / RECORD, (number * 1000.0,) * 2)
    coming = addresses / "0123456789abcdef.coming"
    coming.mkdir()
    while not read_media(films[0]).settled:  # the time tells of a change from then on
        time.sleep(0.1)
    with project.store.open_for_writing("test"):
        pin(project.store.root, "draft", [project.store.media(films[0]).digest])
    mine = make_films(tmp_path / "films", 2)
    assert {item.state for item in run(project, mine).items} == {"done"}
    with project.store.open_for_writing("test"):
        SizeLimit("40MB", project.store, lambda event: None).keep(lambda: {films[1].parent.name})
    assert [film.exists() for film in films] == [True, True, False, False, True]
    assert coming.exists()
    assert 27 * MB <= held_bytes(project.store) <= 28 * MB
    for request in mine:
        shutil.rmtree(project.folders.output / request.media.stem)
    assert [item.steps_run for item in run(project, mine).items] == [2, 2], "texts cost more than films"
    assert {item.state for item in run(padded_project("1MB"), [Request(films[4])]).items} == {"done"}


def test_without_a_limit_no_result_is_deleted(padded_project: Callable[[str], Project], tmp_path: Path) -> None:
    project = padded_project("none")
    run(project, make_films(tmp_path / "films", 4))
    assert size(project) >= 4 * (_SOUND + _COPY)


def test_the_limit_accepts_sizes_with_units(make_project: Callable[..., Project]) -> None:
    project = make_project()
    assert limit_of("none", project.store) is None
    assert limit_of("50GB", project.store) == 50 * 10**9
    assert limit_of("1.5 gb", project.store) == 1_500_000_000
    free = shutil.disk_usage(project.folders.results.parent).free
    project.folders.results.mkdir(exist_ok=True)
    assert limit_of("auto", project.store) == pytest.approx(free / 2, rel=0.2)
    for wrong in ("", "50", "much", "-1GB"):
        with pytest.raises(UsageError, match="results_limit"):
            make_project(results_limit=wrong)
