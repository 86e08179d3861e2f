"""A film of three hours with 3,000 cues: the page holds only what is in sight."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from benchmarks.made_up_film import publish, some_lines, transcript_of
from tests.conftest import Reel
from tests.fakes.web_client import end_server, start_server
from tests.pipeline.web.browser.conftest import Open
from tests.pipeline.web.browser.reviewed import Review, is_saved, press, ready, start_review
from tests.pipeline.web.conftest import DEMO

pytestmark = pytest.mark.slow  # they start a browser

CUES, HOURS = 3_000, 3
MOST_NODES, MOST_HEAP_MB = 2_000, 60


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory, home: Path, serve_environment: Path) -> Iterator[Review]:
    folder = tmp_path_factory.mktemp("long")
    reel = Reel(folder, home, serve_environment)
    film = folder / "films" / "long.mp4"
    film.parent.mkdir()
    film.write_bytes(DEMO.read_bytes())
    publish(reel, reel.results, film, transcript_of(some_lines(CUES)), with_sound=False)
    server = start_server(reel, "--stub", "--media", film.parent)
    yield start_review(reel, server, "long.mp4")
    end_server(server)


def test_a_long_film_takes_as_many_elements_as_a_short_one(long_film: Review, open_page: Open) -> None:
    tab = open_page(long_film.server, "/")
    page = tab.page
    count = HOURS * 3_600 * 100
    peaks = struct.pack("<iIiiIi", 2, 1, 16_000, 160, count, 1) + bytes(range(256)) * (2 * count // 256)
    page.route(f"**{long_film.api}/peaks", lambda route: route.fulfill(body=peaks))
    page.goto(f"{long_film.server.url}{long_film.path}")
    ready(page)
    press(page, "End", "Home", "End", "PageUp")
    expect(page.locator("[aria-selected=true]")).to_have_attribute("aria-setsize", str(CUES))
    press(page, "Enter", "End")
    page.keyboard.type(" indeed")
    press(page, "Enter", "Alt+n", "Alt+k")
    is_saved(page)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    assert page.evaluate("document.getElementsByTagName('*').length") <= MOST_NODES
    assert page.locator(".cue").count() < 40
    assert found["JSHeapUsedSize"] <= MOST_HEAP_MB * 1e6
