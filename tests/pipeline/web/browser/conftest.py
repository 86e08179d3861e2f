"""Real Chromium on the pages of a real server. What a page may never do fails every test: an error on the console,
something that its policy forbids, a request to another origin."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from benchmarks.made_up_film import publish, transcript_of
from tests.conftest import Reel
from tests.fakes.web_client import LIMIT_S, Server, end_server, start_server
from tests.pipeline.web.browser.reviewed import GLOSSARY, LINES, NAME, REMOVED, Review, start_review
from tests.pipeline.web.conftest import DEMO

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OWN_SCHEMES = {"data", "blob", "about"}
# Chromium writes each reply of 400 and above to the console. A test that asks for one says so.
_NETWORK = "Failed to load resource"
expect.set_options(timeout=LIMIT_S * 1000)  # a busy machine takes longer than the usual 5 s


# Of a module and not of the session: while playwright runs, its event loop is the process's running one, and a test of
# another module that starts a loop of its own fails.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return Chromium. Skips where it is not installed."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("needs a browser: Debian's package `chromium`, which `scripts/test-tools` installs")
    home = tmp_path_factory.mktemp("browser-home")
    started = playwright.chromium.launch(
        executable_path=program, args=[*_FLAGS], env={**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    )
    yield started
    started.close()


@dataclass
class Watched:
    """A tab, and what it did that no page may. `allowed` are parts of console messages that a test expects."""

    page: Page
    origin: str
    allowed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def on_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in _OWN_SCHEMES and f"{url.scheme}://{url.netloc}" != self.origin:
            self.wrong.append(f"a request to another origin: {request.url}")

    def expect_status(self, *statuses: int) -> None:
        """Let the page get replies of these statuses, or none at all (0)."""
        self.allowed += [f"{_NETWORK}: the server responded with a status of {status}" if status else f"{_NETWORK}: net"
                         for status in statuses]  # fmt: skip

    def check(self) -> None:
        """Fail for what the page did wrong."""
        found = [one for one in self.wrong if not any(part in one for part in self.allowed)]
        assert not found, found


Open = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Return a function that opens an address of a server in a tab, which is watched to the end of the test.

    `width` and `dark` are of the window; `context` is that of an earlier tab, for two tabs of one browser.
    """
    opened: list[Watched] = []
    contexts: list[BrowserContext] = []

    def start(
        server: Server, path: str = "/", *, width: int = 1400, dark: bool = False, context: BrowserContext | None = None
    ) -> Watched:
        if context is None:
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", locale="en-GB",
                timezone_id="UTC", reduced_motion="reduce", accept_downloads=True,
            )  # fmt: skip
            context.set_default_timeout(LIMIT_S * 1000)
            contexts.append(context)
        watched = Watched(context.new_page(), server.url)
        watched.page.on("console", watched.on_console)
        watched.page.on("pageerror", lambda error: watched.wrong.append(f"error: {error}"))
        watched.page.on("request", watched.on_request)
        opened.append(watched)
        watched.page.goto(f"{server.url}{path}")
        return watched

    yield start
    for context in contexts:
        context.close()
    for watched in opened:
        watched.check()


Picture = Callable[[Page, str], None]


@pytest.fixture
def picture() -> Picture:
    """Return a function that keeps a picture of a tab where the variable TEST_PICTURES names a folder."""
    folder = os.environ.get("TEST_PICTURES")

    def take(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / f"{name}.png"))

    return take


def faults(page: Page) -> list[str]:
    """Return what axe finds against people who cannot see, hear or point well: serious and critical faults."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.fixture(scope="session")
def reviewed_film(tmp_path_factory: pytest.TempPathFactory, home: Path, serve_environment: Path) -> Iterator[Review]:
    """Return a film under review; see `review`."""
    reel = Reel(tmp_path_factory.mktemp("review"), home, serve_environment)
    film = reel.folder / "films" / NAME
    film.parent.mkdir()
    film.write_bytes(DEMO.read_bytes())
    glossary = reel.folder / "names.csv"
    glossary.write_text(GLOSSARY, encoding="utf-8")
    options = ["--to", "pt", "--glossary", str(glossary)]
    publish(reel, reel.results, film, transcript_of(LINES), [REMOVED], options)
    server = start_server(reel, "--stub", "--media", film.parent)
    yield start_review(reel, server, NAME)
    end_server(server)


@pytest.fixture
def review(reviewed_film: Review) -> Review:
    """Return the film under review, without a correction. What a test applies, it drops at its end."""
    reviewed_film.forget()
    return reviewed_film
