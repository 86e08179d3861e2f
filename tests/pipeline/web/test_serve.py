"""A real server process on stub stages: jobs, events, kills, and what it lets in."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.base.errors import EXIT_INTERRUPTED
from tests.conftest import Reel
from tests.fakes.web_client import Server, end_server, start_server, until
from tests.processes import children, descendants, gone

Serve = Callable[..., Server]


def submit(server: Server, path: Path, **fields: Any) -> str:
    reply = server.ask("POST", "/api/1/jobs", {"path": str(path), **fields})
    assert reply.status == 202, reply.body
    assert reply.headers["location"].endswith(reply.data["id"])
    return str(reply.data["id"])


def test_a_job_is_worked_on_and_the_results_are_free_again_afterwards(serve: Serve, films: Path, reel: Reel) -> None:
    server = serve("--linger", "0")
    assert server.ask("GET", "/health").data == {"status": "ok"}
    ready = server.ask("GET", "/ready").data
    assert (ready["ready"], ready["missing"], ready["models"]["state"]) == (True, [], "complete")
    name = submit(server, films / "demo.mp4", to="pt", recipe="subtitle")
    job = server.wait_for(name, "done", "failed")
    assert job["error"] is None
    names = {Path(file).name for file in job["files"]}
    assert {"demo.en.srt", "demo.pt.srt", "transcript.json"} <= names
    assert all(Path(file).is_file() for file in job["files"])
    until(lambda: not children(server.process.pid))
    reel("run", "--stub", films / "demo.mp4", "--to", "pt")  # exit 6 if the server still had the store
    assert server.ask("GET", "/api/1/jobs").data["counts"] == {"done": 1}
    assert server.ask("DELETE", f"/api/1/jobs/{name}").status == 409
    assert server.ask("POST", f"/api/1/jobs/{name}/retry", {}).status == 409
    assert server.ask("DELETE", "/api/1/jobs/none").status == 404


def test_the_text_so_far_comes_as_an_event_of_its_job(serve: Serve, films: Path) -> None:
    server = serve()
    name = submit(server, films / "demo.mp4", recipe="transcribe")
    said = []
    for event in server.events("none.0"):
        if event["event"] == "StepPartial":
            said.append(json.loads(event["data"]))
        if event["event"] == "ItemFinished":
            break
    assert [(one["text"], one["start_ms"], one["step"], one["job"]) for one in said] == [
        ("Hello.", 500, "asr", name), ("Hello.", 2000, "asr", name),
    ]  # fmt: skip


def test_a_mistake_is_told_when_the_job_is_submitted(serve: Serve, films: Path) -> None:
    server = serve()
    bad: list[tuple[dict[str, Any], int, str]] = [
        ({}, 422, "serve.path"),
        ({"path": "/etc/passwd"}, 403, "serve.outside"),
        ({"path": str(films / "none.mkv")}, 404, "media.missing"),
        ({"path": str(films / "demo.mp4"), "to": "klingonish"}, 422, "settings.value"),
        ({"path": str(films / "demo.mp4"), "recipe": "../../x"}, 422, "serve.name"),
        ({"path": str(films / "demo.mp4"), "recipe": "none"}, 422, "recipe.unknown"),
        ({"path": str(films / "demo.mp4"), "set": {"asr.beam_sise": 3}}, 422, "params.invalid"),
        ({"path": str(films / "demo.mp4"), "output_dir": "/"}, 422, "settings.override"),
        ({"path": str(films / "demo.mp4"), "priority": "high"}, 422, "serve.priority"),
    ]
    for body, status, code in bad:
        reply = server.ask("POST", "/api/1/jobs", body)
        assert (reply.status, reply.data["code"]) == (status, code), reply.body
    assert server.ask("POST", "/api/1/jobs", b"{", {"content-type": "application/json"}).data["code"] == "serve.json"
    assert server.ask("GET", "/api/1/jobs").data == {"jobs": [], "counts": {}}


def test_a_killed_server_goes_on_with_its_jobs_and_leaves_no_process(reel: Reel, films: Path) -> None:
    server = start_server(reel, "--stub", "--media", films)
    name = submit(server, films / "demo.mp4")
    until(lambda: any("StepDone" in event["event"] for event in _until_step(server)))
    below = descendants(server.process.pid)
    server.process.kill()
    server.process.communicate()
    assert until(lambda: gone(below))
    server = start_server(reel, "--stub", "--media", films)
    job = server.wait_for(name, "done", "failed")
    assert (job["state"], job["error"]) == ("done", None)
    assert end_server(server) == EXIT_INTERRUPTED


def _until_step(server: Server) -> list[dict[str, str]]:
    found = []
    for event in server.events("none.0"):  # an id of no server: everything that is kept
        found.append(event)
        if event["event"] in {"StepDone", "ItemFinished"}:
            return found
    return found


def test_a_killed_child_is_started_again_and_its_finished_steps_are_reused(serve: Serve, films: Path) -> None:
    server = serve()
    name = submit(server, films / "demo.mp4")
    seen: list[str] = []
    killed = False
    for event in server.events("none.0"):
        seen.append(event["event"])
        if event["event"] == "StepDone" and not killed:
            killed = True
            for child in children(server.process.pid):
                os.killpg(child, signal.SIGKILL)
        if event["event"] == "Job" and json.loads(event["data"])["state"] in {"done", "failed"}:
            break
    assert "StepReused" in seen
    job = server.job(name)
    assert (job["state"], job["attempts"]) == ("done", 2)


def test_events_come_once_each_over_many_connections(serve: Serve, films: Path) -> None:
    server = serve()
    submit(server, films / "demo.mp4")
    ids: list[str] = []
    last: str | None = "none.0"
    ended = False
    while not ended:
        for count, event in enumerate(server.events(last)):
            last = event["id"]
            if event["event"] != "reset":
                ids.append(last)
            ended = event["event"] == "Job" and json.loads(event["data"])["state"] == "done"
            if ended or count == 4:  # the connection is cut after a few
                break
    numbers = [int(one.partition(".")[2]) for one in ids]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_queued_job_is_cancelled_begins_again_and_changes_its_priority(serve: Serve, films: Path, reel: Reel) -> None:
    with reel.start("watch", "--stub", films, "--settle", "9999") as holder:  # it has the lock of the results
        until(lambda: (reel.results / "lock").exists() and reel.results.joinpath("owner.json").exists())
        server = serve()
        name = submit(server, films / "demo.mp4")
        server.wait_for(name, "running")
        assert server.ask("DELETE", f"/api/1/jobs/{name}").status == 204
        assert server.job(name)["state"] == "cancelled"
        again = server.ask("POST", f"/api/1/jobs/{name}/retry", {})
        assert (again.status, again.data["state"]) == (202, "queued")
        holder.send_signal(signal.SIGINT)
        holder.communicate(timeout=60)
    assert server.wait_for(name, "done", "failed")["state"] == "done"


def test_every_route_asks_for_its_own_name(serve: Serve) -> None:
    server = serve()
    for route in ("/", "/health", "/api/1/jobs", "/api/1/events", "/v1/models", "/hooks/plex"):
        reply = server.ask("GET", route, headers={"host": "evil.example"})
        assert reply.status == 421, route
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_what_a_browser_sends_for_another_site_is_refused(serve: Serve, films: Path) -> None:
    server = serve()
    body = {"path": str(films / "demo.mp4")}
    assert server.ask("POST", "/api/1/jobs", body, {"origin": "http://evil.example"}).status == 403
    assert server.ask("POST", "/api/1/jobs", body, {"sec-fetch-site": "cross-site"}).status == 403
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert server.ask("POST", "/api/1/jobs", b"path=x", form).status == 415
    assert server.ask("POST", "/api/1/jobs", b'{"path": "x"}', {"content-type": "text/plain"}).status == 415
    assert server.ask("GET", "/api/1/jobs").data["jobs"] == []


def test_another_address_than_loopback_needs_a_token_which_no_log_shows(reel: Reel, films: Path) -> None:
    refused = reel("serve", "--port", "0", "--listen", "0.0.0.0", expect=2)
    assert "[serve.open]" in refused.stderr
    token = "a-long-random-text"
    server = start_server(
        reel, "--stub", "--media", films, "--listen", "0.0.0.0", "--base-path", "reel", extra={"REEL_TOKEN": token}
    )
    assert server.lines[-1].rstrip().endswith("/reel")
    assert server.ask("GET", "/reel/api/1/jobs").status == 401
    bearer = {"authorization": f"Bearer {token}"}
    assert server.ask("GET", "/reel/api/1/jobs", headers=bearer).status == 200
    cookie = server.ask("POST", "/reel/api/1/login", None, bearer).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/reel"} <= {part.strip() for part in cookie.split(";")}
    assert server.ask("GET", "/reel/api/1/jobs", headers={"cookie": cookie.partition(";")[0]}).status == 200
    assert server.ask("GET", "/reel/health").status == 200
    made = server.ask("POST", "/reel/api/1/jobs", {"path": str(films / "demo.mp4")}, bearer)
    assert made.headers["location"].startswith("/reel/api/1/jobs/")
    until(lambda: server.ask("GET", f"/api/1/jobs/{made.data['id']}", headers=bearer).data["state"] == "done")
    server.ask("POST", f"/hooks/plex?token={token}", b"", {"content-type": "application/json"})
    server.process.terminate()
    out, err = server.process.communicate(timeout=60)
    kept = [path.read_bytes() for path in reel.results.rglob("*") if path.is_file()]
    assert token not in out + err + "".join(server.lines)
    assert not [content for content in kept if token.encode() in content]
