"""The commands that look after a cache: what they print, what they leave alone, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.model_cache.fetch_lock import MARK
from pipeline.model_cache.manifest import LockedFile
from pipeline.model_cache.upkeep.ci_key import cache_key
from tests.conftest import Reel
from tests.fakes.models import LOCKED


@pytest.fixture
def own(reel: Reel) -> dict[str, str]:
    """Return a cache of the test's own, with a model that reel once fetched, and that no profile needs."""
    stranger = reel.folder / "cache/huggingface/hub/models--a--b/blobs/x"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"x" * 2_000_000)
    (stranger.parent.parent / MARK).touch()
    return {"REEL_CACHE_DIR": str(reel.folder / "cache")}


def _data(reel: Reel, *words: str | Path, extra: dict[str, str], expect: int = 0) -> Any:
    return json.loads(reel("models", *words, "--json", extra=extra, expect=expect).stdout)["data"]


def test_prune_shows_and_deletes_only_when_told(reel: Reel, own: dict[str, str]) -> None:
    stranger = reel.folder / "cache/huggingface/hub/models--a--b"
    told = reel("models", "prune", extra=own).stdout
    assert str(stranger) in told
    assert "nothing was deleted" in told
    assert stranger.is_dir()
    data = _data(reel, "prune", "--yes", extra=own)
    assert data["deleted"] is True
    assert [entry["bytes"] for entry in data["surplus"]] == [2_000_000]
    assert not stranger.exists()
    assert "nothing to delete" in reel("models", "prune", "--yes", extra=own).stdout


def test_only_fetched_models_are_verified(reel: Reel, own: dict[str, str]) -> None:
    data = _data(reel, "verify", "ge2e-embedder", extra=own, expect=5)
    assert "is not there" in data["models"][0]["problems"][0]
    assert _data(reel, "verify", "--all", extra=own) == {"models": []}


def test_a_model_that_is_not_there_cannot_be_exported(reel: Reel, own: dict[str, str]) -> None:
    told = reel("models", "export", "models.tar", "ge2e-embedder", extra=own, expect=5)
    assert "./reel models fetch ge2e-embedder" in told.stderr
    reel("models", "export", "none/models.tar", "ge2e-embedder", extra=own, expect=4)
    assert not (reel.folder / "models.tar").exists()


def test_an_export_replaces_only_an_archive_and_says_before_what_stands_in_its_way(
    reel: Reel, own: dict[str, str]
) -> None:
    mine, link = reel.folder / "mine.tar", reel.folder / "link.tar"
    mine.write_bytes(b"mine")
    link.symlink_to(mine)
    for name, says in ((mine, "is not an archive of reel's"), (link, "is not a regular file"), (".", "is a folder")):
        told = reel("models", "export", name, "ge2e-embedder", extra=own, expect=4).stderr
        assert says in told
        assert "[archive.unwritable]" in told
    assert mine.read_bytes() == b"mine"
    assert link.is_symlink()


def test_an_unknown_model_and_a_folder_that_is_none_are_refused(reel: Reel, own: dict[str, str]) -> None:
    for words in (["verify", "huge"], ["key", "huge"], ["export", "models.tar", "huge"]):
        assert "model.unknown" in reel("models", *words, extra=own, expect=2).stderr
    assert "adopt.folder" in reel("models", "adopt", "nowhere", extra=own, expect=4).stderr
    assert "archive.unreadable" in reel("models", "import", "nowhere.tar", extra=own, expect=4).stderr


def test_adopting_an_empty_folder_says_that_nothing_was_found(reel: Reel, own: dict[str, str]) -> None:
    (reel.folder / "empty").mkdir()
    assert "no model of the lock was found" in reel("models", "adopt", "empty", extra=own).stdout


def test_the_key_follows_from_the_lock_alone(reel: Reel, own: dict[str, str]) -> None:
    key = reel("models", "key", "--profile", "starter", extra=own).stdout.strip()
    assert key.startswith("reel-models-")
    assert key == reel("models", "key", "--profile", "starter").stdout.strip()
    assert key != reel("models", "key", "--profile", "balanced").stdout.strip()


def test_the_key_changes_with_any_byte_and_not_with_the_order() -> None:
    key = cache_key(["whisper", "aligner"], LOCKED)
    assert cache_key(["aligner", "whisper"], LOCKED) == key
    other = LOCKED["aligner"].model_copy(update={"files": {"aligner.pt": LockedFile(size=1, sha256="0" * 64)}})
    assert cache_key(["whisper", "aligner"], {**LOCKED, "aligner": other}) != key
    moved = LOCKED["whisper"].model_copy(update={"revision": "f" * 40})
    assert cache_key(["whisper", "aligner"], {**LOCKED, "whisper": moved}) != key
