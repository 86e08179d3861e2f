"""A batch of 64 odd and broken files: each ends with the verdict that a person would give, and none stops another."""

from __future__ import annotations

import json
import os
import shutil
import struct
import unicodedata
import wave
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel
from tests.real.conftest import call

DEMO = ROOT / "samples" / "demo.mp4"
GOOD = ("done", "reused")
Verdicts = dict[str, str]
"""A file's name to `good`, or to the code of the error that it must end with."""


class Box:
    """Makes files in a folder, and notes what is to become of each."""

    def __init__(self, folder: Path, ffmpeg: Path) -> None:
        self.folder, self._ffmpeg = folder, ffmpeg
        self.verdicts: Verdicts = {}

    def make(self, name: str, verdict: str, *arguments: str | Path) -> Path:
        """Make a file by ffmpeg; arguments stand between its own and the output."""
        place = self.expect(name, verdict)
        call(self._ffmpeg, "-nostdin", "-loglevel", "error", "-y", *arguments, f"file:{place}")
        return place

    def write(self, name: str, verdict: str, content: bytes) -> Path:
        place = self.expect(name, verdict)
        place.write_bytes(content)
        return place

    def expect(self, name: str, verdict: str) -> Path:
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        self.verdicts[str(place)] = verdict
        return place


def _sound(pitch: int = 440, seconds: float = 1.0) -> tuple[str, ...]:
    return "-f", "lavfi", "-i", f"sine=frequency={pitch}:duration={seconds}"


_PICTURE = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=1")


def _sixty_four(box: Box) -> None:
    speech = box.make("speech.mp4", "good", "-ss", "3", "-t", "5", "-i", DEMO, "-c", "copy")
    whole = speech.read_bytes()
    sound = box.make("sound.wav", "good", *_sound())
    samples = sound.read_bytes()
    _containers(box)
    _tracks(box)
    _names(box, speech)
    _waves(box)
    box.make("silence.wav", "good", "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-t", "1")
    box.make("no picture.mp4", "good", *_sound(500), "-c:a", "aac")
    box.write("half.mp4", "demux.container", whole[: len(whole) // 2])  # its index stood at the end
    box.write("half.wav", "good", samples[: len(samples) // 2])
    box.write("head.mp4", "demux.container", whole[:64])
    box.write("head.wav", "demux.container", samples[:44])
    box.write("no head.mp4", "demux.container", whole[1000:])
    box.write("zeros.mp4", "demux.container", bytes(4096))
    box.write("noise.mp4", "demux.container", bytes(number * 7919 % 251 for number in range(65536)))
    box.write("letter.mp4", "demux.container", b"a letter, not a film\n" * 99)
    box.write("page.mkv", "demux.container", b"<!doctype html><html><body>404 Not Found</body></html>")
    box.write("list.m3u8.mp4", "demux.container", b"#EXTM3U\n#EXTINF:5,\nspeech.mp4\n#EXT-X-ENDLIST\n")
    box.write("concat.mp4", "demux.container", b"ffconcat version 1.0\nfile speech.mp4\n")
    box.write("archive.mp4", "demux.container", b"PK\x03\x04" + bytes(2000))
    box.write("program.mp4", "demux.container", b"\x7fELF" + bytes(2000))
    box.write("subtitles.mp4", "demux.container", b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n")
    box.write("one byte.mp4", "demux.container", b"x")
    box.write("empty.mp4", "media.empty", b"")
    box.expect("missing.mp4", "media.missing")
    box.expect("dangling.mp4", "media.missing").symlink_to(box.folder / "nowhere.mp4")
    os.mkfifo(box.expect("pipe.mp4", "media.not-a-file"))
    box.expect("folder.mp4", "media.missing").with_name("folder.mp4.part").mkdir()
    box.make("mute.mp4", "demux.no-audio", *_PICTURE, "-c:v", "mpeg4")
    box.make("still.png.mp4", "demux.no-audio", *_PICTURE, "-frames:v", "1", "-c:v", "png")
    damaged = bytearray(whole)
    for place in range(len(damaged) // 3, len(damaged) // 3 * 2, 97):
        damaged[place] ^= 0x5A
    box.write("damaged.mp4", "good", bytes(damaged))


def _containers(box: Box) -> None:
    for suffix, codec in (
        ("mkv", "aac"), ("mov", "aac"), ("ts", "aac"), ("webm", "libopus"), ("avi", "mp3"), ("ogg", "libvorbis"),
        ("flac", "flac"), ("mp3", "mp3"), ("m4a", "aac"), ("opus", "libopus"), ("aiff", "pcm_s16be"), ("ac3", "ac3"),
        ("mka", "pcm_f32le"),
    ):  # fmt: skip
        box.make(f"kind.{suffix}", "good", *_sound(300 + len(box.verdicts)), "-c:a", codec)


def _tracks(box: Box) -> None:
    two = (*_sound(440), *_sound(660), "-map", "0", "-map", "1", "-c:a", "aac")
    box.make("two tracks.mkv", "good", *two)
    box.make("surround.mkv", "good", *_sound(), "-af", "pan=5.1|FC=c0", "-c:a", "ac3")
    box.make("cancelling.m4a", "good", *_sound(), "-af", "pan=stereo|c0=c0|c1=-1*c0", "-c:a", "aac")
    box.make("late.mkv", "good", *_PICTURE, "-itsoffset", "0.5", *_sound(), "-map", "0", "-map", "1", "-c:v", "mpeg4")
    clock = ("-output_ts_offset", "36000", "-c:a", "aac")
    box.make("ten hours in.ts", "good", *_sound(), *clock)
    box.make(
        "song.mp3", "good", *_sound(), *_PICTURE, "-frames:v", "1", "-c:v", "png", "-disposition:v", "attached_pic"
    )
    box.make("8 kHz.wav", "good", *_sound(), "-ar", "8000")
    box.make("192 kHz.wav", "good", *_sound(), "-ar", "192000")


def _names(box: Box, film: Path) -> None:
    for number, name in enumerate(
        [
            "-dash.mp4", "%d%03d.mp4", 'it\'s "quoted".mp4', "[a]*?.mp4", " space .mp4", "line\nend.mp4",
            "\u0939\u093f\u0928\u094d\u0926\u0940.mp4", unicodedata.normalize("NFC", "caf\u00e9.mp4"),
            unicodedata.normalize("NFD", "caf\u00e9.mp4"), "no suffix", "a/same.mp4", "b/same.mp4", "{name}.mp4",
        ]
    ):  # fmt: skip
        place = box.expect(name, "good")
        shutil.copyfile(film, place)
        if number % 2:
            with open(place, "ab") as stream:  # another content, the same film
                stream.write(struct.pack(">I4s", 8 + number, b"free") + bytes(number))
    box.expect("link.mp4", "good").symlink_to(film)


def _waves(box: Box) -> None:
    with wave.open(str(box.expect("nothing in it.wav", "demux.undecodable")), "wb") as empty:
        empty.setparams((1, 2, 16000, 0, "NONE", "none"))
    with wave.open(str(box.expect("ten samples.wav", "demux.undecodable")), "wb") as short:
        short.setparams((1, 2, 16000, 0, "NONE", "none"))
        short.writeframes(bytes(20))


@pytest.fixture
def odd(ffmpeg: Path, tmp_path: Path) -> Box:
    box = Box(tmp_path / "odd", ffmpeg)
    _sixty_four(box)
    return box


def test_each_of_64_odd_files_ends_with_the_right_verdict(reel: Reel, odd: Box) -> None:
    assert len(odd.verdicts) == 64
    names = list(odd.verdicts)
    done = reel("run", *names, "--recipe", "transcribe", "--profile", "starter", "--json", expect=3)
    found = {
        item["media"]: "good" if item["state"] in GOOD else item["error"]
        for item in json.loads(done.stdout)["data"]["items"]
    }
    assert {Path(name).name: code for name, code in found.items()} == {
        Path(name).name: code for name, code in odd.verdicts.items()
    }
    assert found == odd.verdicts
    assert "Traceback" not in done.stderr
    again = reel("run", *names, "--recipe", "transcribe", "--profile", "starter", "--json", expect=3)
    assert json.loads(again.stdout)["data"]["counts"].get("done", 0) == 0
