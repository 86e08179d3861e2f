"""A damaged content in the store is never published, and no step uses it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base import events
from pipeline.engine.batch import run_batch
from pipeline.engine.item import ItemResult
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.publishing.publish import PublishedFiles, publish
from pipeline.store.results import StoredResult
from shared.files import sha256_of

pytestmark = pytest.mark.slow  # a run or a process after the other

RUNS = int(os.environ.get("ROT_RUNS", "10"))  # 200 take some minutes
_CHANGES: tuple[Mapping[str, JsonValue], ...] = ({}, {"stages.diarize.num_speakers": 3}, {"to": ["pt"]})


@pytest.fixture
def film(tmp_path: Path) -> Path:
    place = tmp_path / "film.mp4"
    place.write_bytes(b"a film")
    return place


def run(project: Project, film: Path, overrides: Mapping[str, JsonValue] | None = None) -> tuple[ItemResult, list[str]]:
    """Return the result of the film, and the notices."""
    emitted: list[events.Event] = []
    (item,) = run_batch([Request(film, overrides or {})], project, emitted.append).items
    return item, [event.text for event in emitted if isinstance(event, events.Notice)]


def objects(project: Project) -> list[Path]:
    return sorted(path for path in (project.folders.results / "objects").glob("*/*") if path.stat().st_size)


def flip(place: Path, chance: random.Random) -> None:
    """Change one bit, as a disk does: no time of the file changes."""
    status = place.stat()
    content = bytearray(place.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    place.chmod(0o644)
    place.write_bytes(content)
    place.chmod(0o444)
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))


def published(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def of_stage(project: Project, stage: str) -> list[Path]:
    """Return the contents that steps of a stage have made."""
    results = [StoredResult.read(path) for path in project.store.manifests()]
    files = [file for one in results if one.ingredients["stage"] == stage for file in one.files if file.size]
    return [project.store.path(file) for file in files]


@pytest.mark.slow
def test_flipped_bits_are_neither_published_nor_used(make_project: Callable[..., Project], film: Path) -> None:
    # Without a report: it names each content that is gone, also those that no published file needs.
    project, chance = make_project(stub=True, report=False), random.Random(RUNS)
    folder = project.folders.output / "film"
    expected = []
    for change in _CHANGES:
        assert run(project, film, change)[0].state == "done"
        expected.append(published(folder))
    repaired = 0
    for number in range(RUNS):
        for place in chance.sample(objects(project), chance.randint(1, 4)):
            flip(place, chance)
        if chance.random() < 0.8:
            shutil.rmtree(folder, ignore_errors=True)
        which = chance.randrange(len(_CHANGES))
        item, notices = run(project, film, _CHANGES[which])
        assert not item.error, f"run {number}: {item.error}"
        assert published(folder) == expected[which], f"run {number}"
        repaired += sum("was damaged and has been removed" in text for text in notices)
    assert repaired


@pytest.mark.parametrize("made_again_by_then", [False, True])
def test_a_content_removed_during_publishing_is_made_again(
    make_project: Callable[..., Project], film: Path, monkeypatch: pytest.MonkeyPatch, made_again_by_then: bool
) -> None:
    project = make_project(stub=True)
    run(project, film)
    expected, folder = published(project.folders.output / "film"), project.folders.output / "film"
    shutil.rmtree(folder)
    [*_, content] = of_stage(project, "subtitle")
    whole = content.read_bytes()

    def racing(*given: object) -> PublishedFiles:
        if content.exists() and not folder.exists():
            content.unlink()
            try:
                return publish(*given)  # type: ignore[arg-type]
            finally:
                if made_again_by_then:
                    content.write_bytes(whole)
        return publish(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.engine.item.publish", racing)
    item, _ = run(project, film)
    assert not item.error
    assert {**published(folder), "job.json": b""} == {**expected, "job.json": b""}


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("demux", {"stages.asr.beam_size": 2}),
        ("vad", {"stages.diarize.num_speakers": 2}),
        ("clean", {"stages.subtitle.songs": "skip"}),
    ],
)
def test_a_damaged_input_is_made_again_before_a_step_uses_it(
    make_project: Callable[..., Project], film: Path, stage: str, change: Mapping[str, JsonValue]
) -> None:
    project = make_project(stub=True)
    run(project, film)
    damaged = of_stage(project, stage)
    for place in damaged:
        flip(place, random.Random(3))
    item, notices = run(project, film, change)
    assert not item.error
    assert any("was damaged and has been removed" in text for text in notices)
    read = [place for place in damaged if sha256_of(place) == place.name]
    assert read, "what the step was given is whole again"


def test_a_damaged_published_file_is_replaced_from_the_store_or_made_again(
    make_project: Callable[..., Project], film: Path
) -> None:
    project = make_project(stub=True)
    run(project, film)
    expected = published(project.folders.output / "film")
    for place in of_stage(project, "subtitle"):
        flip(place, random.Random(4))
    shutil.rmtree(project.folders.output)
    item, notices = run(project, film)
    assert item.state == "done"
    assert published(project.folders.output / "film") == expected
    assert any("was damaged and has been removed" in text for text in notices)


def test_a_disk_that_damages_everything_is_reported_and_nothing_is_published(
    make_project: Callable[..., Project], film: Path
) -> None:
    project = make_project(stub=True)
    run(project, film)
    shutil.rmtree(project.folders.output)
    emitted: list[events.Event] = []

    def rot(event: events.Event) -> None:
        emitted.append(event)
        if isinstance(event, events.StepDone) or not any(isinstance(one, events.StepReused) for one in emitted[:-1]):
            for place in of_stage(project, "subtitle"):
                flip(place, random.Random(len(emitted)))

    (item,) = run_batch([Request(film)], project, rot).items
    assert item.error
    assert item.error.code == "results.content"
    assert "damaged again" in item.error.message
    assert [event.code for event in emitted if isinstance(event, events.StepFailedEvent)] == ["results.content"]


def test_a_damaged_glossary_in_the_store_is_written_again(
    make_project: Callable[..., Project], film: Path, tmp_path: Path
) -> None:
    glossary = tmp_path / "terms.csv"
    glossary.write_text("source,pt\nHarbour,Porto\n", encoding="utf-8")
    project = make_project(stub=True, glossary=str(glossary), to=["pt"])
    run(project, film)
    place = project.store.object_path(sha256_of(glossary))
    assert place.exists()
    flip(place, random.Random(5))
    item, _ = run(project, film, {"stages.translate.num_beams": 4})
    assert not item.error
    assert sha256_of(place) == place.name


def test_a_damaged_correction_is_reported_and_not_used(make_project: Callable[..., Project], film: Path) -> None:
    project = make_project(stub=True)
    run(project, film)
    subtitles = project.folders.output / "film" / "film.en.srt"
    subtitles.write_text("1\n00:00:00,500 --> 00:00:01,500\nmy own words\n", encoding="utf-8")
    run_batch([Request(film)], project, lambda event: None, continuing=True)
    kept = [
        path
        for path in (project.folders.results / "edits").glob("*/*")
        if "my own words" in path.read_text(encoding="utf-8")
    ]
    assert kept
    for place in kept:
        flip(place, random.Random(6))
    shutil.rmtree(project.folders.output)
    item, _ = run(project, film, {"stages.subtitle.line_length": 30})
    assert item.error
    assert item.error.code == "edits.damaged"
    assert "film.en.srt" in item.error.message
    assert not subtitles.exists()


def test_irreparable_damage_fails_its_item_alone(make_project: Callable[..., Project], film: Path) -> None:
    project, twin = make_project(stub=True), film.with_name("other.mp4")
    twin.write_bytes(b"another film")
    run(project, film)
    for place in of_stage(project, "demux"):
        flip(place, random.Random(7))
    failed: list[str] = []

    def replace(event: events.Event) -> None:
        if isinstance(event, events.StepStarted) and (event.item, event.step) == (film.name, "demux"):
            film.write_bytes(b"a film that came in its place")
        if isinstance(event, events.StepFailedEvent):
            failed.append(event.code)

    requests = [Request(one, {"stages.asr.beam_size": 2}) for one in (film, twin)]
    first, second = run_batch(requests, project, replace).items
    assert first.error
    assert first.error.code == "media.changed"
    assert failed == ["media.changed"]
    assert second.state == "done"
