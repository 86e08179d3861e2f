"""Transcribe with Whisper through faster-whisper and CTranslate2, several windows of half a minute at once.

The temperature is always 0: CTranslate2's sampling cannot be seeded again, so a retry at a higher temperature would
make the text depend on the worker's earlier jobs. No text is carried from one window to the next, which stops a
repetition from feeding itself. A batch holds windows of one file only, so the text of a file does not depend on others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

from shared.documents.speech import Region
from shared.stage import Device
from stages.asr.decoded import DecodedSegment, DecodedWord
from stages.asr.stage import RETRY_NGRAM, RETRY_PENALTY, AsrParams
from stages.asr.windows import WINDOW_MS, JoinedWindow, joined_windows
from stages.toolkit.audio.waveform import SPEECH_RATE, read_pack
from stages.toolkit.whisper.codes import whisper_code
from stages.toolkit.whisper.ctranslate2 import Whisper, load_model

_BATCH_SIZE = 8
_FRAMES_PER_S = 100  # of the library's `seek`, which it rounds down


class FasterWhisperEngine(Whisper):
    """A loaded Whisper that decodes windows in batches."""

    longest_ms = WINDOW_MS

    def __init__(self, model: WhisperModel, batch_size: int) -> None:
        super().__init__(model)
        self._batch_size = batch_size

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        """Decode a pack, as many windows at once as a batch has. Each window gets the prompt."""
        size = params.batch_size or self._batch_size
        windows = joined_windows(pack)
        for begin in range(0, len(windows), size):
            yield from self._decode(audio, windows[begin : begin + size], whisper_code(language), params, retry)

    def _decode(
        self, audio: Path, batch: Sequence[JoinedWindow], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        parts = [read_pack(audio, window.stretches) for window in batch]
        edges = list(accumulate((len(part) for part in parts), initial=0))
        clips = [{"start": start / SPEECH_RATE, "end": end / SPEECH_RATE} for start, end in pairwise(edges)]
        segments, _ = BatchedInferencePipeline(self._model).transcribe(
            np.concatenate(parts),
            clip_timestamps=clips,
            batch_size=len(batch),
            language=language,
            beam_size=params.beam_size,
            patience=params.patience,
            temperature=0.0,
            repetition_penalty=RETRY_PENALTY if retry else 1.0,
            no_repeat_ngram_size=RETRY_NGRAM if retry else 0,
            initial_prompt=f" {params.initial_prompt.strip()}" if params.initial_prompt else None,
            hotwords=params.hotwords,
            word_timestamps=True,
        )
        begins = [clip["start"] for clip in clips]
        for segment in segments:
            window = max(bisect_right(begins, segment.seek / _FRAMES_PER_S + 1 / _FRAMES_PER_S) - 1, 0)
            shift = batch[window].start_ms - round(begins[window] * 1000)
            yield DecodedSegment(
                words=tuple(
                    DecodedWord(
                        word.word,
                        round(word.start * 1000) + shift,
                        round(word.end * 1000) + shift,
                        float(word.probability),
                    )
                    for word in segment.words or ()
                ),
                average_log_probability=float(segment.avg_logprob),
                no_speech_probability=float(segment.no_speech_prob),
            )


def load(models: Mapping[str, Path], device: Device) -> FasterWhisperEngine:
    """Load the model."""
    return FasterWhisperEngine(load_model(models["whisper"], device), _BATCH_SIZE)
