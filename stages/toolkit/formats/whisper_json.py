"""Write a transcript as the JSON of openai-whisper, for the tools that read it.

The keys are those of `whisper --output_format json --word_timestamps True`. Values that a transcript does not have are
neutral: `tokens` is empty, and `seek` is the start of the segment in hundredths of a second.
"""

from __future__ import annotations

import json
import zlib

from shared.documents.transcript import Segment, Transcript
from shared.documents.translation import Translation


def write(transcript: Transcript, translation: Translation | None = None) -> str:
    """Return the document. With a translation, the segments have its text and no words."""
    translated = {segment.id: segment.text for segment in translation.segments} if translation else None
    segments = [
        _segment(segment, translated.get(segment.id, "") if translated is not None else None)
        for segment in transcript.segments
    ]
    document = {
        "text": "".join(str(segment["text"]) for segment in segments),
        "segments": segments,
        "language": translation.target if translation else transcript.language,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _segment(segment: Segment, translated: str | None) -> dict[str, object]:
    text = f" {(segment.text if translated is None else translated).strip()}"
    data = text.encode()
    found: dict[str, object] = {
        "id": segment.id,
        "seek": segment.start_ms // 10,
        "start": segment.start_ms / 1000,
        "end": segment.end_ms / 1000,
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": segment.average_log_probability,
        "compression_ratio": len(data) / len(zlib.compress(data)),
        "no_speech_prob": segment.no_speech_probability,
    }
    if translated is None:
        found["words"] = [
            {
                "word": word.text if word.joined else f" {word.text}",
                "start": word.start_ms / 1000,
                "end": word.end_ms / 1000,
                "probability": word.probability,
            }
            for word in segment.words
        ]
    return found
