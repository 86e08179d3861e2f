"""Sounds in which nobody says anything, and a film without sound: no words, valid files, and no failure but the one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import webvtt

from shared.documents.removals import Removals
from shared.documents.sound import Sounds
from shared.documents.transcript import Segment, Transcript
from tests.conftest import ROOT, Reel
from tests.fakes.laughter import make_laughter
from tests.real.conftest import Stages, call

_PICTURE = ("-f", "lavfi", "-i", "color=black:s=64x48:r=10")
# Chords with overtones, plucked twice a second.
_MUSIC = "aevalsrc='0.2*exp(-4*mod(t,0.5))*(" + "+".join(
    f"sin({2 * 3.14159265 * hertz * part:.1f}*t)/{part}" for hertz in (262, 330, 392) for part in (1, 2, 3)
) + ")':s=44100"  # fmt: skip
_SOUNDS = {
    "silence": "anullsrc=r=44100:cl=stereo",
    "noise": "anoisesrc=color=pink:amplitude=0.3:sample_rate=44100:seed=1",
    "hum": "sine=frequency=220:sample_rate=44100,tremolo=f=4,volume=0.5",
    "music": _MUSIC,
}


@pytest.fixture
def films(reel: Reel, ffmpeg: Path) -> list[Path]:
    sounds: dict[str, tuple[str, ...]] = {
        name: ("-f", "lavfi", "-t", "8", "-i", sound) for name, sound in _SOUNDS.items()
    }
    sounds["laughter"] = ("-i", str(make_laughter(reel.folder / "laughter.wav", 20)))
    for name, sound in sounds.items():
        film = reel.folder / f"{name}.mp4"
        call(ffmpeg, "-nostdin", "-loglevel", "error", *_PICTURE, *sound, "-shortest", film)
    call(ffmpeg, "-nostdin", "-loglevel", "error", *_PICTURE, "-t", "2", reel.folder / "mute.mp4")
    return [reel.folder / f"{name}.mp4" for name in (*sounds, "mute")]


def test_silence_noise_and_music_become_no_words_and_laughter_none_that_are_in_doubt(
    reel: Reel, films: list[Path]
) -> None:
    done = reel("run", *films, "--profile", "starter", "--json", expect=3)
    items = {Path(item["media"]).stem: item for item in json.loads(done.stdout)["data"]["items"]}
    assert items.pop("mute")["error"] == "demux.no-audio"
    assert {item["state"] for item in items.values()} == {"done"}
    laughter = reel.out / "laughter"
    left = Transcript.read(laughter / "transcript.json").segments
    # With one ffmpeg, Whisper makes words of the laughter; with another, it makes none.
    assert Removals.read(laughter / "removed.json").removals or not left
    assert not [segment for segment in left if _is_in_doubt(segment)]
    for name in items.keys() - {"laughter"}:
        folder = reel.out / name
        assert Transcript.read(folder / "transcript.json").segments == (), f"{name} became words"
        assert (folder / f"{name}.und.srt").read_text(encoding="utf-8") == ""
        assert webvtt.read(str(folder / f"{name}.und.vtt")).captions == []
        assert not (folder / f"{name}.mkv").exists()


def _is_in_doubt(segment: Segment) -> bool:
    """Tell whether Whisper hears rather no speech and is not sure of its text, or has nine words in 0.4 s. What it
    makes of laughter is another text on each kind of processor, so the words themselves are not the claim."""
    words_per_s = len(segment.words) * 1000 / max(segment.end_ms - segment.start_ms, 1)
    unsure = segment.average_log_probability < -0.8
    return unsure and (segment.no_speech_probability > 0.4 or (len(segment.words) > 3 and words_per_s > 15))


def test_speech_and_music_are_told_apart(run_stage: Stages, films: list[Path]) -> None:
    def shares(media: Path) -> dict[str, float]:
        sounds = Sounds.read(
            run_stage("sounds", {"audio": run_stage("demux", {"media": media}).file("speech")}).file("sounds")
        )
        return {
            kind: sum(sound.end_ms - sound.start_ms for sound in sounds.of_kind(kind)) / sounds.duration_ms
            for kind in ("speech", "singing", "music")
        }  # fmt: skip

    of = {film.stem: shares(film) for film in films[:4]}
    assert of["silence"] == of["noise"] == {"speech": 0, "singing": 0, "music": 0}
    assert of["music"]["music"] > 0.8
    assert of["music"]["speech"] + of["music"]["singing"] < 0.1
    speech = shares(ROOT / "tests" / "data" / "librivox" / "sense_0870.flac")
    assert speech["speech"] > 0.8
    assert speech["singing"] == 0
