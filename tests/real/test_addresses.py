"""An address as input, with yt-dlp itself, on pages of the loopback."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Reel

_STUB = {"REEL_STUB": "true"}
_PAGES = {
    "talk.html": "<title>A talk: on/off</title><video src='/film.mp4'></video>",
    "two.html": "<title>Two</title><video src='/film.mp4'></video><video src='/film.mp4?2'></video>",
    "text.html": "<title>Nothing</title><p>no film</p>",
}


@dataclass
class Site:
    """A web site on the loopback. `asked` are the paths of its requests."""

    address: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site(tmp_path: Path, demo: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    for name, text in _PAGES.items():
        (folder / name).write_text(f"<html><head></head><body>{text}</body></html>", encoding="utf-8")
    (folder / "film.mp4").write_bytes(demo.read_bytes())
    found = Site("")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            found.asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        found.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def test_an_address_is_fetched_once_and_then_works_offline(reel: Reel, site: Site, demo: Path) -> None:
    address = f"{site.address}/talk.html"
    extra = {**_STUB, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    done = reel("run", address, "--recipe", "transcribe", extra=extra)
    assert "A talk: on/off: " in done.stderr
    assert "Whether you may copy it is for you to know" in done.stderr
    assert sum(path.startswith("/film.mp4") for path in site.asked) == 1
    (folder,) = (path for path in (reel.results / "addresses").iterdir() if path.is_dir())
    assert json.loads((folder / "address.json").read_text(encoding="utf-8"))["address"] == address
    (media,) = folder.glob("*.mp4")
    assert media.read_bytes() == demo.read_bytes()
    assert (reel.out / media.stem / "transcript.json").is_file()
    before = len(site.asked)
    again = reel("run", address, "--recipe", "transcribe", "--offline", extra=extra)
    assert len(site.asked) == before
    assert "reused" in again.stderr


def test_what_cannot_be_fetched_is_one_sentence_and_leaves_nothing(reel: Reel, site: Site) -> None:
    extra = {**_STUB, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    for page, code in (("two.html", "address.several"), ("text.html", "address.unreadable")):
        done = reel("run", f"{site.address}/{page}", extra=extra, expect=4)
        assert f"[{code}]" in done.stderr
        assert "please report" not in done.stderr
        assert "Traceback" not in done.stderr
    assert {path.suffix for path in (reel.results / "addresses").iterdir()} == {".lock"}
