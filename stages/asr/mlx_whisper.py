"""Transcribe with Whisper through MLX: on Apple's GPUs, and on any processor that MLX has a build for.

MLX has no beam search: decoding is greedy, and `beam_size` and `patience` have no effect. Hotwords are part of the
initial prompt. A retry of a repetition is sampled, which MLX's seed makes repeatable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import mlx.core as mx
from mlx_whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim
from mlx_whisper.tokenizer import LANGUAGES, get_tokenizer
from mlx_whisper.transcribe import ModelHolder, transcribe

from shared.documents.speech import Region
from shared.stage import Device
from shared.text.language import parse_language
from stages.asr.decoded import DecodedSegment, DecodedWord
from stages.asr.stage import AsrParams
from stages.asr.windows import WINDOW_MS, JoinedWindow, joined_windows
from stages.toolkit.audio.waveform import open_speech, read_pack
from stages.toolkit.whisper.codes import whisper_code

_RETRY_TEMPERATURE, _SEED = 0.4, 0
_NO_PROBABILITY = -100.0
_MOST_LANGUAGES = 5


class MlxWhisperEngine:
    """A Whisper that the library holds by its folder."""

    longest_ms = WINDOW_MS

    def __init__(self, folder: Path, dtype: mx.Dtype) -> None:
        self._folder, self._dtype = str(folder), dtype
        self._model = ModelHolder.get_model(self._folder, dtype)
        self._model.set_dtype(dtype)  # of the weights too: the library refuses to mix them
        self._tokenizer = get_tokenizer(self._model.is_multilingual, num_languages=self._model.num_languages)
        codes = list(LANGUAGES)[: self._model.num_languages] if self._model.is_multilingual else ["en"]
        self.languages = frozenset(parse_language(code) for code in codes)

    def prompt_fits(self, text: str) -> bool:
        """Tell whether a text fits into the half of its context that Whisper reserves for a prompt."""
        return len(self._tokenizer.encode(f" {text}")) < int(self._model.dims.n_text_ctx) // 2

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        """Return the five most probable languages, with their probabilities."""
        if not self._model.is_multilingual:
            return {"en": 1.0}
        features = log_mel_spectrogram(read_pack(audio, pack), n_mels=self._model.dims.n_mels, padding=N_SAMPLES)
        _, probabilities = self._model.detect_language(pad_or_trim(features, N_FRAMES, axis=-2).astype(self._dtype))
        likely = sorted(probabilities, key=probabilities.get, reverse=True)[:_MOST_LANGUAGES]
        return {parse_language(code): float(probabilities[code]) for code in likely}

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        """Decode a pack, window after window, because the library follows the prompt in its first window only."""
        for window in joined_windows(pack):
            yield from self._decode(audio, window, language, params, retry)

    def _decode(
        self, audio: Path, window: JoinedWindow, language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        mx.random.seed(_SEED)
        prompt = " ".join(part for part in (params.hotwords, params.initial_prompt) if part)
        result = transcribe(
            read_pack(audio, window.stretches),
            path_or_hf_repo=self._folder,
            fp16=self._dtype == mx.float16,
            language=whisper_code(language),
            temperature=_RETRY_TEMPERATURE if retry else 0.0,
            initial_prompt=prompt or None,
            condition_on_previous_text=False,
            word_timestamps=True,
            # The library would skip a silent window without notice; the stage does it and records it.
            no_speech_threshold=None,
            logprob_threshold=None,
            compression_ratio_threshold=None,
        )
        for segment in result["segments"]:
            yield DecodedSegment(
                words=tuple(
                    DecodedWord(
                        word["word"],
                        window.start_ms + round(word["start"] * 1000),
                        window.start_ms + round(word["end"] * 1000),
                        float(word["probability"]),
                    )
                    for word in segment["words"]
                ),
                average_log_probability=_finite(float(segment["avg_logprob"])),
                no_speech_probability=float(segment["no_speech_prob"]),
            )


def _finite(log_probability: float) -> float:
    """Return the log probability, or a very low one in place of an infinite one: the library's rules for timestamps can
    rule out every token, and the token that it then takes has no probability."""
    return log_probability if math.isfinite(log_probability) else _NO_PROBABILITY


def load(models: Mapping[str, Path], device: Device) -> MlxWhisperEngine:
    """Load the weights, `.safetensors` or `.npz`, from the model's folder; the library then asks no hub."""
    mx.set_default_device(mx.cpu if device.kind == "cpu" else mx.gpu)
    single = device.options.get("compute_type") == "float32"
    return MlxWhisperEngine(models["whisper"], mx.float32 if single else mx.float16)
