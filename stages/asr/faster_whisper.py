"""Whisper through faster-whisper and CTranslate2, one window after the other.

One temperature, 0: CTranslate2's sampling cannot be seeded again, so a second try at a higher one would make the
text depend on what the worker did before. Nothing is carried from window to window either, which stops a repetition
from feeding itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shared.documents.speech import Region
from shared.stage import Device
from stages.asr.heard import Heard, HeardWord
from stages.asr.packs import PACK_MS
from stages.asr.stage import AGAIN_NGRAM, AGAIN_PENALTY, AsrParams
from stages.toolkit.audio.waveform import read_pack
from stages.toolkit.whisper.codes import whisper_code
from stages.toolkit.whisper.ctranslate2 import Whisper, load_model


class FasterWhisperEngine(Whisper):
    """A loaded Whisper that moves its windows on by what it understood."""

    longest_ms = PACK_MS

    def transcribe(
        self, audio: Path, pack: Sequence[Region], language: str, params: AsrParams, again: bool
    ) -> Iterator[Heard]:
        """Decode a pack, segment by segment."""
        segments, _ = self._model.transcribe(
            read_pack(audio, pack),
            language=whisper_code(language),
            beam_size=params.beam_size,
            patience=params.patience,
            temperature=0.0,
            repetition_penalty=AGAIN_PENALTY if again else 1.0,
            no_repeat_ngram_size=AGAIN_NGRAM if again else 0,
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


def load(models: Mapping[str, Path], device: Device) -> FasterWhisperEngine:
    return FasterWhisperEngine(load_model(models["whisper"], device))
