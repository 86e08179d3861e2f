"""Streams and folders that a caller took away: closed, full, deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT

FULL = Path("/dev/full")
RUN = "run film.mp4 --stub --recipe transcribe"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def reel(words: str, folder: Path, after: str = "", before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of reel with what a shell does to its streams."""
    places = {f"REEL_{name}_DIR": str(folder / name.lower()) for name in ("RESULTS", "OUTPUT")}
    command = f'{before} "{sys.executable}" -P -m pipeline {words} {after}'
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, **places, "PYTHONPATH": str(CODE_ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_run_whose_streams_are_closed_is_a_run(closed: str, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    done = reel(RUN, tmp_path, closed)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output/film/transcript.json").is_file()
    again = reel("runs list", tmp_path)  # nothing was printed into the index
    assert "1 done" in again.stdout


@needs_full
@pytest.mark.parametrize("words", ["recipes --json", "run --help"])
def test_a_full_disk_under_the_output_is_told(words: str, tmp_path: Path) -> None:
    told = reel(words, tmp_path, f"> {FULL}")
    assert told.returncode == 1
    assert "error: standard output cannot be written: No space left on device [output.unwritable]" in told.stderr
    assert "Traceback" not in told.stderr


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_under_the_log_does_not_end_the_work(
    unbuffered: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    (tmp_path / "film.mp4").write_bytes(b"film")
    done = reel(RUN, tmp_path, f"2> {FULL}")
    assert "transcript.json" in done.stdout
    assert done.returncode == 0


def test_a_current_folder_that_was_deleted_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    told = reel("plan film.mp4", tmp_path, before=f"cd {gone}; rmdir {gone};")
    assert told.returncode == 2
    assert "[usage.folder]" in told.stderr
    assert "Traceback" not in told.stderr
