"""Asks a server as a program does that uses OpenAI's own client; run in an environment that has it.

    openai_client.py URL FILE

Prints one JSON object with what each call returned.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openai import APIStatusError, OpenAI


def main(url: str, file: str) -> None:
    """Make every kind of call."""
    client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=600)
    sound = Path(file)
    audio = client.audio
    found: dict[str, Any] = {}
    found["json"] = audio.transcriptions.create(model="whisper-1", file=sound).text
    for kind in ("text", "srt", "vtt"):
        found[kind] = audio.transcriptions.create(model="starter", file=sound, response_format=kind)
    verbose = audio.transcriptions.create(
        model="whisper-1", file=sound, response_format="verbose_json", language="en", prompt="A conversation.",
        timestamp_granularities=["word", "segment"],
    )  # fmt: skip
    found["verbose"] = verbose.model_dump()
    diarized = audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize", file=sound, response_format="diarized_json", chunking_strategy="auto"
    )
    found["diarized"] = diarized.model_dump()
    stream = audio.transcriptions.create(model="whisper-1", file=sound, stream=True)
    found["stream"] = [event.model_dump() for event in stream]
    found["translation"] = audio.translations.create(model="whisper-1", file=sound).text
    found["models"] = [model.id for model in client.models.list()]
    bad: dict[str, Callable[[], object]] = {
        "no model": lambda: audio.transcriptions.create(model="none", file=sound),
        "no media": lambda: audio.transcriptions.create(model="whisper-1", file=("a.wav", b"this is no sound")),
        "granular": lambda: audio.transcriptions.create(
            model="whisper-1", file=sound, timestamp_granularities=["word"]
        ),
    }
    found["errors"] = {name: _error(call) for name, call in bad.items()}
    print(json.dumps(found))


def _error(call: Callable[[], object]) -> list[object]:
    try:
        call()
    except APIStatusError as error:
        return [type(error).__name__, error.param, error.code]
    return []


if __name__ == "__main__":
    main(*sys.argv[1:])
