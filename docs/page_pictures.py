"""Draws the pictures of the pages of `reel serve`, and of a report, from real runs of the sample, in Chromium.

    scripts/docs --picture

It runs in the environment of the tests, which has playwright; the browser is the system's own. A picture of another
page is one more function with `picture`.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.base.project import CODE_ROOT

IMAGES = CODE_ROOT / "docs" / "images"
_SAMPLE = CODE_ROOT / "samples" / "demo.mp4"
_QUALITY = 80
_LIMIT_MS = 300_000.0
_FILMS = ("demo.mp4", "Interview with the director, second part.mp4", "مقابلة مع المخرج.mp4")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")

Taken = Callable[[Page], None]
"""Brings a page into the state that a picture shows."""


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Start a server over a folder of films; yield its address."""
    films = folder / "films"
    films.mkdir()
    for name in _FILMS:
        shutil.copy(_SAMPLE, films / name)
    own = {"REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    with subprocess.Popen(
        [CODE_ROOT / "reel", "serve", "--port", "0", "--media", films],
        env={**os.environ, **own}, cwd=folder, text=True, encoding="utf-8", stderr=subprocess.PIPE,
    ) as server:  # fmt: skip
        try:
            assert server.stderr
            said = next(line for line in server.stderr if line.startswith("serving on "))
            yield said.removeprefix("serving on ").strip()
        finally:
            server.terminate()


def _picture(browser: Browser, address: str, name: str, take: Taken, look: Mapping[str, object]) -> None:
    """Open a page of this size and scheme, bring it into its state, and write its picture as WebP."""
    width, height, scheme = look["width"], look["height"], look["scheme"]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
    context.set_default_timeout(_LIMIT_MS)
    page = context.new_page()
    page.goto(address)
    take(page)
    shot = context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    (IMAGES / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))
    context.close()


def _at_work(page: Page) -> None:
    """Show a job that is being heard, and others."""
    page.get_by_role("button", name="Choose from the server's folders").click()
    page.get_by_role("button", name="Choose all").click()
    page.get_by_role("button", name="Choose 3 files").click()
    page.get_by_role("combobox", name="Translate into").press_sequentially("English,")
    page.get_by_role("button", name="Start 3 jobs").click()
    expect(page.locator(".said").first).to_be_visible()


def _done(page: Page) -> None:
    """Show what a job has made."""
    expect(page.get_by_text("done", exact=True)).to_have_count(len(_FILMS))
    page.get_by_role("button", name="Show details of demo.mp4").click()
    page.get_by_text("Chart of the run").click()
    expect(page.get_by_role("img", name="What each worker did")).to_be_visible()
    page.evaluate("document.querySelector('.chart').decode()")


def _done_from_the_top(page: Page) -> None:
    """Show the same where there is less room."""
    _done(page)
    page.get_by_role("heading", name="demo.mp4").evaluate("heading => heading.closest('li').scrollIntoView()")


def _as_it_is(page: Page) -> None:
    """Show a page as it opens."""


def _reviewed(page: Page) -> None:
    """Show a cue that is being corrected."""
    page.locator(".cue").nth(4).click()
    page.get_by_label("Text of the cue").focus()
    expect(page.locator("#overlay .line").first).to_be_visible()
    shown = "async film => { while (film.seeking || film.readyState < 2) await new Promise(requestAnimationFrame); }"
    page.locator("#video").evaluate(shown)
    peaks = "performance.getEntriesByType('resource').some(one => one.name.endsWith('/peaks') && one.responseEnd)"
    frame = "await new Promise(requestAnimationFrame)"
    page.evaluate(f"async () => {{ do {frame}; while (!{peaks}); {frame}; {frame}; }}")


def _review_of(browser: Browser, address: str, film: str) -> str:
    """Return the address of a film's review."""
    page = browser.new_page()
    found = page.request.get(f"{address}/api/1/media").json()["media"]
    page.close()
    return f"{address}/review/{next(one['id'] for one in found if one['name'] == film)}"


def main() -> None:
    """Run the sample and write the pictures."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        sys.exit("the pictures of the pages need a browser: Debian's package `chromium`")
    expect.set_options(timeout=_LIMIT_MS)
    with tempfile.TemporaryDirectory() as name, _server(Path(name)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_FLAGS])
        _picture(browser, address, "page", _at_work, {"width": 1280, "height": 800, "scheme": "light"})
        _picture(browser, address, "page-dark", _done, {"width": 1280, "height": 900, "scheme": "dark"})
        _picture(browser, address, "page-narrow", _done_from_the_top, {"width": 390, "height": 844, "scheme": "light"})
        report = Path(name) / "out" / "demo" / "report.html"
        _picture(browser, report.as_uri(), "report", _as_it_is, {"width": 1280, "height": 900, "scheme": "light"})
        review = _review_of(browser, address, _FILMS[0])
        _picture(browser, review, "review", _reviewed, {"width": 1280, "height": 800, "scheme": "light"})
        _picture(browser, review, "review-dark", _reviewed, {"width": 1024, "height": 800, "scheme": "dark"})
        _picture(browser, review, "review-narrow", _reviewed, {"width": 390, "height": 844, "scheme": "light"})
        browser.close()


if __name__ == "__main__":
    main()
