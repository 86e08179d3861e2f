"""Notifications of media servers become jobs."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.web.apis.hook_payloads import SENDERS, Notification, payload_of_variables, read_payload
from pipeline.web.apis.media_servers import MediaServer, paths_of, refresh
from tests.conftest import Reel
from tests.fakes.web_client import Server, until

Serve = Callable[..., Server]
FILM = "/data/films/A Film (2020)/A Film.mkv"

RECORDED: list[tuple[str, dict[str, Any], Notification]] = [
    ("plex", {"event": "library.new", "Metadata": {"ratingKey": "1936545"}}, Notification("new", item="1936545")),
    ("plex", {"event": "media.play", "Metadata": {"ratingKey": "1936545"}}, Notification("other")),
    ("jellyfin", {"NotificationType": "ItemAdded", "ItemId": "4ec5-a0f2", "ServerUrl": "http://evil"},
     Notification("new", item="4ec5-a0f2")),
    ("jellyfin", {"NotificationType": "PlaybackStart", "ItemId": "4ec5"}, Notification("other")),
    ("jellyfin", {"NotificationType": "ItemAdded", "ItemId": "../../x"}, Notification("other")),
    ("emby", {"Event": "library.new", "Item": {"Path": FILM}}, Notification("new", (FILM,))),
    ("emby", {"Event": "system.notificationtest"}, Notification("test")),
    ("tautulli", {"event": "added", "file": FILM}, Notification("new", (FILM,))),
    ("sonarr", {"eventType": "Download", "episodeFile": {"path": FILM}}, Notification("new", (FILM,))),
    ("sonarr", {"eventType": "Download", "episodeFiles": [{"path": "/a.mkv"}, {"path": "/b.mkv"}]},
     Notification("new", ("/a.mkv", "/b.mkv"))),
    ("sonarr", {"eventType": "Download", "series": {"path": "/tv/Show/"}, "episodeFile": {"relativePath": "S01/a.mkv"}},
     Notification("new", ("/tv/Show/S01/a.mkv",))),
    ("sonarr", {"eventType": "EpisodeImported", "episodeFile": {"path": FILM}}, Notification("other")),
    ("sonarr", {"eventType": "Test"}, Notification("test")),
    ("radarr", {"eventType": "Download", "isUpgrade": True, "movieFile": {"path": FILM}}, Notification("new", (FILM,))),
    ("radarr", {"eventType": "Download", "movie": {"folderPath": "/films/A"}, "movieFile": {"relativePath": "a.mkv"}},
     Notification("new", ("/films/A/a.mkv",))),
    ("radarr", {"eventType": "Grab"}, Notification("other")),
]  # fmt: skip


@pytest.mark.parametrize(("sender", "payload", "told"), RECORDED)
def test_a_message_means_what_its_sender_means(sender: str, payload: dict[str, Any], told: Notification) -> None:
    assert read_payload(sender, payload) == told


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["event", "Event", "eventType", "Metadata", "Item", "Path", "file", "episodeFile", "episodeFiles", "path",
         "movieFile", "relativePath", "series", "NotificationType", "ItemId", "ratingKey"]), inner, max_size=5),
)  # fmt: skip


@given(st.sampled_from(SENDERS), st.dictionaries(st.sampled_from(["event", "eventType", "Item", "movieFile"]), JSON))
def test_no_message_breaks_the_reader(sender: str, payload: dict[str, Any]) -> None:
    for kind in ("library.new", "Download", "ItemAdded", "added"):
        told = read_payload(sender, {**payload, "event": kind, "eventType": kind, "Event": kind})
        assert told is not None
        assert all(isinstance(path, str) and path for path in told.paths)


def test_the_variables_of_a_custom_script_are_a_message_too() -> None:
    told = payload_of_variables({"Sonarr_EventType": "Download", "Sonarr_EpisodeFile_Paths": "/a.mkv|/b.mkv"})
    assert told is not None
    assert read_payload(*told) == Notification("new", ("/a.mkv", "/b.mkv"))
    told = payload_of_variables({"radarr_eventtype": "Download", "radarr_moviefile_path": FILM})
    assert told is not None
    assert read_payload(*told) == Notification("new", (FILM,))
    assert payload_of_variables({"PATH": "/bin"}) is None


@contextmanager
def media_server(answer: object, *, redirect: str = "") -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve one answer; yield the address and a list of the paths and tokens that were asked with."""
    asked: list[tuple[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_PUT(self) -> None:
            self._answer("PUT ")

        def do_POST(self) -> None:
            self._answer("POST ")

        def _answer(self, method: str) -> None:
            token = self.headers.get("x-plex-token") or self.headers.get("authorization") or ""
            asked.append((method + self.path, token))
            self.send_response(302 if redirect else 200)
            if redirect:
                self.send_header("location", redirect)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plex_answer(path: str) -> dict[str, Any]:
    return {"MediaContainer": {"Metadata": [{"Media": [{"Part": [{"file": path}]}]}]}}


def test_the_servers_that_the_user_named_are_asked_and_no_other() -> None:
    with media_server(plex_answer(FILM)) as (url, asked):
        assert paths_of(MediaServer("plex", url, "t"), "12", lambda s: None) == (FILM,)
        assert asked == [("/library/metadata/12", "t")]
    with media_server({"Items": [{"Path": FILM}]}) as (url, asked):
        assert paths_of(MediaServer("jellyfin", url, "t"), "4ec5", lambda s: None) == (FILM,)
        assert asked == [("/Items?ids=4ec5&fields=Path", 'MediaBrowser Token="t"')]
    with media_server({}) as (url, asked):
        assert refresh(MediaServer("plex", url, "t"), "12") is None
        assert refresh(MediaServer("jellyfin", url, "t"), "4ec5") is None
        assert asked == [
            ("PUT /library/metadata/12/refresh", "t"),
            ("POST /Items/4ec5/Refresh", 'MediaBrowser Token="t"'),
        ]
    assert refresh(MediaServer("plex", url, "t"), "12") is not None  # it is gone
    with media_server({}) as (sink, hits), media_server({}, redirect=sink) as (url, asked):
        assert paths_of(MediaServer("plex", url, "t"), "12", lambda s: None) == ()
        assert (len(asked), hits) == (4, []), "it is asked again, and the redirect is not followed"


def test_a_new_film_becomes_a_job_once_and_its_subtitles_lie_beside_it(serve: Serve, films: Path, reel: Reel) -> None:
    (films / "Show").mkdir()
    film = films / "Show" / "demo.mp4"
    film.write_bytes((films / "demo.mp4").read_bytes())
    with media_server(plex_answer("/data/Show/demo.mp4")) as (url, asked):
        server = serve("--beside", "--map", f"/data={films}", "--media-server", f"plex={url}")
        message = {"eventType": "Download", "episodeFile": {"path": "/data/Show/demo.mp4"}}
        first = server.ask("POST", "/hooks/sonarr", message)
        assert first.status == 202
        again = server.ask("POST", "/hooks/sonarr", message)
        assert again.data["jobs"] == first.data["jobs"]
        job = server.wait_for(first.data["jobs"][0], "done", "failed")
        assert (job["state"], job["error"]) == ("done", None)
        assert (films / "Show" / "demo.en.srt").exists()
        assert not reel.out.exists()
        border = "x"
        payload = json.dumps({"event": "library.new", "Metadata": {"ratingKey": "7"}, "Server": {"host": "evil"}})
        body = f'--{border}\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{payload}\r\n--{border}--\r\n'
        headers = {"content-type": f"multipart/form-data; boundary={border}", "user-agent": "PlexMediaServer/1.41"}
        assert server.ask("POST", "/hooks/plex", body.encode(), headers).status == 202
        until(lambda: ("PUT /library/metadata/7/refresh", "") in asked)  # its subtitles lie beside it
        done = server.ask("POST", "/hooks/sonarr", message)
        assert done.data["jobs"] == first.data["jobs"], "it is done already"
        assert server.ask("POST", "/hooks/sonarr", {"eventType": "Test"}).data == {"taken": False, "kind": "test"}
        assert server.ask("POST", "/hooks/radarr", {**message, "movieFile": {"path": "/etc/passwd"}}).status == 403
        assert server.ask("POST", "/hooks/none", {}).status == 404
        assert server.ask("POST", "/hooks/jellyfin", {"NotificationType": "ItemAdded", "ItemId": "1"}).status == 422
        variables = {"sonarr_eventtype": "Download", "sonarr_episodefile_path": "/data/Show/demo.mp4"}
        told = reel("hook", "--url", server.url, extra=variables)
        assert first.data["jobs"][0] in told.stdout
        assert "nothing to do" in reel("hook", extra={"radarr_eventtype": "Test"}).stdout
        assert "[hook.unreachable]" in reel("hook", "--url", "http://127.0.0.1:9", extra=variables, expect=2).stderr
        assert "[hook.variables]" in reel("hook", expect=2).stderr


def test_a_new_film_with_a_subtitle_is_translated_from_that(serve: Serve, films: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nHello.\n"
    (films / "demo.en.srt").write_text(text, encoding="utf-8")
    server = serve("--beside", "--to", "pt")
    message = {"eventType": "Download", "movieFile": {"path": str(films / "demo.mp4")}}
    asked = server.ask("POST", "/hooks/radarr", message)
    job = server.wait_for(asked.data["jobs"][0], "done", "failed")
    assert (job["state"], job["error"]) == ("done", None)
    record = json.loads((films / ".reel" / "demo.mp4" / "job.json").read_text(encoding="utf-8"))
    assert "assemble" in record["steps"]
    assert (films / "demo.en.srt").read_text(encoding="utf-8") == text
    assert (films / "demo.pt.srt").exists()


def test_a_request_names_a_subtitle_among_the_media_only(serve: Serve, films: Path) -> None:
    (films / "demo.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n", encoding="utf-8")
    server = serve()
    order = {"path": str(films / "demo.mp4"), "subtitles": "/etc/passwd"}
    assert server.ask("POST", "/api/1/jobs", order).status in {403, 404}
    order = {"path": str(films / "demo.mp4"), "subtitles": str(films / "demo.en.srt")}
    assert server.ask("POST", "/api/1/jobs", order).status in {200, 201, 202}
