"""Whatever a film is made of, its sound is heard on the review page, and there is a picture or a word why not."""

from __future__ import annotations

import io
import subprocess
import wave
from array import array
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.environments.ffmpeg import FFMPEG
from pipeline.workers.installation import open_installation
from tests.conftest import ROOT, Reel
from tests.fakes.web_client import Server, end_server, start_server, until
from tests.pipeline.web.browser.conftest import Open
from tests.pipeline.web.browser.reviewed import ready

VIDEO, STILLS, WORDS = "#video", "#still", "#no-picture"
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt")
_AVC, _HEVC = (*_H264, "yuv420p"), ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
# By container and codecs: how the picture is shown. Where it is by stills, Chromium refuses the film, or would show
# nothing without an error.
FORMATS = {
    "h264.mp4": ((*_AVC, "-c:a", "aac"), VIDEO),
    "fragmented.mp4": ((*_AVC, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"), VIDEO),
    "10-bit.mp4": ((*_H264, "yuv420p10le", "-c:a", "flac", "-strict", "-2"), VIDEO),
    "4-2-2.mov": ((*_H264, "yuv422p", "-c:a", "pcm_s16le"), VIDEO),
    "opus.mkv": ((*_AVC, "-c:a", "libopus"), VIDEO),
    "ac3.mkv": ((*_AVC, "-c:a", "ac3"), VIDEO),
    "eac3.mp4": ((*_AVC, "-c:a", "eac3"), VIDEO),
    "dts.mkv": ((*_AVC, "-c:a", "dca", "-strict", "-2"), VIDEO),
    "vp9.webm": (("-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"), VIDEO),
    "av1.mp4": (("-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-c:a", "aac"), VIDEO),
    "hevc.mp4": ((*_HEVC, "-c:a", "aac"), STILLS),
    "hevc.mkv": ((*_HEVC, "-c:a", "ac3"), STILLS),
    "prores.mov": (("-c:v", "prores", "-c:a", "pcm_s16le"), STILLS),
    "mpeg2.ts": (("-c:v", "mpeg2video", "-c:a", "mp2"), STILLS),
    "mpeg2.mpg": (("-c:v", "mpeg2video", "-c:a", "mp2"), STILLS),
    "mpeg4.avi": (("-c:v", "mpeg4", "-c:a", "libmp3lame"), STILLS),
    "sound.mp3": (("-vn", "-c:a", "libmp3lame"), WORDS),
    "sound.flac": (("-vn", "-c:a", "flac"), WORDS),
    "sound.wav": (("-vn", "-c:a", "pcm_s16le"), WORDS),
    "sound.m4a": (("-vn", "-c:a", "aac"), WORDS),
    "sound.ogg": (("-vn", "-c:a", "libvorbis"), WORDS),
    "sound.opus": (("-vn", "-c:a", "libopus"), WORDS),
    "sound.ac3": (("-vn", "-c:a", "ac3"), WORDS),
}  # fmt: skip

# Six seconds in which the picture is brighter by a step each 250 ms, and a tone begins at a second of the sound.
_STEP_MS, _STEP = 250, 9
_CLOCK = f"color=black:s=160x90:r=25:d=6,format=yuv420p,geq=lum='16+{_STEP}*floor(T*{1000 // _STEP_MS})':cb=128:cr=128"
_TONE = r"aevalsrc=if(gte(t\,1)\,0.5*sin(2764.6*t)\,0):s=48000:d=6"
# What comes before the sound's input, what is said of the result, and when the tone is heard.
CLOCKS = {
    "late-sound.mp4": (("-itsoffset", "3"), (), 4_000),
    "offset.mkv": ((), ("-output_ts_offset", "5"), 1_000),
    "offset.ts": ((), ("-output_ts_offset", "5"), 1_000),
    "variable.mkv": ((), ("-vf", "mpdecimate", "-vsync", "vfr"), 1_000),
}
_LOUD = 2_000
_SOUND_MS, _STILL_EVERY_MS = 40, 1_000


@cache
def _ffmpeg() -> Path:
    """Return the ffmpeg that stages get."""
    installed = open_installation(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, {})[0])
    installed.tools.ensure(installed.tool, lambda event: None, offline=False)
    return installed.tools.folder(installed.tool) / FFMPEG


def _make(*words: str | Path) -> None:
    subprocess.run([_ffmpeg(), "-hide_banner", "-v", "error", *words], check=True)


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, home: Path, serve_environment: Path, stage_environments: None
) -> Iterator[Server]:
    """Return a server over two seconds of the sample in each format, and over films whose picture tells its time, all
    of them transcribed. The environments are those of the checkout: the films are really read."""
    folder = tmp_path_factory.mktemp("formats")
    films = folder / "films"
    films.mkdir()
    sample = ("-t", "2", "-i", ROOT / "samples" / "demo.mp4")
    for name, (codecs, _) in FORMATS.items():
        _make(*sample, *(() if "-vn" in codecs else ("-s", "320x180")), *codecs, films / name)
    for name, (before, more, _) in CLOCKS.items():
        inputs = ("-f", "lavfi", "-i", _CLOCK, *before, "-f", "lavfi", "-i", _TONE)
        _make(*inputs, *_AVC, "-g", "10", "-c:a", "aac", *more, films / name)
    reel = Reel(folder, home)
    reel("run", films, "--recipe", "transcribe", "--language", "en")
    server = start_server(reel, "--media", films)
    yield server
    end_server(server)


@pytest.fixture(scope="module")
def reviews(served: Server) -> dict[str, str]:
    """Return the id of each film's review by its name."""
    return {one["name"]: one["id"] for one in served.ask("GET", "/api/1/media").data["media"]}


def test_the_sound_of_every_format_is_heard_and_a_picture_or_a_word_is_shown(
    served: Server, reviews: dict[str, str], open_page: Open
) -> None:
    assert reviews.keys() == {*FORMATS, *CLOCKS}
    page = open_page(served).page
    for name, (_, shown) in FORMATS.items():
        page.goto(f"{served.url}/review/{reviews[name]}")
        ready(page).get_by_role("button", name="Play", exact=True).click()
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


@pytest.mark.parametrize("name", CLOCKS)
def test_picture_and_sound_are_those_of_the_time_wherever_the_film_begins(
    served: Server, reviews: dict[str, str], open_page: Open, name: str
) -> None:
    _, _, tone_ms = CLOCKS[name]
    sound = served.ask("GET", f"/api/1/media/{reviews[name]}/sound").body
    assert abs(_first_loud_ms(sound) - tone_ms) <= _SOUND_MS
    shown, step_ms = (STILLS, _STILL_EVERY_MS) if name.endswith(".ts") else (VIDEO, _STEP_MS)
    page = open_page(served).page
    for at_ms in (2_125, 3_375):  # in the middle of a step: a picture that is 125 ms off is another
        page.goto(f"{served.url}/review/{reviews[name]}#t={at_ms / 1000}")
        expect(ready(page).locator(shown)).to_be_visible()
        _wait_for_brightness(page, shown, at_ms // step_ms * step_ms // _STEP_MS)


def _first_loud_ms(content: bytes) -> float:
    """Return when the sound of a WAV file begins to be loud."""
    with wave.open(io.BytesIO(content)) as stream:
        samples, rate = array("h", stream.readframes(stream.getnframes())), stream.getframerate()
    first = next(place for place, sample in enumerate(samples) if abs(sample) > _LOUD)
    return float(1000 * first / rate)


def _wait_for_brightness(page: Page, place: str, wanted: int) -> None:
    until(lambda: _brightness(page, place) == wanted)


def _brightness(page: Page, place: str) -> int:
    """Return the step of brightness that the picture has, -1 while there is none."""
    script = """(shown) => {
      const canvas = new OffscreenCanvas(1, 1).getContext("2d");
      if (shown.seeking || !(shown.videoWidth || shown.naturalWidth)) return -1;
      canvas.drawImage(shown, 0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data[0];
    }"""
    grey = page.locator(place).evaluate(script)
    return round(grey * 219 / 255 / _STEP) if grey >= 0 else -1


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
