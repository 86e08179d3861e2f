"""Builds speech with known truth for `quality.py`: clips that packages on PyPI and this repository ship, alone and
joined into one long file with pauses of random length.

    .venvs/test/bin/python benchmarks/material.py FOLDER [--rounds 3] [--seed 1]

Writes the clips, `long.wav`, and `long.json` with the name, the place and the first sound of each clip. The packages
are installed into folders of their own in the cache, and nothing is taken from them but sound and text.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import random
import subprocess
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the project is not a package

from shared.documents.diarization import Turn, from_rttm  # noqa: E402

PYTHON = ROOT / ".venvs" / "lite" / "bin" / "python"
RATE = 16_000
_PACKAGES = ("moonshine-voice==0.1.5", "pytest-audioeval==0.1.3")
_CALL_BEGINS_MS = 6_680  # by the turns that come with it; before that it rings
_PYANNOTE = "pyannote.audio==4.0.7"  # for its sample: a telephone call with turns and text
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.4, 25.0
_HISS = 33  # the largest sample of the pauses, -60 dB
_FRAME = RATE // 50
_NO_CLICK = 10  # so many frames, half of them loud, begin a word
_ONSET = 0.15  # a clip begins with the first frame with this part of its loud frames' amplitude: -16 dB

# What the clips without a text file say. `two_cities` is adapted from Dickens there, and Endgame has no text here: of
# that clip no words are counted.
_TEXTS = {
    "two_cities": (
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
        "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season "
        "of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had "
        "nothing before us, we were all going direct to Heaven, we were all going direct the other way. In short, the "
        "period was so far like the present period, that some of its noisiest authorities insisted on its being "
        "received, for good or for evil, in the superlative degree of comparison only."
    ),
    "beckett": "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
    "endgame": "",
}


@dataclass(frozen=True)
class Clip:
    """A recording of one language: 16 kHz mono, 16 bits. `text` is empty where it is not known."""

    name: str
    samples: array.array[int]
    text: str
    language: str = "en"
    silent_ms: int = 0  # what comes before the first word, other sounds included
    turns: tuple[Turn, ...] = ()  # of the people in it, where they are known

    @property
    def duration_ms(self) -> int:
        return len(self.samples) * 1000 // RATE

    @property
    def onset_ms(self) -> int:
        """Where its sound begins."""
        loudness = [
            math.sqrt(sum(sample * sample for sample in self.samples[at : at + _FRAME]) / _FRAME)
            for at in range(0, len(self.samples) - _FRAME, _FRAME)
        ]
        limit = _ONSET * sorted(loudness)[len(loudness) * 9 // 10]
        loud = [level > limit for level in loudness]
        first = next(at for at in range(len(loud)) if loud[at] and sum(loud[at : at + _NO_CLICK]) * 2 >= _NO_CLICK)
        return max(first * 1000 * _FRAME // RATE, self.silent_ms)


@dataclass(frozen=True)
class Placed:
    """A clip in a longer file."""

    clip: Clip
    start_ms: int

    @property
    def onset_ms(self) -> int:
        return self.start_ms + self.clip.onset_ms


def main() -> int:
    """Write the English material."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="how often each clip occurs in the long file")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the clips and the lengths of the pauses")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    clips = english_clips()
    for clip in clips:
        write(clip.samples, folder / f"{clip.name}.wav")
    placed = join(clips, arguments.rounds, arguments.seed, folder / "long.wav")
    truth = [{"clip": each.clip.name, "start_ms": each.start_ms, "onset_ms": each.onset_ms} for each in placed]
    (folder / "long.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    return 0


def english_clips() -> tuple[Clip, ...]:
    """Return the English clips: a telephone call, readings, a scene for two voices, and synthetic speech."""
    shipped, telephone = _installed("clips", _PACKAGES), _installed("call", (_PYANNOTE,))
    sound, audio = shipped / "moonshine_voice" / "assets", shipped / "pytest_audioeval" / "samples" / "audio" / "en"
    sample = telephone / "pyannote" / "audio" / "sample"
    spoken = [line.split(maxsplit=5)[5] for line in (sample / "sample.stm").read_text(encoding="utf-8").splitlines()]
    files = [(sample / "sample.wav", " ".join(spoken))]
    files += [
        (sound / f"{stem}.wav", _TEXTS[name])
        for name, stem in (("two_cities", "two_cities"), ("beckett", "beckett"), ("endgame", "endgame_nagg_nell"))
    ]
    files += [(path, path.with_suffix(".txt").read_text(encoding="utf-8")) for path in sorted(audio.glob("*.wav"))]
    call, *others = (_clip(path, text) for path, text in files)
    turns = from_rttm((sample / "sample.rttm").read_text(encoding="utf-8"))
    return replace(call, silent_ms=_CALL_BEGINS_MS, turns=turns), *others


def read_aloud() -> tuple[Clip, ...]:
    """Return the five utterances from LibriVox that lie in the repository."""
    folder = ROOT / "tests" / "data" / "librivox"
    rows = (line.split("\t") for line in (folder / "transcription.tsv").read_text(encoding="utf-8").splitlines())
    return tuple(_clip(folder / f"{name}.flac", text) for name, text in rows)


def foreign_clips() -> tuple[Clip, ...]:
    """Return the clips in other languages than English, all of them synthetic and a few seconds long."""
    audio = _installed("clips", _PACKAGES) / "pytest_audioeval" / "samples" / "audio"
    return tuple(
        _clip(path, path.with_suffix(".txt").read_text(encoding="utf-8"), path.parent.name)
        for path in sorted(audio.glob("*/*.wav"))
        if path.parent.name != "en"
    )


def join(clips: Sequence[Clip], rounds: int, seed: int, path: Path) -> tuple[Placed, ...]:
    """Write one file with each clip `rounds` times, in random order, with pauses of 0.4 to 25 s of faint hiss between
    them, short ones as often as long ones. No clip follows itself."""
    chance = random.Random(seed)
    order = list(clips) * rounds
    while True:
        chance.shuffle(order)
        if all(before is not after for before, after in pairwise(order)):
            break
    sound, placed = array.array("h"), []
    for number, clip in enumerate(order):
        if number:
            seconds = math.exp(chance.uniform(math.log(_SHORTEST_PAUSE_S), math.log(_LONGEST_PAUSE_S)))
            sound.extend(chance.randint(-_HISS, _HISS) for _ in range(int(seconds * RATE)))
        placed.append(Placed(clip, len(sound) * 1000 // RATE))
        sound.extend(clip.samples)
    write(sound, path)
    return tuple(placed)


def write(samples: array.array[int], path: Path) -> None:
    """Write a WAV file."""
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(samples.tobytes())


_DECODE = """
import sys
from faster_whisper.audio import decode_audio
sys.stdout.buffer.write((decode_audio(sys.argv[1]) * 32767).astype("<i2").tobytes())
"""


def _clip(path: Path, text: str, language: str = "en") -> Clip:
    done = subprocess.run([PYTHON, "-c", _DECODE, path], check=True, stdout=subprocess.PIPE)
    samples = array.array("h")
    samples.frombytes(done.stdout)
    return Clip(f"{language}-{path.stem}", samples, text.strip(), language)


def _installed(name: str, packages: tuple[str, ...]) -> Path:
    """Return a folder with the packages, without what they depend on."""
    folder = ROOT / ".cache" / "benchmarks" / name
    marker = folder / "packages.json"
    if not marker.exists():
        core = str(ROOT / ".venvs" / "core" / "bin" / "python")
        words = [core, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--python", core]
        subprocess.run([*words, "--target", str(folder), *packages], check=True)
        marker.write_text(json.dumps(packages), encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main())
