"""Transcribe with Canary-Qwen through NeMo: a speech encoder whose output a language model reads. English; no times
for words.

Decoding is greedy. The user's prompt is not passed on: the model answers requests, so its only request is the
transcript.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from nemo.collections.speechlm2.models import SALM
from safetensors.torch import load_model
from transformers import GenerationConfig

from shared.documents.speech import Region
from shared.stage import Device
from stages.asr.decoded import DecodedSegment
from stages.asr.stage import AsrParams
from stages.asr.windows import WINDOW_MS, segment_of_window, windows_of
from stages.toolkit.audio.waveform import open_speech

_MOST_WINDOW_TOKENS = 256  # of a window; half a minute of fast talk has about 150
_PENALTY = 1.1  # against a repetition, at the second try only


class CanaryEngine:
    """A loaded SALM."""

    longest_ms = WINDOW_MS
    languages = frozenset({"en"})

    def __init__(self, model: SALM) -> None:
        self._model = model

    def prompt_fits(self, text: str) -> bool:
        """Return true: the model takes no prompt."""
        return True

    def duration_ms(self, audio: Path) -> int:
        return open_speech(audio).duration_ms

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> dict[str, float]:
        return {"en": 1.0}

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, retry: bool
    ) -> Iterator[DecodedSegment]:
        """Decode a pack, window after window."""
        waveform = open_speech(audio)
        request = {"role": "user", "content": f"Transcribe the following: {self._model.audio_locator_tag}"}
        for window in windows_of(pack):
            samples = torch.from_numpy(waveform.read(window.audio.start_ms, window.audio.end_ms))[None]
            with torch.inference_mode():
                answer = self._model.generate(
                    prompts=[[request]],
                    audios=samples.to(self._model.device),
                    audio_lens=torch.tensor([samples.shape[1]], device=self._model.device),
                    generation_config=self._greedy(_PENALTY if retry else 1.0),
                )[0]
            text = self._model.tokenizer.ids_to_text(answer.cpu()).strip()
            if text:
                yield segment_of_window(window, text, 0.0)

    def _greedy(self, penalty: float) -> GenerationConfig:
        return GenerationConfig(
            bos_token_id=self._model.text_bos_id,
            eos_token_id=self._model.text_eos_id,
            pad_token_id=self._model.text_pad_id,
            max_new_tokens=_MOST_WINDOW_TOKENS,
            repetition_penalty=penalty,
        )


def load(models: Mapping[str, Path], device: Device) -> CanaryEngine:
    """Build the model from its folder. Raises `ValueError` if the weights are incomplete.

    The model's configuration names the language model by its repository; it gets the folder with the tokenizer and
    configuration instead. The weights of both are in the model's one file.
    """
    torch.set_num_threads(device.threads)
    folder, language_model = models["recognizer"], str(models["tokenizer"])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = SALM({**config, "pretrained_llm": language_model, "pretrained_weights": False})
    missing, _ = load_model(model, folder / "model.safetensors", strict=False)
    if lacking := sorted(set(missing) & {name for name, _ in model.named_parameters()}):
        raise ValueError(f"{folder / 'model.safetensors'} lacks {len(lacking)} weights, {lacking[0]} for one")
    return CanaryEngine(model.eval().to(device.kind))
