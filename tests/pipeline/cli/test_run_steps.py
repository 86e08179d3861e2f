"""`--from`, `--until`, `--only` and `--force` on stub stages, and what a failing step says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel

STUB = {"REEL_STUB": "true"}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return shutil.copyfile(ROOT / "samples" / "demo.mp4", tmp_path / "film.mp4")


def _started(told: str) -> list[str]:
    return [line.split()[0] for line in told.splitlines() if " started " in line]


def test_steps_are_done_again_or_left_out_as_the_flags_say(reel: Reel, media: Path) -> None:
    until = reel("run", media, "--until", "asr", extra=STUB)
    assert "nothing is published" in until.stderr
    assert "align" not in until.stderr
    assert not (reel.out / "film").exists()

    reel("run", media, extra=STUB)
    published = {path.name: path.stat().st_mtime_ns for path in (reel.out / "film").iterdir()}
    assert _started(reel("run", media, "--only", "asr", extra=STUB).stderr) == ["asr"]
    assert published == {path.name: path.stat().st_mtime_ns for path in (reel.out / "film").iterdir()}

    assert _started(reel("run", media, "--force", "vad", extra=STUB).stderr) == ["vad"]  # the same bytes came out
    again = _started(reel("run", media, "--from", "clean", extra=STUB).stderr)
    assert again == ["clean", "refine", "subtitle", "mux"]
    planned = json.loads(reel("plan", media, "--from", "clean", "--json", extra=STUB).stdout)
    verdicts = {step["step"]: step["verdict"] for step in planned["data"]["items"][0]["steps"]}
    assert [step for step, verdict in verdicts.items() if verdict == "redone"] == again
    assert "did you mean `asr`" in reel("run", media, "--only", "asrr", extra=STUB, expect=2).stderr


def test_lines_of_a_batch_name_their_file_and_paths_go_to_a_pipe(reel: Reel, media: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(media.read_bytes() + b"\0")
    done = reel("run", media, other, extra=STUB)
    steps = [line for line in done.stderr.splitlines() if " started " in line or " reused " in line or " done " in line]
    assert {line.partition(":")[0] for line in steps} == {"film.mp4", "other.mp4"}
    assert {line.split("/")[1] for line in done.stdout.splitlines()} == {"film", "other"}
    assert "2 files: 2 done" in done.stderr
