"""Detect speech with Silero VAD 6, the network that faster-whisper ships, block by block.

faster-whisper's own call needs the whole audio, and begins with an empty state. This engine runs the session itself,
and passes the network's state from block to block. No state is kept after a job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from faster_whisper.vad import SileroVADModel, get_vad_model

from shared.stage import Device
from stages.toolkit.audio.waveform import Samples, open_speech

_WINDOW = 512  # samples; the only length at 16 kHz on which the network was trained
_CONTEXT = 64  # samples of the window before, which the network gets again
_BLOCK_WINDOWS = 1_875  # a minute
# The four lowest values of 16 bits, -78 dB: an encoder's rounding. The network gives it less than 0.03.
_SILENT_PEAK = 4 / 32768


class SileroEngine:
    """The loaded network. It uses one thread, and takes 7 s for an hour of audio."""

    def __init__(self, network: SileroVADModel) -> None:
        self._session = network.session

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def probabilities(self, audio: Path) -> Iterator[Sequence[float]]:
        """Yield one probability for each window; the last window is padded with silence."""
        hidden = np.zeros((1, 1, 128), np.float32)
        cell = np.zeros((1, 1, 128), np.float32)
        before = np.zeros(_CONTEXT, np.float32)
        for block in open_speech(audio).blocks(_BLOCK_WINDOWS * _WINDOW):
            if np.abs(block).max(initial=0) <= _SILENT_PEAK:  # a silent block also clears the network's state
                yield [0.0] * -(-len(block) // _WINDOW)
                hidden, cell, before = np.zeros_like(hidden), np.zeros_like(cell), np.zeros_like(before)
                continue
            windows = _windows(block, before)
            before = windows[-1, -_CONTEXT:].copy()
            output, hidden, cell = self._session.run(None, {"input": windows, "h": hidden, "c": cell})
            yield [float(value) for value in np.ravel(output)]


def _windows(block: Samples, before: Samples) -> Samples:
    """Return the block in windows, each with the end of the one before it in front."""
    filled = np.pad(block, (0, -len(block) % _WINDOW)).reshape(-1, _WINDOW)
    context = np.concatenate([before[np.newaxis], filled[:-1, -_CONTEXT:]])
    return np.concatenate([context, filled], axis=1)


def load(models: Mapping[str, Path], device: Device) -> SileroEngine:
    """Load the network. It always runs on the CPU, with one thread."""
    return SileroEngine(get_vad_model())
