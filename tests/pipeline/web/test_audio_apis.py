"""Claims about the requests of OpenAI's clients and Bazarr's provider, and their answers, on stub stages."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.fakes.web_client import Reply, Server, until
from tests.pipeline.web.conftest import DEMO
from tests.processes import children

Serve = Callable[..., Server]
SECOND = 32_000  # bytes of raw samples


def form(fields: Sequence[tuple[str, str]], name: str, content: bytes, filename: str) -> tuple[bytes, dict[str, str]]:
    """Return a multipart body as Python's clients write it, and its headers."""
    border = uuid.uuid4().hex
    head = "".join(
        f'--{border}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n' for key, value in fields
    )
    head += f'--{border}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    body = head.encode() + content + f"\r\n--{border}--\r\n".encode()
    return body, {"content-type": f"multipart/form-data; boundary={border}"}


def transcribe(
    server: Server, *fields: tuple[str, str], path: str = "transcriptions", content: bytes | None = None
) -> Reply:
    body, headers = form([("model", "whisper-1"), *fields], "file", content or DEMO.read_bytes(), "demo.mp4")
    return server.ask("POST", f"/v1/audio/{path}", body, headers)


def asr(server: Server, query: str, content: bytes, path: str = "/asr") -> Reply:
    body, headers = form([], "audio_file", content, "audio_file")
    return server.ask("POST", f"{path}?{query}", body, headers)


def test_every_format_of_openai_is_answered_in_its_form(serve: Serve) -> None:
    server = serve()
    plain = transcribe(server)
    assert (plain.status, plain.headers["content-type"]) == (200, "application/json")
    assert plain.data["usage"] == {"type": "duration", "seconds": 4}
    text = plain.data["text"]
    assert text
    assert transcribe(server, ("response_format", "text")).body.decode() == f"{text}\n"
    srt = transcribe(server, ("response_format", "srt"))
    assert (srt.status, srt.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert transcribe(server, ("response_format", "vtt")).body.startswith(b"WEBVTT")
    granular = [("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment")]
    verbose = transcribe(server, ("response_format", "verbose_json"), *granular).data
    assert (verbose["task"], verbose["language"], verbose["duration"]) == ("transcribe", "english", 4.0)
    assert verbose["words"][0].keys() >= {"word", "start", "end"}
    assert verbose["segments"][0].keys() >= {"id", "seek", "tokens", "temperature", "avg_logprob", "no_speech_prob"}
    segments_only = transcribe(server, ("response_format", "verbose_json")).data
    assert "words" not in segments_only
    diarized = transcribe(server, ("response_format", "diarized_json")).data
    assert {segment["speaker"] for segment in diarized["segments"]} <= {"A", "B"}
    assert diarized["segments"][0]["type"] == "transcript.text.segment"
    translated = transcribe(server, ("response_format", "verbose_json"), path="translations").data
    assert (translated["task"], translated["language"]) == ("translate", "english")


def test_a_stream_ends_with_the_whole_text(serve: Serve) -> None:
    server = serve()
    for more in ((), (("response_format", "diarized_json"),)):
        reply = transcribe(server, ("stream", "true"), *more)
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in reply.body.decode().splitlines() if line.startswith("data: ")]
        events = [json.loads(line.removeprefix("data: ")) for line in lines]
        assert events[-1]["type"] == "transcript.text.done"
        assert events[-1]["segments"]
        deltas = "".join(event["delta"] for event in events if event["type"] == "transcript.text.delta")
        kinds = {event["type"] for event in events[:-1]}
        if more:
            assert kinds == {"transcript.text.segment"}
        else:
            assert kinds == {"transcript.text.delta"}
            assert deltas == events[-1]["text"]


def test_a_mistake_is_told_in_the_form_of_openai(serve: Serve) -> None:
    server = serve()
    granular = "timestamp_granularities[]"
    bad: list[tuple[list[tuple[str, str]], int, str]] = [
        ([("response_format", "xml")], 400, "response_format"),
        ([(granular, "word")], 400, "response_format"),
        ([("response_format", "verbose_json"), (granular, "char")], 400, granular),
        ([("known_speaker_names[]", "Anna")], 400, "known_speaker_names"),
    ]  # fmt: skip
    for fields, status, param in bad:
        reply = transcribe(server, *fields)
        assert (reply.status, reply.data["error"]["param"]) == (status, param), reply.body
        assert reply.data["error"].keys() == {"message", "type", "param", "code"}
    body, headers = form([("model", "none")], "file", b"x", "a.wav")
    unknown = server.ask("POST", "/v1/audio/transcriptions", body, headers)
    assert (unknown.status, unknown.data["error"]["code"]) == (404, "model_not_found")
    body, headers = form([], "other", b"x", "a.wav")
    assert server.ask("POST", "/v1/audio/transcriptions", body, headers).data["error"]["param"] == "model"
    assert server.ask("POST", "/v1/audio/transcriptions", {"model": "whisper-1"}).status == 400
    language = transcribe(server, ("language", "klingonish"))
    assert (language.status, language.data["error"]["type"]) == (422, "invalid_request_error")
    ignored = transcribe(server, ("temperature", "0.7"))
    assert (ignored.status, ignored.headers["reel-ignored"]) == (200, "temperature")
    models = server.ask("GET", "/v1/models").data["data"]
    assert {"starter", "best", "whisper-1"} <= {model["id"] for model in models}
    assert server.ask("GET", "/v1/models/none").status == 404


@pytest.mark.parametrize(("output", "begin"), [("srt", ""), ("vtt", "WEBVTT"), ("tsv", "start\t"), ("json", "{")])
def test_bazarr_gets_its_subtitles_for_raw_samples(serve: Serve, output: str, begin: str) -> None:
    server = serve()
    query = f"task=transcribe&language=en&output={output}&encode=false&video_file=/data/tv/A%20film.mkv"
    reply = asr(server, query, b"\0" * SECOND)
    assert (reply.status, reply.headers["asr-engine"]) == (200, "reel")
    assert reply.headers["content-type"].startswith("text/plain")
    assert reply.body.decode().startswith(begin)
    (job,) = server.ask("GET", "/api/1/jobs").data["jobs"]
    assert (job["label"], Path(job["media"]).read_bytes()[:4]) == ("A film.mkv.wav", b"RIFF")
    translated = asr(server, f"task=translate&language=es&output={output}&encode=false", b"\0" * SECOND)
    assert translated.status == 200


def test_bazarr_never_gets_an_error_as_a_subtitle(serve: Serve) -> None:
    server = serve()
    for reply in (
        asr(server, "output=docx", b"\0" * SECOND),
        asr(server, "output=srt", b""),
        asr(server, "output=srt&language=klingonish", b"\0" * SECOND),
        server.ask("POST", "/asr?output=srt", b"no form", {"content-type": "text/plain"}),
    ):
        assert reply.status >= 500
        assert reply.body == b""
        assert reply.headers["reel-error"]
    assert server.ask("GET", "/asr").status == 405
    assert "version" in server.ask("GET", "/status").data


def test_the_language_of_a_file_is_told_with_the_keys_that_every_provider_reads(serve: Serve) -> None:
    server = serve()
    reply = asr(server, "encode=false", b"\0" * SECOND * 200, "/detect-language")
    assert reply.data.keys() == {"detected_language", "language_code", "confidence"}
    assert reply.data["language_code"] == "en"
    (job,) = server.ask("GET", "/api/1/jobs").data["jobs"]
    assert Path(job["media"]).stat().st_size == 180 * SECOND + 44, "the beginning is enough"


def test_the_same_upload_joins_the_job_at_work(serve: Serve) -> None:
    server = serve()
    replies: list[Reply] = []
    asking = [
        threading.Thread(target=lambda: replies.append(asr(server, "output=srt&encode=false", b"\0" * SECOND)))
        for _ in range(3)
    ]
    for thread in asking:
        thread.start()
    until(lambda: children(server.process.pid))
    assert server.ask("GET", "/health").status == 200, "it answers while it works"
    for thread in asking:
        thread.join()
    assert len({reply.body for reply in replies}) == 1
    jobs = server.ask("GET", "/api/1/jobs").data["jobs"]
    assert {job["id"] for job in jobs} == {reply.headers["reel-job"] for reply in replies}
