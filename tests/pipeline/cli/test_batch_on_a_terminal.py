"""The end of a batch on a terminal: the table is what a person sees last, and paths are for pipes and for `-v`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, Reel

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def on_a_terminal(reel: Reel, *words: str | Path, columns: int = 80, expect: int = 0) -> list[str]:
    """Run a command on a terminal of its own, and return the lines that are shown."""
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    command = [sys.executable, "-c", spawn, *reel.command(*words)]
    environ = {**reel.environment({"REEL_STUB": "true"}), "TERM": "xterm", "COLUMNS": str(columns), "LINES": "24"}
    done = subprocess.run(
        command, cwd=reel.folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return [line.rstrip() for line in _CONTROLS.sub("\n", done.stdout).splitlines() if line.strip()]


def test_a_batch_ends_with_its_table_and_names_paths_only_where_they_are_asked_for(reel: Reel) -> None:
    for name in ("one", "two"):
        content = (ROOT / "samples" / "demo.mp4").read_bytes()
        (reel.folder / f"{name}.mp4").write_bytes(content + name.encode())
    shown = on_a_terminal(reel, "run", "one.mp4", "two.mp4")
    assert shown[-2].startswith("2 files: 2 done")
    assert re.match(r"\d+ cues, \d+ over the limits of their guide", shown[-1])
    assert not [line for line in shown if line.endswith(".srt")]

    verbose = on_a_terminal(reel, "run", "one.mp4", "two.mp4", "-v", columns=200)
    for name in ("one", "two"):
        assert [line for line in verbose if line.endswith(f"{name}.en.srt")]

    failed = on_a_terminal(reel, "run", "one.mp4", "missing.mkv", columns=200, expect=3)
    assert failed[-1].split()[:2] == ["missing.mkv", "failed"]
    assert any(line.startswith("2 files: 1 reused, 1 failed") for line in failed[-3:])


def test_one_file_ends_with_its_paths_on_a_terminal_too(reel: Reel) -> None:
    shutil.copy(ROOT / "samples" / "demo.mp4", reel.folder / "one.mp4")
    shown = on_a_terminal(reel, "run", "one.mp4", columns=200)
    assert [line for line in shown if line.endswith("one.en.srt")]
