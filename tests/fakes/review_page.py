"""A page that reviews results, as far as it speaks to the server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.web_client import Reply, Server


def new_batch() -> str:
    return uuid.uuid4().hex


@dataclass
class Page:
    """A page that shows one review, as far as it speaks to the server."""

    server: Server
    path: str
    etag: str = ""

    @classmethod
    def of(cls, server: Server, folder: Path) -> Page:
        [one] = server.ask("GET", f"/api/1/media?folder={folder}").data["media"]
        page = cls(server, f"/api/1/media/{one['id']}")
        page.read()
        return page

    def read(self) -> dict[str, Any]:
        reply = self.server.ask("GET", self.path)
        assert reply.status == 200, reply.body
        assert reply.headers["etag"] == reply.data["etag"]
        self.etag = reply.data["etag"]
        return dict(reply.data)

    def cue(self, name: str) -> dict[str, Any] | None:
        return next((one["cue"] for one in self.read()["cues"] if one["id"] == name), None)

    def send(self, *ops: Mapping[str, Any], batch: str | None = None, etag: str | None = None) -> Reply:
        body = {"batch": batch or new_batch(), "ops": list(ops)}
        return self._post("ops", body, self.etag if etag is None else etag)

    def step(self, what: str, batch: str | None = None) -> Reply:
        return self._post(what, {"batch": batch or new_batch()}, self.etag)

    def apply(self, **body: str) -> Reply:
        return self._post("apply", body, self.etag)

    def _post(self, what: str, body: object, etag: str) -> Reply:
        reply = self.server.ask("POST", f"{self.path}/{what}", body, {"if-match": etag} if etag else {})
        if reply.status == 200:
            self.etag = reply.data["etag"]
        return reply


def change(cue: dict[str, Any], name: str, *lines: str) -> dict[str, Any]:
    return {"id": name, "before": cue, "after": {**cue, "lines": list(lines)}}


def events_of(server: Server, job: str) -> list[dict[str, Any]]:
    """Return the events of a job that has ended, each with its kind as `event`."""
    found = []
    for event in server.events("none.0"):
        data = json.loads(event["data"])
        if data.get("job") == job:
            found.append({**data, "event": event["event"]})
            if event["event"] == "ItemFinished":
                break
    return found
