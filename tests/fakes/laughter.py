"""Makes a sound like people laughing: bursts of voiced `ha`, five a second, with breath, falling in pitch and strength.

Whisper takes it for words.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

_RATE = 16_000
_FORMANTS = ((750, 90), (1200, 110), (2500, 160))  # of an open vowel, with their widths, in Hz
_PEOPLE = ((0.0, 210.0), (0.09, 150.0), (0.17, 320.0))  # when each falls in, and their pitch

Sound = npt.NDArray[np.float64]


def make_laughter(path: Path, seconds: int) -> Path:
    """Write it as 16 kHz mono WAV; the same in every call."""
    chance = np.random.default_rng(4)
    sound = chance.normal(0, 0.002, seconds * _RATE)
    for burst in np.arange(1.0, seconds - 3, 4.2):
        for late, pitch in _PEOPLE:
            for number in range(9):
                ha = _ha(pitch * (1 - 0.03 * number), chance) * 0.25 * (1 - 0.06 * number)
                start = int((burst + late + 0.2 * number) * _RATE)
                sound[start : start + len(ha)] += ha
    with wave.open(str(path), "wb") as stream:
        stream.setparams((1, 2, _RATE, 0, "NONE", ""))
        stream.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def _ha(pitch: float, chance: np.random.Generator) -> Sound:
    count = int(0.11 * _RATE)
    phase = 2 * np.pi * np.cumsum(pitch * (1 - 0.15 * np.linspace(0, 1, count))) / _RATE
    voice: Sound = np.sum([np.sin(harmonic * phase) / harmonic for harmonic in range(1, 25)], axis=0)
    voice += chance.normal(0, 0.4, count)
    for formant, width in _FORMANTS:
        rung = _resonated(voice, formant, width)
        voice = voice + 3 * rung / np.abs(rung).max()
    shaped: Sound = voice / np.abs(voice).max() * np.sin(np.pi * np.linspace(0, 1, count)) ** 0.7
    return shaped


def _resonated(voice: Sound, formant: float, width: float) -> Sound:
    loss = np.exp(-np.pi * width / _RATE)
    swing = 2 * loss * np.cos(2 * np.pi * formant / _RATE)
    rung = np.zeros_like(voice)
    for index in range(2, len(voice)):
        rung[index] = voice[index] + swing * rung[index - 1] - loss * loss * rung[index - 2]
    return rung
