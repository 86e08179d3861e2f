"""Translate with Whisper's own translation: it decodes the audio of each segment, by itself, into English.

Each segment is decoded by itself, because a decode of several segments has other boundaries, and there must be one text
for each segment. A short window makes that affordable: the encoder takes 1.6 CPU seconds for its full 30 s and 0.27 for
10 s, and ten clips in seven languages were translated no worse with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio

from shared.documents.speech import Region
from shared.documents.transcript import Segment
from shared.stage import Device, StageError
from shared.text.language import primary
from stages.toolkit.audio.waveform import Samples, Waveform, open_speech
from stages.toolkit.whisper.codes import whisper_code
from stages.toolkit.whisper.ctranslate2 import languages_of, load_model
from stages.translate.doubts import report_doubts
from stages.translate.stage import Work

_BEAM_SIZE = 5
_SHORTEST_FRAMES = 1_000  # of 10 ms each
_QUIET_FRAMES = 50  # silence after the speech, which shows Whisper that it ends
_PAD_MS = 200
# English needs three or four tokens a second; the rest is room for figures and names. The limit ends a repetition.
_TOKENS, _TOKENS_PER_SECOND = 24, 8
_REPETITION = 2.4  # Whisper's own threshold of the compression ratio
_LONGEST_MS = 29_000


class WhisperTranslateEngine:
    """A loaded Whisper that writes English."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self._languages = languages_of(model)

    def translate(self, work: Work) -> Sequence[str]:
        """Return English text for each segment; the glossary has no effect. Raises `StageError` for a language that the
        model does not know, and without audio."""
        source = primary(work.source)
        if source not in self._languages or not self._model.model.is_multilingual:
            raise StageError(
                "translate.pair",
                f"this Whisper does not translate {source} to {work.target}; it hears"
                f" {', '.join(sorted(self._languages))}",
                "choose another backend or a multilingual model",
            )
        tokenizer = Tokenizer(self._model.hf_tokenizer, True, task="translate", language=whisper_code(source))
        if work.audio is None:
            raise StageError(
                "translate.no-sound",
                "backend `whisper` translates what it hears, and a subtitle without its film has no sound",
                "leave `translate.backend` out, and another backend translates the text",
            )
        waveform = open_speech(work.audio)
        found: list[tuple[str, float]] = []
        for stretch in _stretches(work.segments, waveform):
            found.append(self._translate(waveform.read(stretch.start_ms, stretch.end_ms), tokenizer))
            work.progress(len(found) / len(work.segments))
        report_doubts(work, [score for _, score in found])
        return [text for text, _ in found]

    def _translate(self, samples: Samples, tokenizer: Tokenizer) -> tuple[str, float]:
        """Return the text of one stretch and its mean log probability. A text that repeats itself is decoded once more
        with repetition forbidden."""
        if not len(samples):
            return "", 0.0
        features = self._model.feature_extractor(samples)
        frames = features.shape[-1] + _QUIET_FRAMES
        window = min(max(frames + frames % 2, _SHORTEST_FRAMES), self._model.feature_extractor.nb_max_frames)
        encoded = self._model.encode(pad_or_trim(features, window))
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        text, score = "", 0.0
        for no_repeat_ngram_size in (0, 3):
            result = self._model.model.generate(
                encoded,
                [prompt],
                beam_size=_BEAM_SIZE,
                max_length=min(len(prompt) + _TOKENS + _TOKENS_PER_SECOND * features.shape[-1] // 100, 448),
                no_repeat_ngram_size=no_repeat_ngram_size,
                return_scores=True,
            )[0]
            text, score = str(tokenizer.decode(result.sequences_ids[0])).strip(), float(result.scores[0])
            if get_compression_ratio(text) <= _REPETITION:
                break
        return text, score


def _stretches(segments: Sequence[Segment], waveform: Waveform) -> Iterator[Region]:
    """Yield the stretch of each segment, with a part of the pauses around it and nothing of its neighbours."""
    for index, segment in enumerate(segments):
        before = segments[index - 1].end_ms if index else 0
        after = segments[index + 1].start_ms if index + 1 < len(segments) else waveform.duration_ms
        start = max(segment.start_ms - _PAD_MS, min((before + segment.start_ms) // 2, segment.start_ms))
        end = min(segment.end_ms + _PAD_MS, max((segment.end_ms + after) // 2, segment.end_ms))
        yield Region(start_ms=start, end_ms=min(end, start + _LONGEST_MS))


def load(models: Mapping[str, Path], device: Device) -> WhisperTranslateEngine:
    return WhisperTranslateEngine(load_model(models["whisper"], device))
