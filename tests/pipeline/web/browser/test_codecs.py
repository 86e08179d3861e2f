"""Whatever a film is made of, its sound is heard on the review page, and there is a picture or a word why not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT, Reel
from tests.fakes.web_client import Server, end_server, start_server
from tests.pipeline.web.browser.conftest import Open
from tests.pipeline.web.browser.reviewed import ready

VIDEO, STILLS, WORDS = "#video", "#still", "#no-picture"
# By container and codecs: how the picture is shown. Chromium plays the first four; of the next four it would show
# nothing without an error, or refuses them.
FORMATS = {
    "h264.mp4": (("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"), VIDEO),
    "ac3.mkv": (("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "ac3"), VIDEO),
    "late.mkv": (("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-output_ts_offset", "5"), VIDEO),
    "vp9.webm": (("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"), VIDEO),
    "hevc.mp4": (("-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "aac"), STILLS),
    "mpeg2.ts": (("-c:v", "mpeg2video", "-c:a", "mp2"), STILLS),
    "mpeg4.avi": (("-c:v", "mpeg4", "-c:a", "libmp3lame"), STILLS),
    "prores.mov": (("-c:v", "prores", "-c:a", "pcm_s16le"), STILLS),
    "sound.mp3": (("-vn", "-c:a", "libmp3lame"), WORDS),
    "sound.flac": (("-vn", "-c:a", "flac"), WORDS),
}


def _ffmpeg() -> Path:
    """Return the machine's ffmpeg, or the one that reel brings."""
    brought = (ROOT / ".venvs" / "ffmpeg").glob("lib/python3*/site-packages/imageio_ffmpeg/binaries/ffmpeg*")
    return Path(shutil.which("ffmpeg") or next(brought))


@pytest.fixture
def environments(stage_environments: None) -> None:
    """Take the environments of the checkout: these films are really read."""


@pytest.fixture
def served(serve_environment: Path, reel: Reel) -> Iterator[Server]:
    """Return a server over two seconds of the sample in each format, all of them transcribed: it is music."""
    films = reel.folder / "films"
    films.mkdir()
    for name, (codecs, _) in FORMATS.items():
        taken = ["-hide_banner", "-v", "error", "-t", "2", "-i", str(ROOT / "samples" / "demo.mp4"), "-s", "320x180"]
        subprocess.run([_ffmpeg(), *taken[: -2 if "-vn" in codecs else None], *codecs, str(films / name)], check=True)
    reel("run", films, "--recipe", "transcribe", "--language", "en")
    server = start_server(reel, "--media", films)
    yield server
    if server.process.poll() is None:
        end_server(server)


def test_the_sound_of_every_format_is_heard_and_a_picture_or_a_word_is_shown(served: Server, open_page: Open) -> None:
    reviews = {one["name"]: one["id"] for one in served.ask("GET", "/api/1/media").data["media"]}
    assert reviews.keys() == FORMATS.keys()
    for name, (_, shown) in FORMATS.items():
        page = ready(open_page(served, f"/review/{reviews[name]}").page)
        page.get_by_role("button", name="Play", exact=True).click()
        expect(page.locator(shown), name).to_be_visible()
        assert _heard_ms(page) > 0, name
        for other in {VIDEO, STILLS, WORDS} - {shown}:
            expect(page.locator(other), name).to_be_hidden()
        expect(page.locator("#make-copy"), name).to_be_visible(visible=shown == STILLS)
        if shown == WORDS:
            expect(page.locator(WORDS), name).to_have_text("the file has no moving picture")
        else:
            assert _width_of_picture(page, shown) > 0, name

    page = ready(open_page(served, f"/review/{reviews['hevc.mp4']}").page)
    page.get_by_role("button", name="Make a moving picture").click()
    expect(page.locator(VIDEO)).to_be_visible()
    assert _width_of_picture(page, VIDEO) == 320
    expect(page.locator("#make-copy")).to_be_hidden()
    page.reload()
    expect(ready(page).locator(VIDEO)).to_be_visible()


def _heard_ms(page: Page) -> float:
    """Return how much of the sound has played, once some has."""
    moved = "async () => { const one = document.querySelector('#sound'); while (!one.currentTime || !one.duration) "
    return float(
        page.evaluate(f"{moved} await new Promise((done) => setTimeout(done, 20)); return one.currentTime; }}")
    )


def _width_of_picture(page: Page, place: str) -> int:
    name = "videoWidth" if place == VIDEO else "naturalWidth"
    wait = f"async () => {{ const one = document.querySelector('{place}'); while (!one.{name}) "
    return int(page.evaluate(f"{wait} await new Promise((done) => setTimeout(done, 20)); return one.{name}; }}"))
