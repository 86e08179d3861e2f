"""The deep check: it finds what sizes do not show, tells where it is, and drops no more than is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.base.errors import Locked, Missing
from pipeline.base.events import CheckFinished, CheckProgress, CheckStarted, Event
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.upkeep.verify import Problem, check_models, drop
from tests.fakes.models import CONTENTS, LOCKED, WHISPER, fill

TOTAL = sum(len(content) for files in CONTENTS.values() for content in files.values())


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return fill(tmp_path / "cache")


def _check(cache: Path) -> dict[str, list[Problem]]:
    return check_models(LOCKED, cache, LOCKED, lambda event: None)


def test_a_whole_cache_has_no_problems_and_every_byte_of_it_was_counted(cache: Path) -> None:
    events: list[Event] = []
    assert check_models(LOCKED, cache, LOCKED, events.append) == {"whisper": [], "aligner": []}
    assert events[0] == CheckStarted(TOTAL)
    assert isinstance(events[-1], CheckFinished)
    progress = [event for event in events if isinstance(event, CheckProgress)]
    assert progress[-1] == CheckProgress(TOTAL, TOTAL)
    assert [event.done_bytes for event in progress] == sorted(event.done_bytes for event in progress)


def test_each_kind_of_damage_has_a_sentence_of_its_own(cache: Path) -> None:
    snapshot = layout_of(cache, "whisper", LOCKED["whisper"]).snapshot
    weights, config = snapshot / "weights/model.bin", snapshot / "config.json"
    whole = WHISPER["weights/model.bin"]

    def sentence() -> str:
        (problem,) = _check(cache)["whisper"]
        return problem.sentence

    weights.write_bytes(b"\xff" + whole[1:])
    assert "has sha256" in sentence()
    weights.write_bytes(whole[:-1])
    assert sentence() == f"{weights} has {len(whole) - 1} bytes, expected {len(whole)}"
    weights.resolve().unlink()
    assert sentence() == f"{weights} leads nowhere"
    weights.unlink()
    assert sentence() == f"{weights} is not there"
    fill(cache, "whisper")
    config.unlink()
    config.mkdir()
    assert sentence() == f"{config} is not there"


def test_a_lost_or_moved_reference_is_a_problem_since_calls_without_a_revision_fail_by_it(cache: Path) -> None:
    layout = layout_of(cache, "whisper", LOCKED["whisper"])
    reference = layout.root / "refs" / "main"
    reference.write_text("f" * 40, encoding="utf-8")
    assert "names 'ffff" in _check(cache)["whisper"][0].sentence
    reference.unlink()
    problems = _check(cache)["whisper"]
    assert "fail offline" in problems[0].sentence
    drop(problems, cache, LOCKED)
    assert reference.read_text(encoding="utf-8") == layout.revision
    assert _check(cache)["whisper"] == []


def test_dropping_takes_what_is_wrong_and_keeps_the_rest(cache: Path) -> None:
    layout = layout_of(cache, "whisper", LOCKED["whisper"])
    (layout.snapshot / "weights/model.bin").write_bytes(b"x" * len(WHISPER["weights/model.bin"]))
    drop(_check(cache)["whisper"], cache, LOCKED)
    assert not os.path.lexists(layout.snapshot / "weights/model.bin")
    assert [path.name for path in (layout.root / "blobs").iterdir()] == [LOCKED["whisper"].files["config.json"].sha256]


def test_a_good_blob_under_a_broken_link_is_kept(cache: Path) -> None:
    layout = layout_of(cache, "whisper", LOCKED["whisper"])
    link = layout.snapshot / "config.json"
    link.unlink()
    link.symlink_to("nowhere")
    drop(_check(cache)["whisper"], cache, LOCKED)
    assert not os.path.lexists(link)
    assert layout.blob(LOCKED["whisper"].files["config.json"].sha256).read_bytes() == WHISPER["config.json"]


def test_nothing_is_dropped_while_somebody_fetches(cache: Path) -> None:
    layout = layout_of(cache, "whisper", LOCKED["whisper"])
    (layout.snapshot / "config.json").write_bytes(b"damaged!")
    with FileLock(layout.root / "fetch.lock"), pytest.raises(Locked, match="is fetching"):
        drop(_check(cache)["whisper"], cache, LOCKED)
    assert (layout.snapshot / "config.json").read_bytes() == b"damaged!"


def test_a_check_writes_nothing(cache: Path) -> None:
    before = sorted(cache.rglob("*"))
    _check(cache)
    assert sorted(cache.rglob("*")) == before


def test_a_model_whose_bytes_nobody_has_locked_is_not_verified(tmp_path: Path) -> None:
    locked = {"unlocked": LOCKED["aligner"].model_copy(update={"files": {}})}
    (problem,) = check_models(locked, tmp_path, locked, lambda event: None)["unlocked"]
    assert problem.sentence == "the lock does not know all of its files"
    drop([problem], tmp_path, locked)


def test_a_cache_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "models").write_text(
        "a file in the place of a folder, which not even root can write into", encoding="utf-8"
    )
    problem = Problem("aligner", "aligner.pt", "it is wrong")
    with pytest.raises(Missing) as caught:
        drop([problem], tmp_path, LOCKED)
    assert caught.value.code == "model.unwritable"
