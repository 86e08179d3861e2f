"""Whisper through faster-whisper and CTranslate2.

One temperature, 0: CTranslate2's sampling cannot be seeded again, so a second try at a higher one would make the
text depend on what the worker did before. Nothing is carried from window to window either, which stops a repetition
from feeding itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import _LANGUAGE_CODES

from shared.language import parse_language
from shared.speech import Region
from shared.stage import Device
from stages.asr import AsrParams, Heard, HeardWord
from stages.backends.waveform import open_speech, read_pack

# The encoder takes less than its 30 s window, at a sixth of the time for 10 s. 26 clips of 1 to 7 s in eight languages
# were told apart as with the full window (25 right, the same one wrong); without any padding two more went wrong.
_SHORTEST_FRAMES = 1_000
# Against a repetition, without sampling. They spoil what repeats itself by intent, so they are for the second try only.
_AGAIN_PENALTY, _AGAIN_NGRAM = 1.1, 5
_WHISPER_CODES = {"jv": "jw"}  # where Whisper's code is not BCP-47


class FasterWhisperEngine:
    """A loaded Whisper."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self.languages = languages_of(model)

    def duration_ms(self, audio: Path) -> int:
        """How long the audio is."""
        return open_speech(audio).duration_ms

    def identify_language(self, audio: Path, pack: Sequence[Region]) -> tuple[str, float]:
        """The language that most probably is spoken, and how probably."""
        if not self._model.model.is_multilingual:
            return "en", 1.0
        features = self._model.feature_extractor(read_pack(audio, pack))
        frames = min(max(features.shape[-1], _SHORTEST_FRAMES), self._model.feature_extractor.nb_max_frames)
        heard = self._model.encode(pad_or_trim(features, frames + frames % 2))
        token, probability = self._model.model.detect_language(heard)[0][0]
        return parse_language(token.strip("<|>")), float(probability)

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, again: bool
    ) -> Iterator[Heard]:
        """Decode a pack, segment by segment. Whisper's own windows move on by what they understood."""
        segments, _ = self._model.transcribe(
            read_pack(audio, pack),
            language=whisper_code(language),
            beam_size=params.beam_size,
            patience=params.patience,
            temperature=0.0,
            repetition_penalty=_AGAIN_PENALTY if again else 1.0,
            no_repeat_ngram_size=_AGAIN_NGRAM if again else 0,
            initial_prompt=params.initial_prompt,
            hotwords=params.hotwords,
            condition_on_previous_text=False,
            word_timestamps=True,
            # The library would skip a silent window without a word; the stage does it, and says so.
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        for segment in segments:
            yield Heard(
                words=tuple(
                    HeardWord(word.word, round(word.start * 1000), round(word.end * 1000), float(word.probability))
                    for word in segment.words or ()
                ),
                average_log_probability=float(segment.avg_logprob),
                no_speech_probability=float(segment.no_speech_prob),
            )


def languages_of(model: WhisperModel) -> frozenset[str]:
    """BCP-47 tags of what the model can hear; later Whispers know more than earlier ones."""
    if not model.model.is_multilingual:
        return frozenset({"en"})
    known = [code for code in _LANGUAGE_CODES if model.hf_tokenizer.token_to_id(f"<|{code}|>") is not None]
    return frozenset(parse_language(code) for code in known)


def whisper_code(language: str) -> str:
    """Whisper's code of a BCP-47 primary language."""
    return _WHISPER_CODES.get(language, language)


def load_model(path: Path, device: Device) -> WhisperModel:
    """Load a CTranslate2 Whisper from its folder, without asking the network for anything."""
    cuda = device.kind == "cuda"
    return WhisperModel(
        str(path),
        device="cuda" if cuda else "cpu",  # CTranslate2 has no Metal
        compute_type=str(device.options.get("compute_type") or ("float16" if cuda else "int8")),
        cpu_threads=device.threads,
        local_files_only=True,
    )


def load(models: Mapping[str, Path], device: Device) -> FasterWhisperEngine:
    return FasterWhisperEngine(load_model(models["whisper"], device))
