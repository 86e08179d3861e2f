"""The how-tos about the server are followed: the server as each page starts it, and the requests that it shows."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel
from tests.fakes.pdf import pdf
from tests.fakes.web_client import Server, end_server, start_server
from tests.pipeline.web.conftest import DEMO

PAGES = ("use-with-bazarr", "use-with-media-servers", "use-openai-clients", "read-text-on-pages")
_FILES = ("film.mkv", "talk.mp3")
_DOCUMENT = "letter.pdf"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def serve_commands(page: str) -> list[list[str]]:
    """Return the flags of each `reel serve` that a page shows, without tokens, which stand before it."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines() if " serve" in line]
    return [shlex.split(line)[shlex.split(line).index("serve") + 1 :] for line in lines]


@pytest.fixture
def folder(reel: Reel) -> Path:
    for name in ("Movies", "Shows"):
        (reel.folder / name).mkdir()
    for name in _FILES:
        shutil.copy(DEMO, reel.folder / name)
    (reel.folder / _DOCUMENT).write_bytes(pdf(["Invoice number 4711"]))
    return reel.folder


@contextmanager
def started(reel: Reel, flags: list[str]) -> Iterator[Server]:
    server = start_server(reel, "--stub", *flags, extra={"REEL_TOKEN": "t"} if "--listen" in flags else None)
    try:
        yield server
    finally:
        end_server(server)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("folder")
def test_a_server_starts_as_each_page_says(page: str, reel: Reel) -> None:
    assert serve_commands(page)
    for flags in serve_commands(page):
        with started(reel, flags) as server:
            assert server.ask("GET", "/health").status == 200, flags


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages show requests with curl, which is not here")
@pytest.mark.parametrize("page", PAGES)
def test_the_requests_of_each_page_are_answered(page: str, reel: Reel, folder: Path) -> None:
    with started(reel, serve_commands(page)[0]) as server:
        for line in "".join(blocks(page, "sh")).splitlines():
            command = line.replace("http://127.0.0.1:9000", server.url)
            done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("WEBVTT") or json.loads(done.stdout).get("code") is None, done.stdout
