"""The server with real models, asked by OpenAI's own client and as Bazarr's provider asks."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Reel
from tests.fakes.web_client import Server, end_server, start_server

CLIENT = ROOT / "tests" / "fakes" / "openai_client.py"
SHORT_S = 16


@pytest.fixture(scope="module")
def clip(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the beginning of the sample as raw samples, as Bazarr makes them."""
    place = tmp_path_factory.mktemp("clip") / "speech.wav"
    demo = str(ROOT / "samples" / "demo.mp4")
    words = ["-i", demo, "-t", str(SHORT_S), "-ac", "1", "-ar", "16000", "-vn", str(place)]
    subprocess.run([ffmpeg, "-v", "error", *words], check=True, stdin=subprocess.DEVNULL)
    return place


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, home: Path, stage_environments: None) -> Iterator[Server]:
    reel = Reel(tmp_path_factory.mktemp("serve"), home)
    reel("envs", "ensure", "serve", "llm")
    started = start_server(reel, "--profile", "starter", "--linger", "60")
    yield started
    end_server(started)


def test_openais_own_client_gets_what_it_asks_for(server: Server, clip: Path, tmp_path: Path) -> None:
    python = ROOT / ".venvs" / "llm" / "bin" / "python"
    variables = {**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-I", CLIENT, server.url, clip], capture_output=True, text=True, env=variables, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    text = told["json"]
    assert len(text.split()) > 10, text
    assert told["text"].strip() == text
    assert told["srt"].startswith("1\n00:00:0")
    assert told["vtt"].startswith("WEBVTT")
    verbose = told["verbose"]
    assert verbose["language"] == "english"
    assert float(verbose["duration"]) == pytest.approx(SHORT_S, abs=0.1)
    assert [word["word"] for word in verbose["words"]][:3] == text.split()[:3]
    assert verbose["segments"][0]["end"] <= SHORT_S
    speakers = {segment["speaker"] for segment in told["diarized"]["segments"]}
    assert speakers == {"A", "B"}
    deltas = "".join(event["delta"] for event in told["stream"] if event["type"] == "transcript.text.delta")
    assert deltas == told["stream"][-1]["text"] == text
    assert told["translation"] == text, "English in English"
    assert {"starter", "whisper-1"} <= set(told["models"])
    assert told["errors"] == {
        "no model": ["NotFoundError", "model", "model_not_found"],
        "no media": ["BadRequestError", None, told["errors"]["no media"][2]],
        "granular": ["BadRequestError", "response_format", "invalid_value"],
    }


def test_bazarrs_provider_gets_subtitles_and_the_language(server: Server, clip: Path) -> None:
    samples = clip.read_bytes()[44:]
    query = "task=transcribe&language=en&output=srt&encode=false&video_file=%2Fdata%2Ftv%2FA%20film.mkv"
    subtitles = _send(server, f"/asr?{query}", samples).decode()
    assert subtitles.startswith("1\n00:00:0")
    told = json.loads(_send(server, "/detect-language?encode=false&video_file=%2Fdata%2Ftv%2FA%20film.mkv", samples))
    assert (told["detected_language"], told["language_code"]) == ("english", "en")
    silence = json.loads(_send(server, "/detect-language?encode=false", bytes(10 * 32_000)))
    assert silence == {"detected_language": "Unknown", "language_code": "und", "confidence": 0.0}


def _send(server: Server, path: str, samples: bytes) -> bytes:
    """Send samples as Bazarr's provider does, through `requests`: one file without a name of its own."""
    border = uuid.uuid4().hex
    head = f'--{border}\r\nContent-Disposition: form-data; name="audio_file"; filename="audio_file"\r\n\r\n'
    body = head.encode() + samples + f"\r\n--{border}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    try:
        connection.request("POST", path, body, {"content-type": f"multipart/form-data; boundary={border}"})
        reply = connection.getresponse()
        assert reply.status == 200
        return reply.read()
    finally:
        connection.close()
