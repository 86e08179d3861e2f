"""Kills at random times, with real stages: the same bytes, no process left over, no row lost."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conftest import ROOT, Reel
from tests.processes import survives_kills
from tests.real.conftest import call

KILLS = int(os.environ.get("KILLS", "8"))


def test_kills_change_nothing(reel: Reel, ffmpeg: Path, tmp_path: Path) -> None:
    clips = []
    for start in (3, 14):
        clips.append(tmp_path / "clips" / f"clip{start}.mp4")
        clips[-1].parent.mkdir(exist_ok=True)
        where = ("-ss", str(start), "-t", "4", "-i", ROOT / "samples" / "demo.mp4")
        call(ffmpeg, "-nostdin", "-loglevel", "error", *where, clips[-1])
    survives_kills(reel, [*clips, "--profile", "starter", "--to", "pt"], {}, kills=KILLS)
