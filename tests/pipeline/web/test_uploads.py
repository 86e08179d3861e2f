"""Uploads in pieces, the files of a job, and the document that describes the interfaces."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Reel
from tests.fakes.web_client import Reply, Server, end_server, start_server, until
from tests.pipeline.web.conftest import DEMO

Serve = Callable[..., Server]
TUS = {"tus-resumable": "1.0.0"}
PIECE = {**TUS, "content-type": "application/offset+octet-stream"}


def create(server: Server, length: int, name: str = "demo.mp4") -> Reply:
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    return server.ask(
        "POST", "/api/1/uploads", None, {**TUS, "upload-length": str(length), "upload-metadata": metadata}
    )


def append(server: Server, where: str, offset: int, content: bytes) -> Reply:
    return server.ask("PATCH", where, content, {**PIECE, "upload-offset": str(offset)})


def offset_of(server: Server, where: str) -> int:
    return int(server.ask("HEAD", where, headers=TUS).headers["upload-offset"])


def test_an_upload_that_was_cut_off_goes_on_after_the_server_was_killed(reel: Reel, films: Path) -> None:
    content = DEMO.read_bytes()
    server = start_server(reel, "--stub")
    where = create(server, len(content), "../../Größe \u202e.mp4").headers["location"]
    assert append(server, where, 0, content[:100_000]).headers["upload-offset"] == "100000"
    cut_off(server, where, 100_000, content[100_000:])
    until(lambda: offset_of(server, where) >= 200_000)
    server.process.kill()
    server.process.communicate()
    server = start_server(reel, "--stub")
    come = offset_of(server, where)
    assert 200_000 <= come < len(content)
    assert append(server, where, 5, content[5:]).status == 409
    early = server.ask("POST", "/api/1/jobs", {"upload": where.rpartition("/")[2]})
    assert early.data["code"] == "serve.incomplete"
    assert append(server, where, come, content[come:]).status == 204
    made = server.ask("POST", "/api/1/jobs", {"upload": where.rpartition("/")[2], "recipe": "transcribe"})
    assert made.status == 202
    assert Path(made.data["media"]).read_bytes() == content
    assert Path(made.data["media"]).is_relative_to(reel.results), "its name leads nowhere"
    assert server.wait_for(made.data["id"], "done", "failed")["state"] == "done"
    assert server.ask("DELETE", where, headers=TUS).status == 204
    assert server.ask("HEAD", where, headers=TUS).status == 404
    end_server(server)


def cut_off(server: Server, where: str, offset: int, content: bytes) -> None:
    """Send a part of what is promised, and end the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("PATCH", where)
    for name, value in {**PIECE, "upload-offset": str(offset), "content-length": str(len(content))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(content[:150_000])
    connection.close()


def test_an_upload_that_is_not_as_announced_is_refused(serve: Serve) -> None:
    server = serve("--max-upload", "1MB")
    assert create(server, 2_000_000).status == 413
    where = create(server, 10).headers["location"]
    assert append(server, where, 0, b"x" * 11).status == 413
    assert offset_of(server, where) == 0
    assert server.ask("PATCH", where, b"x", {**TUS, "content-type": "text/plain", "upload-offset": "0"}).status == 415
    assert server.ask("POST", "/api/1/uploads", None, TUS).status == 411
    assert server.ask("POST", "/api/1/uploads", None, {"upload-length": "1"}).status == 412
    assert server.ask("HEAD", "/api/1/uploads/..%2f..%2fqueue", headers=TUS).status == 404
    assert server.ask("OPTIONS", "/api/1/uploads").headers["tus-extension"] == "creation,termination"
    for _ in range(7):
        assert create(server, 10).status == 201
    assert create(server, 10).status == 429


def test_uploads_that_were_given_up_leave_room_for_others(serve: Serve, reel: Reel) -> None:
    server = serve()
    where = [create(server, 10).headers["location"] for _ in range(8)]
    assert create(server, 10).status == 429
    an_hour_ago = time.time() - 3600
    for name in where:
        os.utime(part_of(reel, name), (an_hour_ago, an_hour_ago))
    assert create(server, 10).status == 201
    assert append(server, where[0], 0, b"x").status == 204, "it can still go on"


def test_an_upload_whose_server_ended_after_its_last_byte_can_be_used(serve: Serve, films: Path, reel: Reel) -> None:
    server, content = serve(), DEMO.read_bytes()
    where = create(server, len(content)).headers["location"]
    part_of(reel, where).write_bytes(content)  # as a server leaves it that is killed before it has moved the file
    assert offset_of(server, where) == len(content)
    made = server.ask("POST", "/api/1/jobs", {"upload": where.rpartition("/")[2], "recipe": "transcribe"})
    assert made.status == 202, made.body


def part_of(reel: Reel, where: str) -> Path:
    """Return the file of what has come of an upload."""
    return reel.results / "serve" / "uploads" / "partial" / f"{where.rpartition('/')[2]}.part"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_disk_without_room_is_told_before_and_while_an_upload_comes(reel: Reel, films: Path, tmp_path: Path) -> None:
    reel.results.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", reel.results], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this root may not mount: {mounted.stderr.decode()}")
    try:
        server = start_server(reel, "--stub", "--media", films, "--keep-free", "1MB")
        assert create(server, 30_000_000).status == 507
        where = create(server, 6_000_000).headers["location"]
        (reel.results / "filler").write_bytes(bytes(shutil.disk_usage(reel.results).free - 2_000_000))
        refused = append(server, where, 0, bytes(6_000_000))
        assert (refused.status, refused.data["code"]) == (507, "serve.no-space")
        with open(reel.results / "filler", "ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        refused = create(server, 10)
        assert (refused.status, refused.data["code"]) == (507, "serve.no-space")
        (reel.results / "filler").unlink()
        come = offset_of(server, where)
        assert append(server, where, come, bytes(6_000_000 - come)).status == 204
        assert server.ask("GET", "/health").status == 200
        end_server(server)
    finally:
        subprocess.run(["umount", "-l", reel.results], check=True)


def test_the_files_of_a_job_come_whole_and_by_ranges_and_no_other(serve: Serve, films: Path) -> None:
    server = serve()
    made = server.ask("POST", "/api/1/jobs", {"path": str(films / "demo.mp4"), "recipe": "transcribe"})
    job = server.wait_for(made.data["id"], "done", "failed")
    root = f"/api/1/jobs/{job['id']}/files"
    names = [file["name"] for file in server.ask("GET", root).data["files"]]
    assert "transcript.json" in names
    whole = server.ask("GET", f"{root}/transcript.json")
    assert re.fullmatch('"[0-9a-f]{64}"', whole.headers["etag"])
    assert whole.headers["content-disposition"].startswith("attachment")
    part = server.ask("GET", f"{root}/transcript.json", headers={"range": "bytes=5-9"})
    assert (part.status, part.body) == (206, whole.body[5:10])
    assert server.ask("GET", f"{root}/transcript.json", headers={"range": "bytes=-4"}).body == whole.body[-4:]
    assert server.ask("GET", f"{root}/transcript.json", headers={"range": "bytes=999999-"}).status == 416
    for not_a_range in ("lines=1-2", "bytes=9-5", "bytes=0-1,9-5", "bytes=0-1,,3-4", "bytes", "bytes=\u0663-"):
        header = {"range": not_a_range.encode().decode("latin1")}
        reply = server.ask("GET", f"{root}/transcript.json", headers=header)
        assert (reply.status, reply.body) == (200, whole.body), not_a_range
    for name in ("..%2f..%2fresults%2fserve%2fqueue.sqlite", "job.json", "%2fetc%2fpasswd", "x"):
        assert server.ask("GET", f"{root}/{name}").status == 404


def test_the_document_describes_every_route_and_is_whole(serve: Serve) -> None:
    document = serve().ask("GET", "/openapi.json").data
    assert document["openapi"].startswith("3.1")
    assert {"/api/1/jobs", "/v1/audio/transcriptions", "/asr", "/hooks/{sender}", "/api/1/uploads/{id}"} <= set(
        document["paths"]
    )
    ids = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["responses"], path
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
            assert ("requestBody" in operation) <= (method in {"post", "patch", "put"})
    assert len(ids) == len(set(ids))
    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def references(data: Any) -> list[str]:
    """Return everything that a document refers to."""
    if isinstance(data, Mapping):
        own = [data["$ref"]] if isinstance(data.get("$ref"), str) else []
        return own + [one for value in data.values() for one in references(value)]
    return [one for value in data for one in references(value)] if isinstance(data, list) else []
