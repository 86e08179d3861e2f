"""A system where nobody may make symbolic links, as Windows without a developer's rights: real files stand instead."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import HubSource, Model
from pipeline.model_cache.upkeep.prune import find_surplus
from tests.fakes.hub import Hub, serve
from tests.fakes.models import REVISION, WHISPER, lock
from tests.fakes.verified import drop_wrong_files, wrong_files

LOCKED = {"tiny": lock("org/tiny", WHISPER)}
MODELS = {"tiny": Model(summary="tiny", licence="MIT", commercial_use=True, sources=(HubSource(kind="hub"),))}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve({f"org/tiny/resolve/{REVISION}/{name}": content for name, content in WHISPER.items()}) as hub:
        yield hub


def _refuse(*_: object, **__: object) -> None:
    raise OSError(1314, "a required privilege is not held by the client")


@pytest.fixture(params=["hard links", "copies"])
def without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(os, "symlink", _refuse)
    if request.param == "copies":
        monkeypatch.setattr(os, "link", _refuse)
    return str(request.param)


@pytest.fixture
def cache(hub: Hub, tmp_path: Path, without_links: str) -> ModelCache:
    cache = ModelCache(tmp_path / "cache", MODELS, LOCKED, hub.address)
    cache.fetch("tiny", lambda event: None)
    return cache


def _files(cache: ModelCache) -> dict[str, bytes]:
    snapshot = cache.snapshot("tiny")
    return {path.relative_to(snapshot).as_posix(): path.read_bytes() for path in snapshot.rglob("*") if path.is_file()}


def test_a_snapshot_holds_real_files_and_the_bytes_once_where_second_names_are_possible(
    cache: ModelCache, without_links: str
) -> None:
    assert _files(cache) == WHISPER
    assert not [path for path in cache.folder.rglob("*") if path.is_symlink()]
    weights = cache.snapshot("tiny") / "weights/model.bin"
    blob = cache.snapshot("tiny").parent.parent / "blobs" / LOCKED["tiny"].files["weights/model.bin"].sha256
    assert weights.samefile(blob) == (without_links == "hard links")
    assert cache.problem("tiny") is None
    assert wrong_files(cache, "tiny") == []


def test_such_a_cache_is_checked_and_repaired(cache: ModelCache, hub: Hub) -> None:
    weights = cache.snapshot("tiny") / "weights/model.bin"
    content = bytearray(weights.read_bytes())
    content[7] ^= 1
    weights.write_bytes(content)
    assert [sentence.split()[1:3] for sentence in wrong_files(cache, "tiny")] == [["has", "sha256"]]
    drop_wrong_files(cache, "tiny")
    cache.fetch("tiny", lambda event: None)
    assert _files(cache) == WHISPER
    assert wrong_files(cache, "tiny") == []


def test_such_a_cache_can_be_moved_and_nothing_of_it_is_surplus(cache: ModelCache, tmp_path: Path) -> None:
    shutil.move(cache.folder, tmp_path / "moved")
    moved = ModelCache(tmp_path / "moved", MODELS, LOCKED, "http://127.0.0.1:9")
    assert moved.problem("tiny") is None
    assert wrong_files(moved, "tiny") == []
    assert find_surplus(tmp_path / "moved", LOCKED, {"tiny"}) == []
