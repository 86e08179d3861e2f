"""The forms in which OpenAI's audio interface answers, made from what a job has published. Pure."""

from __future__ import annotations

import json
import string
import zlib
from collections.abc import Collection, Iterator
from typing import Any

from pipeline.web.apis.answers import Answer
from shared.documents.transcript import Segment
from shared.text.language import english_name

Data = dict[str, Any]


def usage(answer: Answer) -> Data:
    """Return what was heard, as OpenAI counts it."""
    return {"type": "duration", "seconds": answer.billed_s}


def plain_json(answer: Answer) -> Data:
    """Return the format `json`."""
    return {"text": answer.text, "usage": usage(answer)}


def verbose_json(answer: Answer, task: str, granularities: Collection[str]) -> Data:
    """Return the format `verbose_json`, with `segments`, `words` or both."""
    data: Data = {
        "task": task, "language": english_name(answer.language).lower(), "duration": answer.duration_s,
        "text": answer.text,
    }  # fmt: skip
    if "segment" in granularities:
        data["segments"] = [_verbose(number, *one) for number, one in enumerate(answer.segments)]
    if "word" in granularities:
        data["words"] = [word for segment, _ in answer.segments for word in _words(segment)]
    return {**data, "usage": usage(answer)}


def diarized_json(answer: Answer, task: str) -> Data:
    """Return the format `diarized_json`: who said what, the speakers as `A`, `B` and so on."""
    segments = list(diarized_segments(answer))
    return {
        "task": task, "duration": answer.duration_s, "text": answer.text, "segments": segments,
        "usage": usage(answer),
    }  # fmt: skip


def diarized_segments(answer: Answer) -> Iterator[Data]:
    """Yield the segments of `diarized_json`, which are also its events in a stream."""
    letters: dict[str | None, str] = {}
    for number, (segment, text) in enumerate(answer.segments):
        speaker = letters.setdefault(segment.speaker, _letters(len(letters)))
        yield {
            "type": "transcript.text.segment", "id": f"seg_{number:03}", "start": segment.start_ms / 1000,
            "end": segment.end_ms / 1000, "text": text, "speaker": speaker,
        }  # fmt: skip


def stream_events(answer: Answer, *, diarized: bool, sent: str = "") -> Iterator[Data]:
    """Yield the events of a stream, without those for the text that was `sent` already."""
    if diarized:
        yield from diarized_segments(answer)
    elif answer.text.startswith(sent):
        rest = answer.text[len(sent) :]
        yield from ({"type": "transcript.text.delta", "delta": piece} for piece in _pieces(rest))
    done = {"type": "transcript.text.done", "text": answer.text, "usage": usage(answer)}
    segments = [
        {"id": number, "start": segment.start_ms / 1000, "end": segment.end_ms / 1000, "text": text,
         "speaker": segment.speaker}
        for number, (segment, text) in enumerate(answer.segments)
    ]  # fmt: skip
    yield {**done, "segments": segments}


def as_sse(event: Data) -> str:
    """Return an event of a stream as its line."""
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n"


def tab_separated(answer: Answer) -> str:
    """Return the segments as Whisper's `tsv`: start and end in milliseconds, and the text."""
    rows = [f"{segment.start_ms}\t{segment.end_ms}\t{text}" for segment, text in answer.segments]
    return "\n".join(["start\tend\ttext", *rows]) + "\n"


def whisper_json(answer: Answer) -> Data:
    """Return the segments and words as Whisper's own `json`."""
    segments = [
        {**_verbose(number, segment, text), "words": list(_words(segment))}
        for number, (segment, text) in enumerate(answer.segments)
    ]
    return {"text": answer.text, "segments": segments, "language": answer.language}


def _verbose(number: int, segment: Segment, text: str) -> Data:
    encoded = text.encode()
    return {
        "id": number, "seek": 0, "start": segment.start_ms / 1000, "end": segment.end_ms / 1000, "text": text,
        "tokens": [], "temperature": 0.0, "avg_logprob": segment.average_log_probability,
        "compression_ratio": len(encoded) / len(zlib.compress(encoded)),
        "no_speech_prob": segment.no_speech_probability,
        **({"speaker": segment.speaker} if segment.speaker else {}),
    }  # fmt: skip


def _words(segment: Segment) -> Iterator[Data]:
    for word in segment.words:
        yield {
            "word": word.text, "start": word.start_ms / 1000, "end": word.end_ms / 1000,
            "probability": word.probability, **({"speaker": word.speaker} if word.speaker else {}),
        }  # fmt: skip


def _letters(number: int) -> str:
    """Return `A` for 0, `Z` for 25, `AA` for 26."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = string.ascii_uppercase[rest] + letters
    return letters


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces of a few words."""
    while len(text) > 80 and (cut := text.find(" ", 60)) > 0:
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text
