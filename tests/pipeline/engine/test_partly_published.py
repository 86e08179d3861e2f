"""A failed step costs its own files and those that depend on it; everything else is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.base import events
from pipeline.base.errors import MediaChanged, ReelError, StepFailed
from pipeline.cli.batch_output import result_of, summary
from pipeline.engine.batch import BatchResult, run_batch
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.workers.dispatcher import Dispatcher, StepJob


@pytest.fixture
def film(tmp_path: Path) -> Path:
    film = tmp_path / "film.mp4"
    film.write_text("a film", encoding="utf-8")
    return film


@pytest.fixture
def run(
    make_project: Callable[..., Project], film: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[BatchResult, list[events.Event]]]:
    """Run the film on stub stages; the steps named in `failing` raise what is given for them."""
    whole = Dispatcher.run

    def run(failing: dict[str, ReelError], **settings: Any) -> tuple[BatchResult, list[events.Event]]:
        async def faulty(self: Dispatcher, job: StepJob) -> Any:
            if job.step.id in failing:
                raise failing[job.step.id]
            return await whole(self, job)

        monkeypatch.setattr(Dispatcher, "run", faulty)
        emitted: list[events.Event] = []
        return run_batch([Request(film)], make_project(stub=True, **settings), emitted.append), emitted

    return run


def published(film: Path) -> set[str]:
    folder = film.parent / "out" / "film"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def job(film: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((film.parent / "out" / "film" / "job.json").read_text(encoding="utf-8"))
    return found


FAILED = StepFailed("mux.failed", "the disk is on fire")
WITHOUT_FILM = {
    "film.en.srt", "film.en.vtt", "film.en.quality.json", "film.de.srt", "film.de.vtt", "film.de.quality.json",
    "transcript.json", "speakers.rttm", "removed.json", "job.json", "report.html",
}  # fmt: skip


def test_subtitles_are_published_if_muxing_fails(run: Any, film: Path) -> None:
    result, emitted = run({"mux": FAILED}, to=["de"])
    assert published(film) == WITHOUT_FILM
    (item,) = result.items
    assert (item.state, dict(item.missing)) == ("failed", {"mux.video": "mux.failed"})
    assert job(film)["missing"] == {"mux.video": "mux.failed"}
    command = result_of(result)
    assert command.exit_code == 1
    assert "out/film/film.en.srt" in command.text
    assert "published without mux: the disk is on fire [mux.failed]" in summary(result)
    assert any(isinstance(one, events.Notice) and "published without the results of mux" in one.text for one in emitted)

    result, _ = run({}, to=["de"])  # the receipt does not call it finished, and only the film is made
    assert [(one.state, one.steps_run) for one in result.items] == [("done", 1)]
    assert published(film) == {*WITHOUT_FILM, "film.mkv"}
    assert "missing" not in job(film)


def test_a_failed_translation_does_not_affect_another(run: Any, film: Path) -> None:
    refused = StepFailed("translate.untranslated", "no")
    result, _ = run({"translate:de": refused}, to=["de", "pt"])
    names = published(film)
    assert not {name for name in names if ".de." in name}
    assert {"film.en.srt", "film.pt.srt", "film.mkv"} <= names
    missing = {"subtitle-translated:de.files": refused.code, "subtitle-translated:de.report": refused.code}
    assert dict(result.items[0].missing) == missing


def test_a_changed_media_file_is_not_published(run: Any, film: Path) -> None:
    result, _ = run({"shots": MediaChanged("media.changed", "it changed")})
    assert published(film) == set()
    assert result.items[0].error.code == "media.changed"


def test_a_failed_run_leaves_published_files_alone(run: Any, film: Path) -> None:
    run({}, to=["de"])
    before = {path.name: path.read_bytes() for path in (film.parent / "out" / "film").iterdir()}
    film.write_text("another film", encoding="utf-8")
    run({"demux": FAILED})
    assert {path.name: path.read_bytes() for path in (film.parent / "out" / "film").iterdir()} == before


def test_the_earlier_file_of_a_failed_step_stays_while_it_is_correct(run: Any, film: Path) -> None:
    run({}, to=["de"])
    for path in (film.parent / "results" / "manifests").glob("*/*.json"):
        path.unlink()  # the results are gone, as after `runs prune`
    (film.parent / "out" / "film" / "film.en.srt").unlink()
    result, _ = run({"mux": FAILED}, to=["de"])
    assert dict(result.items[0].missing) == {"mux.video": "mux.failed"}
    assert "film.mkv" in published(film), "the same job has made it of the same film"
    assert "film.mkv" in job(film)["files"]
    film.write_text("another film", encoding="utf-8")
    run({"mux": FAILED}, to=["de"])
    assert "film.mkv" not in published(film), "it shows what the film was before"
