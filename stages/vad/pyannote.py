"""Detect speech with pyannote's segmentation network: segmentation 3.0, or the one that whisperx ships.

The network gets ten minutes at a time, with one of its own windows on each side, so the whole audio is never in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import as_file as as_path
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pyannote.audio import Inference, Model

from shared.stage import Device
from stages.toolkit.audio.pyannote_audio import as_file, torch_device
from stages.toolkit.audio.waveform import SPEECH_RATE, open_speech
from stages.vad.stage import WINDOW_MS

SEGMENTATION = "segmentation"
_WINDOW = SPEECH_RATE * WINDOW_MS // 1000
_BLOCK_WINDOWS = 18_750  # ten minutes
_STEP = 0.25  # of the network's window
_BATCH_SIZE = 32

Scores = npt.NDArray[np.float32]


class PyannoteVad:
    """The loaded network. The probability of speech is that of its most probable speaker."""

    def __init__(self, model: Model, device: Device) -> None:
        duration = model.specifications.duration
        self._margin = -(-round(duration * SPEECH_RATE) // _WINDOW)
        self._network = Inference(
            model,
            step=_STEP * duration,
            batch_size=_BATCH_SIZE,
            device=torch_device(device),
            pre_aggregation_hook=_most_probable_speaker,
        )

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def probabilities(self, audio: Path) -> Iterator[Sequence[float]]:
        """Yield one probability for each window: that of the frame in its middle, because frames are half as long."""
        recording = open_speech(audio)
        windows = -(-recording.samples // _WINDOW)
        for first in range(0, windows, _BLOCK_WINDOWS):
            last, begin = min(first + _BLOCK_WINDOWS, windows), max(first - self._margin, 0)
            samples = recording.read_samples(begin * _WINDOW, (last + self._margin) * _WINDOW)
            scores = self._network(as_file(samples))
            middles = (np.arange(first - begin, last - begin) + 0.5) * WINDOW_MS / 1000
            frames = [scores.sliding_window.closest_frame(middle) for middle in middles]
            yield [float(value) for value in scores.data[np.clip(frames, 0, len(scores.data) - 1), 0]]


def _most_probable_speaker(scores: Scores) -> Scores:
    """Return the highest of float32[chunks, frames, speakers] for each frame, float32[chunks, frames, 1]."""
    highest: Scores = np.max(scores, axis=-1, keepdims=True)
    return highest


def load(models: Mapping[str, Path], device: Device) -> PyannoteVad:
    """Load the network of the role `segmentation`; without that role, the one inside the whisperx package."""
    if SEGMENTATION in models:
        return PyannoteVad(Model.from_pretrained(models[SEGMENTATION]), device)
    with as_path(files("whisperx") / "assets" / "pytorch_model.bin") as weights:
        return PyannoteVad(Model.from_pretrained(weights), device)
