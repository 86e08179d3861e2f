"""Claims about addresses in requests: the server follows none, whoever names them."""

from __future__ import annotations

from collections.abc import Callable

from tests.fakes.hub import serve as serve_site
from tests.fakes.web_client import Server

Serve = Callable[..., Server]


def test_no_interface_of_the_server_follows_an_address(serve: Serve) -> None:
    server = serve()
    with serve_site({}) as site:
        address = f"{site.address}/film.mp4"
        for path in ("/api/1/jobs", "/api/1/ocr"):
            reply = server.ask("POST", path, {"path": address})
            assert (reply.status, reply.data["code"]) == (422, "serve.path"), path
        hooked = {"eventType": "Download", "movie": {"folderPath": address}, "movieFile": {"path": address}}
        assert server.ask("POST", "/hooks/radarr", hooked).status == 422
        glossary = {"path": address, "set": {"glossary": address}}
        assert server.ask("POST", "/api/1/jobs", glossary).status == 422
        assert server.ask("GET", "/api/1/jobs").data["jobs"] == []
        assert site.requests == []
