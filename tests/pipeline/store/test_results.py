"""The result store: what is found is whole, and what is lost is only ever an index."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.base.errors import Locked, ReelError
from pipeline.base.project import CODE_ROOT
from pipeline.store.results import ResultStore, StoredFile, StoredResult

KEY = "a" * 64


def _result(key: str, outputs: dict[str, StoredFile | tuple[StoredFile, ...] | None]) -> StoredResult:
    return StoredResult(
        key=key,
        ingredients={"stage": "vad", "backend": "silero"},
        outputs=outputs,
        facts={"regions": 3},
        warnings=("mind",),
        seconds=1.5,
        cpu_s=1.0,
        memory_mb=None,
    )


def _commit(store: ResultStore, key: str = KEY, content: bytes = b"content") -> StoredResult:
    folder = store.make_staging("step")
    (folder / "out.bin").write_bytes(content)
    result = _result(key, {"out": store.take_in(folder / "out.bin"), "none": None})
    store.write_manifest(result)
    store.note(result)
    return result


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "results")


def test_a_committed_result_is_found_again_by_another_process(store: ResultStore, tmp_path: Path) -> None:
    with store.open_for_writing("test"):
        committed = _commit(store)
    found = ResultStore(tmp_path / "results").lookup(KEY)
    assert found == committed
    output = found.outputs["out"]
    assert isinstance(output, StoredFile)
    assert store.path(output).read_bytes() == b"content"
    assert found.digests("out") == output.sha256
    assert found.digests("none") is None


def test_an_object_that_is_gone_or_short_is_no_result(store: ResultStore) -> None:
    with store.open_for_writing("test"):
        output = _commit(store).outputs["out"]
        assert isinstance(output, StoredFile)
        place = store.path(output)
        place.chmod(0o644)
        place.write_bytes(b"cont")
        assert store.lookup(KEY) is None
        place.unlink()
        assert store.lookup(KEY) is None


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough to be read as a header" * 4])
def test_a_damaged_index_is_rebuilt_from_the_manifests(store: ResultStore, tmp_path: Path, damage: bytes) -> None:
    with store.open_for_writing("test"):
        _commit(store)
    index = tmp_path / "results" / "index.sqlite"
    index.write_bytes(damage)
    with store.open_for_writing("test"):
        rows = store.index.query("SELECT key FROM results")
    assert rows == [(KEY,)]
    assert store.lookup(KEY) is not None


def test_two_writers_at_once_are_refused_and_the_second_is_told_who_is_there(
    store: ResultStore, tmp_path: Path
) -> None:
    second = ResultStore(tmp_path / "results")
    with store.open_for_writing("reel run"), pytest.raises(Locked) as caught, second.open_for_writing("another"):
        pass
    assert f"`reel run`, process {os.getpid()}" in caught.value.message


def test_a_killed_writer_leaves_no_lock_and_no_staging(store: ResultStore, tmp_path: Path) -> None:
    script = f"""
import sys, time; sys.path.insert(0, {str(CODE_ROOT)!r})
from pathlib import Path
from pipeline.store.results import ResultStore
store = ResultStore(Path({str(tmp_path / "results")!r}))
with store.open_for_writing("reel run"):
    (store.make_staging("half") / "file").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.kill()
    with store.open_for_writing("test"):
        assert not list((tmp_path / "results").glob("staging/*"))


def test_a_users_file_is_hashed_once_and_again_when_it_changes(store: ResultStore, tmp_path: Path) -> None:
    media = tmp_path / "film.mkv"
    media.write_bytes(b"one")
    with store.open_for_writing("test"):
        first = store.media(media).digest
        media.write_bytes(b"two")  # within the same second, the same size
        assert store.media(media).digest != first
        while not (seen := store.media(media)).settled:  # its times tell of a later change then
            time.sleep(0.1)
        second = seen.digest
        assert store.index.query("SELECT sha256 FROM media") == [(second,)]


def test_a_flipped_bit_anywhere_in_a_manifest_makes_it_no_result(store: ResultStore, tmp_path: Path) -> None:
    with store.open_for_writing("test"):
        committed = _commit(store)
    (manifest,) = store.manifests()
    whole = manifest.read_bytes()
    for place in range(len(whole) - 1):
        for bit in (0, 5):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << bit
            manifest.write_bytes(flipped)
            assert store.lookup(KEY) in (None, committed), (
                f"bit {bit} of byte {place}: {flipped[place - 9 : place + 9]!r}"
            )
    manifest.write_text(committed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    assert store.lookup(KEY) == committed, "one of an earlier release has no checksum"


@pytest.mark.parametrize("name", ["staging", "owner.json", "history", "manifests", "objects", "lock"])
def test_what_is_no_file_or_folder_of_ours_is_passed_over_or_told_in_a_sentence(
    store: ResultStore, tmp_path: Path, name: str
) -> None:
    place = tmp_path / "results" / name
    with store.open_for_writing("test"):
        pass
    place.unlink(missing_ok=True)
    if name in {"owner.json", "lock"}:
        place.mkdir()
    else:
        place.write_text("in the way", encoding="utf-8")
    told = None
    try:
        with store.open_for_writing("test"):
            _commit(store)
    except ReelError as error:
        told = error
    assert store.lookup(KEY) if told is None else (told.code == "results.unwritable" and name in told.message)


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ReelError) as caught, ResultStore(tmp_path / "file" / "results").open_for_writing("test"):
        pass
    assert caught.value.code == "results.unwritable"


def test_a_disk_that_fills_up_in_the_middle_is_told_and_the_lock_is_given_back(
    store: ResultStore,
) -> None:
    with pytest.raises(ReelError) as caught, store.open_for_writing("test"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.code == "results.unwritable"
    with pytest.raises(ReelError, match="database or disk is full"), store.open_for_writing("test"):
        raise sqlite3.OperationalError("database or disk is full")
    with pytest.raises(FileNotFoundError), store.open_for_writing("test"):
        raise FileNotFoundError("something else is not there")
    with store.open_for_writing("test"):
        _commit(store)
