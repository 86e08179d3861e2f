"""Separate the voice and the other sources of a mix with Demucs.

The library's own `apply_model` keeps the whole mix and all its parts in memory: 4 GB for an hour of music. This engine
reads the mix through a moving window, one segment after the other, and writes all samples that no later segment
changes. The segments, weights and sums are those of the library, so the parts are the same, sample by sample.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import soxr
import torch
import yaml
from demucs.apply import BagOfModels, Model, TensorChunk, apply_model
from demucs.hf import load_safetensors_model
from demucs.pretrained import get_model

from shared.stage import Device, StageError
from stages.separate.stage import AT_ONCE, Mix, SeparateParams, Stems
from stages.toolkit.audio.waveform import SPEECH_RATE, Samples, SoundWriter, levels, open_sound, open_speech

_VOICE = "vocals"
_MOST_SHIFT_S = 0.5  # as in the library
_SEED = 0  # of the shifts, which the library draws at random
_READ_S = 10
_AT_ONCE = {"cuda": 4}  # segments in a batch; on a processor, one keeps every core busy


class DemucsEngine:
    """A loaded bag of models, which process `at_once` segments of full length in a batch. A job may change the length,
    and restores it."""

    gives_all_parts = True

    def __init__(self, bag: BagOfModels, device: str, at_once: int) -> None:
        self._bag, self._device, self._at_once = bag, device, at_once

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        return levels(audio)

    def separate(self, mix: Mix, to: Stems, params: SeparateParams) -> Iterator[float]:
        """Write the voice and the sum of the other sources, and each source in stereo if `to` has a folder for them."""
        length = open_speech(mix.audio).samples
        sources = list(self._bag.sources)
        with contextlib.ExitStack() as open_files, self._segments_of(params.segment):
            mono = {to.voice: [sources.index(_VOICE)], to.rest: [n for n, s in enumerate(sources) if s != _VOICE]}
            writers = [_SpeechWriter(open_files.enter_context(SoundWriter(path)), self._rate, length) for path in mono]
            full: list[SoundWriter] = []
            if to.sources:
                to.sources.mkdir()
                paths = [to.sources / f"{source}.wav" for source in sources]
                full = [open_files.enter_context(SoundWriter(path, self._rate, self._channels)) for path in paths]
            for parts, done in self._parts(mix, params):
                for writer, summed in zip(writers, mono.values(), strict=True):
                    writer.write(parts[summed].sum(0).mean(0))
                for source_writer, part in zip(full, parts, strict=False):
                    source_writer.write(part.T)
                yield done
            for writer in writers:
                writer.end()

    @property
    def _rate(self) -> int:
        return int(self._bag.samplerate)

    @property
    def _channels(self) -> int:
        return int(self._bag.audio_channels)

    @contextlib.contextmanager
    def _segments_of(self, seconds: float | None) -> Iterator[None]:
        """Set the length of a segment in the models for a while. Raises `StageError` if it is longer than the models
        allow.

        `apply_model` would pad a shorter segment to the training length, and take the time for that length.
        """
        longest = float(self._bag.max_allowed_segment)
        if seconds is not None and seconds > longest:
            raise StageError(
                "separate.segment",
                f"`segment` is {seconds:g} s, and this model was trained on {longest:g} s at most",
                "leave `segment` out, or take less",
            )
        before = [model.segment for model in self._bag.models]
        try:
            if seconds is not None:
                for model in self._bag.models:
                    model.segment = Fraction(seconds).limit_denominator(1000)
            yield
        finally:
            for model, segment in zip(self._bag.models, before, strict=True):
                model.segment = segment

    def _parts(self, mix: Mix, params: SeparateParams) -> Iterator[tuple[Samples, float]]:
        """Yield the sources `(sources, channels, samples)` in blocks, and the share of the mix that is done."""
        sound = open_sound(mix.full or mix.audio)
        length = round(sound.samples * self._rate / sound.rate)
        mean, deviation = _mean_and_deviation(sound.frame_blocks(_READ_S * sound.rate))
        blocks = _resampled(sound.frame_blocks(_READ_S * sound.rate), sound.rate, self._rate)
        stereo = (np.repeat(block, self._channels // block.shape[1], axis=1) for block in blocks)
        normalised = ((block - mean) / deviation for block in stereo)
        longest = max(int(self._rate * model.segment) for model in self._bag.models)
        at_once = self._at_once if params.segment is None else 1  # a job with shorter segments is short of memory
        # A pass reads three segments at a time, and is ahead of the others by a batch and a shift at most.
        window = _Window(normalised, length, self._channels, (3 + at_once) * longest + self._rate)
        weights = self._bag.weights
        passes = [
            _blocks_of(self._overlap_added(_Pass(model, shift, at_once), window, length, params.overlap), longest)
            for model, shifts in zip(self._bag.models, self._shifts(params.shifts), strict=True)
            for shift in shifts
        ]
        pass_weights = [weight for weight in weights for _ in range(max(params.shifts, 1))]
        total = torch.tensor(weights).sum(0) * max(params.shifts, 1)
        done = 0
        for parts in zip(*passes, strict=True):
            weighted = (part * torch.tensor(w)[:, None, None] for part, w in zip(parts, pass_weights, strict=True))
            summed = sum(weighted, torch.zeros(())) / total[:, None, None]
            done += summed.shape[-1]
            yield (summed * deviation + mean).numpy(), done / max(length, 1)

    def _shifts(self, number: int) -> list[list[int]]:
        """Return for each model the number of samples by which each of its passes begins before the mix."""
        generator, most = random.Random(_SEED), int(_MOST_SHIFT_S * self._rate)
        return [[generator.randint(0, most) for _ in range(number)] or [0] for _ in self._bag.models]

    def _overlap_added(self, by: _Pass, window: _Window, length: int, overlap: float) -> Iterator[torch.Tensor]:
        """Yield the sources of one pass: the weighted sum of its overlapping segments, as `apply_model` computes it."""
        segment = int(self._rate * by.model.segment)
        stride = int((1 - overlap) * segment)
        rising = torch.arange(1, segment // 2 + 1)
        weight = torch.cat([rising, torch.arange(segment - segment // 2, 0, -1)])
        weight = weight / weight.max()
        held = torch.zeros(len(by.model.sources), self._channels, 0)
        sums = torch.zeros(0)
        for at, parts in self._separated(by, window, range(-by.shift, length, stride), segment, length):
            size = parts.shape[-1]
            held = torch.cat([held, held.new_zeros(*held.shape[:2], size - held.shape[-1])], -1)
            sums = torch.cat([sums, sums.new_zeros(size - len(sums))])
            held += weight[:size] * parts
            sums += weight[:size]
            final = stride if at + stride < length else size
            ready = held[..., :final] / sums[:final]
            yield ready[..., max(-at, 0) :]
            held, sums = held[..., final:].clone(), sums[final:].clone()

    def _separated(
        self, by: _Pass, window: _Window, places: Sequence[int], segment: int, length: int
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield each place with the sources of its segment, `(sources, channels, samples)`. Segments of one size, which
        are all but the last, go through the model in batches."""
        for size, same in groupby(places, lambda at: min(segment, length - at)):
            while batch := list(islice(same, by.at_once)):
                around = torch.cat([window.read(at - segment, at + 2 * segment) for at in batch])
                chunk = TensorChunk(around, segment, size)
                yield from zip(
                    batch, apply_model(by.model, chunk, shifts=0, split=False, device=self._device).cpu(), strict=True
                )


@dataclass(frozen=True)
class _Pass:
    """One pass of a model over the mix, which begins `shift` samples before it, with `at_once` segments in a batch."""

    model: Model
    shift: int
    at_once: int


class _Window:
    """A moving window over the mix, with silence before and after it. Samples far enough behind are dropped."""

    def __init__(self, blocks: Iterator[Samples], length: int, channels: int, keep: int) -> None:
        self._blocks, self._length, self._keep = blocks, length, keep
        self._held = torch.zeros(channels, 0)
        self._first = 0

    def read(self, start: int, end: int) -> torch.Tensor:
        """Return `(1, channels, end - start)`; only the last `keep` samples that were read can be read again."""
        while self._first + self._held.shape[-1] < min(end, self._length):
            block = next(self._blocks, None)
            if block is None:
                break
            self._held = torch.cat([self._held, torch.from_numpy(np.ascontiguousarray(block.T, np.float32))], -1)
        dropped = min(end, self._length) - self._keep - self._first
        if dropped > 0:
            self._held, self._first = self._held[:, dropped:].clone(), self._first + dropped
        first, last = max(start, self._first), min(end, self._length, self._first + self._held.shape[-1])
        around = torch.zeros(1, self._held.shape[0], end - start)
        if last > first:
            around[0, :, first - start : last - start] = self._held[:, first - self._first : last - self._first]
        return around


class _SpeechWriter:
    """Writes one mono part to a file at the rate of speech, with exactly `samples` samples."""

    def __init__(self, writer: SoundWriter, rate: int, samples: int) -> None:
        self._writer, self._left = writer, samples
        self._stream = soxr.ResampleStream(rate, SPEECH_RATE, 1)

    def write(self, samples: Samples, last: bool = False) -> None:
        kept = self._stream.resample_chunk(np.ascontiguousarray(samples, np.float32), last=last)[: self._left]
        self._writer.write(kept)
        self._left -= len(kept)

    def end(self) -> None:
        self.write(np.zeros(0, np.float32), last=True)
        self._writer.write(np.zeros(self._left, np.float32))  # rounding may leave a sample or two


def _blocks_of(tensors: Iterable[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Yield the samples in blocks of one size, so that passes with different shifts are in step."""
    held: torch.Tensor | None = None
    for tensor in tensors:
        held = tensor if held is None else torch.cat([held, tensor], -1)
        while held.shape[-1] >= size:
            yield held[..., :size]
            held = held[..., size:]
    if held is not None and held.shape[-1]:
        yield held


def _mean_and_deviation(blocks: Iterable[Samples]) -> tuple[np.float32, np.float32]:
    """Return the mean and the standard deviation of the channels' mean over the whole mix, as the library computes them
    for normalisation."""
    count, total, squares = 0, 0.0, 0.0
    for block in blocks:
        mono = block.mean(1, dtype=np.float64)
        count, total, squares = count + len(mono), total + mono.sum(), squares + np.dot(mono, mono)
    mean = total / max(count, 1)
    variance = max(squares - count * mean * mean, 0.0) / max(count - 1, 1)
    return np.float32(mean), np.float32(variance**0.5 + 1e-8)


def _resampled(blocks: Iterable[Samples], rate: int, new_rate: int) -> Iterator[Samples]:
    if rate == new_rate:
        yield from blocks
        return
    stream: soxr.ResampleStream | None = None
    for block in blocks:
        stream = stream or soxr.ResampleStream(rate, new_rate, block.shape[1])
        yield stream.resample_chunk(np.ascontiguousarray(block)).reshape(-1, block.shape[1])
    if stream is not None:
        yield stream.resample_chunk(np.zeros((0, block.shape[1]), np.float32), last=True)


def load(models: Mapping[str, Path], device: Device) -> DemucsEngine:
    """Load a bag of models from its folder with the library's own readers.

    The weights are safetensors, as on the library's hub, or `.th` files. The name of a `.th` file has the beginning of
    its sha256, which the library checks.
    """
    torch.set_num_threads(device.threads)
    folder = models["separator"]
    description = next(iter(sorted(folder.glob("*.yaml"))))
    described = yaml.safe_load(description.read_text(encoding="utf-8"))
    files = [folder / f"{signature}.safetensors" for signature in described["models"]]
    if all(file.exists() for file in files):
        parts = [load_safetensors_model(file) for file in files]
        bag = BagOfModels(parts, described.get("weights"), described.get("segment"))
        bag.eval()
    else:
        bag = get_model(description.stem, repo=folder)
    return DemucsEngine(bag, device.kind, int(device.options.get(AT_ONCE) or _AT_ONCE.get(device.kind, 1)))
