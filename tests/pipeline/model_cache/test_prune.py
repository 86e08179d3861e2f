"""Prune finds what may be deleted, with the reason; it keeps what is needed, young or in use."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.model_cache.fetch_lock import MARK
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.upkeep.prune import KEEP_UNFINISHED_S, Surplus, delete, find_surplus, repositories
from tests.fakes.models import ALIGNER, LOCKED, WHISPER, fill, tree

EVERYTHING = set(LOCKED)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return fill(tmp_path / "cache")


def _file(path: Path, size: int, *, old: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    if old:
        _age(path)
    return path


def _age(path: Path) -> None:
    then = time.time() - KEEP_UNFINISHED_S - 60
    os.utime(path, (then, then))


def test_of_a_cache_that_holds_what_is_needed_nothing_may_go(cache: Path) -> None:
    assert find_surplus(cache, LOCKED, EVERYTHING) == []


def test_a_cache_that_is_not_there_has_nothing_to_give(tmp_path: Path) -> None:
    assert find_surplus(tmp_path / "none", LOCKED, EVERYTHING) == []


def test_a_model_that_no_profile_needs_goes_whole(cache: Path) -> None:
    root = layout_of(cache, "aligner", LOCKED["aligner"]).root
    size = len(ALIGNER["aligner.pt"]) + 1  # and the reference
    found = find_surplus(cache, LOCKED, {"whisper"})
    assert found == [Surplus(root, "the model aligner, which no profile needs", size)]
    delete(found[0])
    assert not root.exists()
    assert find_surplus(cache, LOCKED, {"whisper"}) == []


def test_a_model_that_reel_fetched_under_a_name_that_the_lock_has_lost_goes_too(cache: Path) -> None:
    for root, size in ((cache / "huggingface/hub/models--a--b", 5), (cache / "models/formerly", 7)):
        _file(root / "blobs/x", size)
        _file(root / MARK, 0)
    found = find_surplus(cache, LOCKED, EVERYTHING)
    assert [(surplus.path.name, surplus.bytes) for surplus in found] == [("models--a--b", 5), ("formerly", 7)]
    assert {surplus.reason for surplus in found} == {"no model of this project"}


def test_models_that_another_program_put_into_a_shared_cache_stay(cache: Path) -> None:
    _file(cache / "huggingface/hub/models--a--b/blobs/x", 5, old=True)
    (layout_of(cache, "whisper", LOCKED["whisper"]).root / MARK).unlink()
    assert find_surplus(cache, LOCKED, {"aligner"}) == []
    assert layout_of(cache, "aligner", LOCKED["aligner"]).root in repositories(cache)


def test_other_revisions_and_blobs_that_nothing_leads_to_go_and_the_model_stays_whole(cache: Path) -> None:
    layout = layout_of(cache, "whisper", LOCKED["whisper"])
    older = _file(layout.root / "blobs" / ("e" * 40), 9)
    link = layout.root / "snapshots" / ("f" * 40) / "config.json"
    link.parent.mkdir()
    link.symlink_to(older)
    kept = tree(layout.snapshot)
    found = find_surplus(cache, LOCKED, EVERYTHING)
    assert [(surplus.path, surplus.bytes) for surplus in found] == [(link.parent, 0), (older, 9)]
    assert found[0].reason.startswith("another revision than 0123456789ab")
    for surplus in found:
        delete(surplus)
    assert tree(layout.snapshot) == kept
    assert (layout.snapshot / "config.json").read_bytes() == WHISPER["config.json"]


def test_a_file_of_the_snapshot_that_the_lock_does_not_hold_keeps_its_blob(cache: Path) -> None:
    layout = layout_of(cache, "whisper", LOCKED["whisper"])
    blob = _file(layout.root / "blobs" / ("e" * 40), 9)
    (layout.snapshot / "README.md").symlink_to(blob)
    assert find_surplus(cache, LOCKED, EVERYTHING) == []


def test_what_a_transfer_left_half_done_goes_after_a_day_and_not_before(cache: Path) -> None:
    blobs = layout_of(cache, "whisper", LOCKED["whisper"]).root / "blobs"
    young = [_file(blobs / "a.part", 3), _file(blobs / "b.12345678.incomplete", 4)]
    assert find_surplus(cache, LOCKED, EVERYTHING) == []
    for path in young:
        _age(path)
    assert [surplus.path for surplus in find_surplus(cache, LOCKED, EVERYTHING)] == young


def test_the_folders_of_interrupted_imports_fetches_and_transfers_go_after_a_day(cache: Path) -> None:
    folders = [
        cache / "import-abc", layout_of(cache, "whisper", LOCKED["whisper"]).root / "wheels-abc",
        cache / "huggingface" / "xet",
    ]  # fmt: skip
    for folder in folders:
        _file(folder / "blobs" / "x", 6)
    assert find_surplus(cache, LOCKED, EVERYTHING) == []
    for folder in folders:
        _age(folder)
    assert {surplus.path for surplus in find_surplus(cache, LOCKED, EVERYTHING)} == set(folders)


def test_what_has_a_second_name_elsewhere_frees_nothing(cache: Path, tmp_path: Path) -> None:
    blob = _file(cache / "models/formerly/blobs/x", 7)
    _file(cache / "models/formerly" / MARK, 0)
    os.link(blob, tmp_path / "elsewhere")
    assert [surplus.bytes for surplus in find_surplus(cache, LOCKED, EVERYTHING)] == [0]
