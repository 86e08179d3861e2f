"""A real server process under attack: requests that no client of ours would send."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Reel
from tests.fakes.web_client import Server
from tests.processes import children

Serve = Callable[..., Server]
JSON = {"content-type": "application/json"}
HALF_A_CHARACTER = '"\\ud800"'  # JSON for a text that cannot be written in UTF-8


def sent_raw(server: Server, content: bytes) -> tuple[int, Any]:
    """Send bytes, and return the status and the JSON of the last reply."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(content)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = reply[reply.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_what_is_not_http_is_refused_in_json_and_the_server_goes_on(serve: Serve) -> None:
    server = serve()
    host = b"Host: localhost\r\n"
    sent = [
        b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + host + host + b"\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"X: a\0b\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n",
        b"POST /api/1/jobs HTTP/1.1\r\n" + host
        + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}",
        b"GET / HTTP/1.1\r\n" + host + b"".join(b"X%d: a\r\n" % number for number in range(8_000)),
    ]  # fmt: skip
    for content in sent:
        status, data = sent_raw(server, content)
        assert (status, data["code"]) == (400, "serve.request"), content[:60]
    assert server.ask("GET", "/" + "a" * 60_000).data["message"].endswith("a...: there is no such address")
    server.process.terminate()
    assert "Traceback" not in server.process.communicate(timeout=60)[1]


def test_a_json_body_has_a_limit_and_no_other_kind_of_body_is_taken_for_it(serve: Serve) -> None:
    server = serve()
    for path in ("/api/1/jobs", "/hooks/plex", "/api/1/ocr"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.putrequest("POST", path)
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(17 << 20))
        connection.endheaders()
        reply = connection.getresponse()
        assert (reply.status, json.loads(reply.read())["code"]) == (413, "serve.too-large"), path
        connection.close()
    chunks = b"".join(b"100000\r\n" + b"a" * (1 << 20) + b"\r\n" for _ in range(17))
    head = b"POST /api/1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as chunked:
        chunked.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert chunked.recv(100).startswith(b"HTTP/1.1 413 ")
    for kind in ("application/offset+octet-stream", "text/plain", "multipart/form-data; boundary=B"):
        assert server.ask("POST", "/api/1/jobs", b"{}", {"content-type": kind}).status == 415


def test_numbers_texts_and_ids_that_cannot_be_are_refused(serve: Serve, films: Path) -> None:
    server, film = serve(), json.dumps(str(films / "demo.mp4"))
    bodies = {
        f'{{"path": {film}, "priority": {"1" * 400}}}': "serve.priority",
        f'{{"path": {film}, "priority": "1"}}': "serve.priority",
        f'{{"path": {film}, "beside": "no"}}': "serve.beside",
        f'{{"path": {film}, "set": {{"asr.initial_prompt": {HALF_A_CHARACTER}}}}}': "serve.text",
        f'{{"path": {HALF_A_CHARACTER}}}': "serve.text",
        "[" * 100_000: "serve.json",
    }  # fmt: skip
    for body, code in bodies.items():
        for path in ("/api/1/jobs", "/api/1/plan"):
            reply = server.ask("POST", path, body.encode(), JSON)
            assert (reply.status, reply.data["code"]) == (422, code), body[:80]
    assert server.ask("POST", "/hooks/emby", HALF_A_CHARACTER.encode(), JSON).status == 422
    for name in ("%00", "..", "%2e%2e", "a" * 5000, "0" * 16, "'", "%ff"):
        for rest in ("", "/ops", "/changes", "/edits", "/sound", "/stills/0", "/files/x"):
            assert server.ask("GET", f"/api/1/media/{name}{rest}").status in {404, 307}, name
        assert server.ask("GET", f"/review/{name}/report").status == 404
    silent = server.ask("HEAD", "/api/1/events")
    assert (silent.status, silent.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    person = {"accept": "text/html,*/*"}
    for path, text in (("/nonsense/%3Cb%3E", "/nonsense/&lt;b&gt;"), ("/runs/no", "no run <code>no</code>")):
        page = server.ask("GET", path, headers=person)
        assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert text in page.body.decode()
    assert server.ask("GET", "/api/1/jobs/no", headers=person).data["code"] == "serve.no-job"
    wrong = server.ask("GET", "/asr")
    assert (wrong.status, wrong.headers["allow"], wrong.data["code"]) == (405, "POST", "serve.http")


def test_a_film_that_cannot_be_taken_keeps_no_other_of_a_hook_away(serve: Serve, films: Path) -> None:
    server = serve()
    paths = [str(films / "demo.mp4"), "/etc/passwd", str(films / "demo.mp4")]
    several = {"eventType": "Download", "episodeFiles": [{"path": path} for path in paths]}
    reply = server.ask("POST", "/hooks/sonarr", several)
    assert (reply.status, len(reply.data["jobs"]), len(reply.data["skipped"])) == (202, 1, 1)
    outside = {"eventType": "Download", "episodeFile": {"path": "/etc/passwd"}}
    assert server.ask("POST", "/hooks/sonarr", outside).data["code"] == "serve.outside"


def test_jobs_during_which_the_process_ended_are_done_one_at_a_time(serve: Serve, films: Path) -> None:
    """A job that ends the process would take the others with it again, until all of them had failed."""
    server = serve()
    jobs = [
        server.ask("POST", "/api/1/jobs", {"path": str(films / "demo.mp4"), "set": {"asr.initial_prompt": text}})
        for text in ("a", "b", "c")
    ]  # fmt: skip
    running: set[str] = set()
    done: set[str] = set()
    killed = False
    for event in server.events("none.0"):
        if event["event"] == "Job":
            job = json.loads(event["data"])
            (running.add if job["state"] == "running" else running.discard)(job["id"])
            done |= {job["id"]} if job["state"] == "done" else set()
            assert not killed or len(running) <= 1
        if len(running) == len(jobs) and not killed:
            [child] = children(server.process.pid)
            os.killpg(child, signal.SIGKILL)
            killed, running = True, set()
        if len(done) == len(jobs):
            break
    assert killed


def test_an_address_that_cannot_be_listened_at_is_told_in_one_sentence(serve: Serve, reel: Reel) -> None:
    taken = serve().port
    other = {"REEL_RESULTS_DIR": str(reel.folder / "other"), "REEL_TOKEN": "a-long-random-text"}
    for words in (("--port", str(taken)), ("--port", "0", "--listen", "a..b")):
        refused = reel("serve", "--stub", *words, extra=other, expect=2)
        assert "[serve.listen]" in refused.stderr
        assert "Traceback" not in refused.stderr
