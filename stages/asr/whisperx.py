"""Transcribe with Whisper through WhisperX: windows of half a minute, several at once, and no times for words.

The library would detect speech itself; the engine gives it the windows of our own speech regions instead
(`stages/asr/windows.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch
from whisperx.asr import FasterWhisperPipeline, load_model
from whisperx.vads import Vad

from shared.documents.speech import Region
from shared.stage import Device
from stages.asr.decoded import DecodedSegment
from stages.asr.stage import RETRY_NGRAM, RETRY_PENALTY, AsrParams
from stages.asr.windows import WINDOW_MS, Window, segment_of_window, windows_of
from stages.toolkit.audio.waveform import SPEECH_RATE, Waveform, open_speech
from stages.toolkit.whisper.codes import whisper_code
from stages.toolkit.whisper.ctranslate2 import Whisper, compute_type, device_name

_BATCH_SIZE = {"cuda": 16}
_BATCH_SIZE_ELSEWHERE = 4


class GivenWindows(Vad):  # type: ignore[misc]  # the library has no types
    """Takes the place of the library's voice activity detector, and returns the windows that it was given."""

    def __init__(self) -> None:
        super().__init__(vad_onset=0.5)  # must be a probability; it has no effect here
        self.windows: Sequence[Mapping[str, float]] = ()

    def __call__(self, audio: object) -> Sequence[Mapping[str, float]]:
        return self.windows

    @staticmethod
    def preprocess_audio(audio: object) -> object:
        return audio

    @staticmethod
    def merge_chunks(
        segments: Sequence[Mapping[str, float]], chunk_size: float, onset: float, offset: float | None
    ) -> Sequence[Mapping[str, float]]:
        return segments


class WhisperXEngine(Whisper):
    """A loaded pipeline."""

    longest_ms = WINDOW_MS

    def __init__(self, pipeline: FasterWhisperPipeline, windows: GivenWindows, batch_size: int) -> None:
        super().__init__(pipeline.model)
        self._pipeline, self._windows, self._batch_size = pipeline, windows, batch_size
        self._options = pipeline.options

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        """Decode a pack, as many windows at once as a batch has."""
        self._pipeline.options = replace(
            self._options,
            beam_size=params.beam_size,
            patience=params.patience,
            initial_prompt=params.initial_prompt,
            hotwords=params.hotwords,
            repetition_penalty=RETRY_PENALTY if retry else 1.0,
            no_repeat_ngram_size=RETRY_NGRAM if retry else 0,
        )
        waveform, windows = open_speech(audio), windows_of(pack)
        size = params.batch_size or self._batch_size
        for begin in range(0, len(windows), size):
            yield from self._decode(waveform, windows[begin : begin + size], whisper_code(language), size)

    def _decode(
        self, waveform: Waveform, batch: Sequence[Window], language: str, size: int
    ) -> Iterator[DecodedSegment]:
        parts = [waveform.read(window.audio.start_ms, window.audio.end_ms) for window in batch]
        edges = list(accumulate((len(part) / SPEECH_RATE for part in parts), initial=0.0))
        self._windows.windows = [{"start": start, "end": end} for start, end in pairwise(edges)]
        result = self._pipeline.transcribe(np.concatenate(parts), batch_size=size, language=language, task="transcribe")
        for window, segment in zip(batch, result["segments"], strict=True):
            yield segment_of_window(window, str(segment["text"]), float(segment["avg_logprob"]))


def load(models: Mapping[str, Path], device: Device) -> WhisperXEngine:
    """Load the pipeline from the model's folder, without asking the network for anything."""
    torch.set_num_threads(device.threads)
    windows = GivenWindows()
    pipeline = load_model(
        str(models["whisper"]),
        device_name(device),
        compute_type=compute_type(device),
        vad_model=windows,
        threads=device.threads,
        local_files_only=True,
    )
    return WhisperXEngine(pipeline, windows, _BATCH_SIZE.get(device.kind, _BATCH_SIZE_ELSEWHERE))
