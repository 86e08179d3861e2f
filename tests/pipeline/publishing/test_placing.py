"""Files come whole, never over a file that came in between, and no run sweeps what another still writes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.publishing.placing import held, put_content, put_copy, sweep, temporary_name


def test_a_file_that_came_in_between_stays(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        put_content(b"ours", tmp_path / "film.srt", over=False)
    assert (tmp_path / "film.srt").read_bytes() == b"theirs"
    put_content(b"ours", tmp_path / "film.srt", over=True)
    assert [path.name for path in tmp_path.iterdir()] == ["film.srt"]
    assert (tmp_path / "film.srt").read_bytes() == b"ours"


def test_what_is_not_what_its_digest_says_is_put_nowhere(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"flipped")
    (tmp_path / "film.srt").write_bytes(b"good")
    digest = hashlib.sha256(b"whole").hexdigest()
    assert not put_copy(tmp_path / "object", tmp_path / "film.srt", digest, over=True)
    assert (tmp_path / "film.srt").read_bytes() == b"good"
    assert len(list(tmp_path.iterdir())) == 2


def test_only_the_temporary_files_of_dead_processes_are_swept(tmp_path: Path) -> None:
    alive = temporary_name(tmp_path)
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    dead = tmp_path / alive.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    elsewhere = tmp_path / f".reel-00000000-{ended.pid}-00000000.part"
    others = [tmp_path / name for name in (".film.mkv.part", "film.mkv.part", ".film.mkv.123.part")]
    for path in (alive, dead, elsewhere, *others):
        path.touch()
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {alive, elsewhere, *others}


def test_a_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with held(tmp_path) as is_held:
        assert is_held
        descriptor = os.open(tmp_path, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
