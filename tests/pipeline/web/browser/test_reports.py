"""Reports as files in a real browser: from `file://`, without an error, a request, or a fault that axe finds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from pipeline.publishing.run_report.published import report_of
from tests.conftest import ROOT, Reel
from tests.fakes.made_job import film
from tests.pipeline.web.browser.conftest import Open, faults
from tests.pipeline.web.browser.reviewed import ready
from tests.pipeline.web.conftest import Serve

EVIL = "<img src=x onerror=alert(1)> \u0645\u0631\u062d\u0628\u0627 <script>document.title='gone'</script>"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    made = film(tmp_path, cues=40, languages=("en", "ar"), text=EVIL)
    made.media = "/films/<b>" + "a long name " * 12 + ".mp4"
    made.missing["mux.video"] = "mux.failed"
    file = tmp_path / "report.html"
    file.write_bytes(report_of(made.job, made.results, made.materials, made.folder))
    return file


Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, report: Path) -> Iterator[Show]:
    """Return a function that opens the report in a window, and fail for what a report may not do."""
    wrong: list[str] = []
    contexts = []

    def start(width: int = 1400, *, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(report.as_uri())
        page.on("request", lambda request: wrong.append(request.url))
        return page

    yield start
    for context in contexts:
        context.close()
    assert not wrong, wrong


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (390, True)])
def test_a_report_is_readable_at_any_width_in_light_and_dark_and_axe_finds_no_serious_fault(
    show: Show, width: int, dark: bool
) -> None:
    page = show(width, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    assert not [one for one in found if one["impact"] in {"serious", "critical"}], found


def test_names_and_words_are_shown_as_text(show: Show) -> None:
    page = show()
    assert page.title().endswith(".mp4: report")
    assert page.locator("img, script").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.inner_text("#cues li:first-child .said")
    assert page.evaluate("getComputedStyle(document.querySelector('#cues .said')).unicodeBidi") == "isolate"


def test_a_reader_reaches_every_part_by_the_keyboard(show: Show) -> None:
    page = show(390)
    left = {"doubts", "guide", "cues", "steps", "materials"}
    for _ in range(400):
        page.keyboard.press("Tab")
        left.discard(page.evaluate("document.activeElement.closest('section')?.id ?? ''"))
        if not left:
            break
    assert not left
    page.focus("#cues summary")
    before = page.evaluate("document.querySelector('#cues details').open")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('#cues details').open") != before


def test_a_printed_report_is_light_and_holds_what_is_folded_on_the_screen(show: Show) -> None:
    page = show(dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 32, 40)"
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false })")
    assert page.locator("#cues li").first.bounding_box(), "folded lists are printed"


def test_a_report_has_the_colours_of_the_pages() -> None:
    def colours(file: str, pattern: str) -> dict[str, tuple[str, ...]]:
        content = (ROOT / file).read_text(encoding="utf-8")
        return {name: tuple(found) for name, *found in re.findall(pattern, content)}

    pages = colours("pipeline/web/static/design.css", r"--([\w-]+): light-dark\((#\w+), (#\w+)\)")
    content = (ROOT / "pipeline/publishing/run_report/report.css").read_text(encoding="utf-8")
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w+);", part)) for part in content.split("@media screen", 1))
    assert light
    assert {name: (value, dark.get(name)) for name, value in light.items()} == {name: pages[name] for name in light}


def test_a_server_shows_the_reports_and_their_times_lead_to_the_review(
    serve: Serve, open_page: Open, reel: Reel, films: Path
) -> None:
    reel("run", films / "demo.mp4", extra={"REEL_STUB": "true"})
    (run,) = json.loads(reel("runs", "list", "--json").stdout)["data"]["runs"]
    server = serve("--base-path", "/reel")
    tab = open_page(server, f"/reel/runs/{run['id']}")
    assert tab.page.locator("h1").inner_text() == "demo.mp4"
    assert tab.page.evaluate("getComputedStyle(document.querySelector('section')).borderRadius") == "10px"
    assert not faults(tab.page)
    link = tab.page.locator("#cues a.time").first.get_attribute("href") or ""
    review = link.partition("#")[0]
    assert link.startswith("../review/")
    assert "#t=" in link
    tab.page.locator("#cues a.time").first.click()
    at = float(link.rpartition("=")[2])
    expect(ready(tab.page).get_by_label("Time", exact=True)).to_have_text(f"0:{at:06.3f}")
    page = open_page(server, f"/reel/runs/../{review.removeprefix('../')}/report").page
    assert page.locator("h1").inner_text() == "demo.mp4"
    assert "script-src" not in server.ask("GET", f"/reel/runs/{run['id']}").headers["content-security-policy"]
    for path in ("/reel/runs/none", "/reel/review/0123456789abcdef/report"):
        assert server.ask("GET", path).status == 404
