"""A library of films that are text: stub stages work on anything, and the fake ffmpeg reads tracks from the text."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel

AUDIO = "  Stream #0:1({}): Audio: aac, 44100 Hz (default)\n"
TEXT = "  Stream #0:2({}): Subtitle: subrip (srt)\n"
PICTURES = "  Stream #0:3({}): Subtitle: hdmv_pgs_subtitle\n"
FORCED = "  Stream #0:4({}): Subtitle: subrip (forced)\n"


@dataclass(frozen=True)
class FakeFFmpeg:
    """An ffmpeg for the PATH that counts what it is asked."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", "REEL_STUB": "true"}

    @property
    def asked(self) -> int:
        """Return the number of films that it was asked about so far."""
        noted = self.folder / "asked"
        return len(noted.read_text(encoding="utf-8").splitlines()) if noted.exists() else 0


@pytest.fixture
def fake_ffmpeg(tmp_path: Path) -> FakeFFmpeg:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_bytes((ROOT / "tests" / "fakes" / "ffmpeg.sh").read_bytes())
    program.chmod(0o755)
    return FakeFFmpeg(program.parent)


Film = Callable[..., Path]


@pytest.fixture
def film(reel: Reel) -> Film:
    """Return a function that makes a film below the working folder: its name, the tracks inside, and the files that lie
    beside it. Films of the same `content` and tracks are worked on once."""

    def make(name: str, *tracks: str, beside: tuple[str, ...] = (), content: str = "") -> Path:
        place = reel.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        for other in beside:  # first, since a watch may take the film as soon as it is there
            (place.parent / other).parent.mkdir(parents=True, exist_ok=True)
            (place.parent / other).write_text(f"made by hand: {other}\n", encoding="utf-8")
        place.write_text(f"{content or name}\n{''.join(tracks)}", encoding="utf-8")
        return place

    return make
