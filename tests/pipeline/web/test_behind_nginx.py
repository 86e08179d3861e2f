"""A server below a path of nginx, as a user would set it up: pages, events, ranges and uploads pass."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.web_client import Server, until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx; Debian's package is `nginx-light`")
CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port};
        location /reel/ {{
            proxy_pass http://127.0.0.1:{behind};
            proxy_set_header Host $host:$server_port;
            proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;
        }}
    }}
}}
"""
Serve = Callable[..., Server]


@pytest.fixture
def front(serve: Serve, tmp_path: Path) -> Iterator[Server]:
    """Return the address of nginx before a server, for the same client."""
    server = serve("--base-path", "/reel", "--trusted-proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path / "nginx"
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, port=port, behind=server.port), encoding="utf-8")
    assert NGINX
    nginx = subprocess.Popen(
        [NGINX, "-c", file, "-p", folder, "-e", folder / "error.log"], stderr=subprocess.PIPE, text=True
    )

    def listens() -> bool:
        assert nginx.poll() is None, nginx.communicate()[1]
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
    yield Server(server.process, port)
    nginx.terminate()
    nginx.communicate()


def test_everything_passes_a_proxy_that_shows_the_server_below_a_path(front: Server, films: Path) -> None:
    assert front.ask("GET", "/reel/health").data == {"status": "ok"}
    page = front.ask("GET", "/reel/")
    assert (page.status, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert b'="/' not in page.body  # a link that begins so leads out of the path
    tus = {"tus-resumable": "1.0.0"}
    content = (films / "demo.mp4").read_bytes()
    made = front.ask("POST", "/reel/api/1/uploads", None, {**tus, "upload-length": str(len(content))})
    where = made.headers["location"]
    assert where.startswith("/reel/api/1/uploads/")
    piece = {**tus, "content-type": "application/offset+octet-stream", "upload-offset": "0"}
    assert front.ask("PATCH", where, content, piece).status == 204
    added = front.ask("POST", "/reel/api/1/jobs", {"upload": where.rpartition("/")[2], "recipe": "transcribe"})
    assert added.status == 202, added.body
    name, seen = added.data["id"], 0
    for event in front.events("none.0", base="/reel"):
        seen += 1
        if event["event"] == "Job" and json.loads(event["data"])["state"] in {"done", "failed"}:
            assert json.loads(event["data"])["state"] == "done"
            break
    assert seen > 2
    file = f"/reel/api/1/jobs/{name}/files/transcript.json"
    whole = front.ask("GET", file)
    part = front.ask("GET", file, headers={"range": "bytes=5-9"})
    assert (part.status, part.body) == (206, whole.body[5:10])
    assert front.ask("GET", "/reel/api/1/jobs", headers={"origin": "http://evil.example"}).status == 200
    foreign = front.ask("POST", "/reel/api/1/jobs", {}, {"origin": "http://evil.example"})
    own = front.ask("POST", "/reel/api/1/jobs", {}, {"origin": f"http://127.0.0.1:{front.port}"})
    assert (foreign.status, own.status) == (403, 422)
