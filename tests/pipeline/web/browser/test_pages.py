"""Rules for every page: how it is served, who may see it, and what it is made of."""

from __future__ import annotations

import hashlib
import re
import tomllib

from playwright.sync_api import expect

from tests.conftest import ROOT
from tests.fakes.web_client import Server
from tests.pipeline.web.browser.conftest import Open, faults
from tests.pipeline.web.conftest import Serve

STATIC = ROOT / "pipeline" / "web" / "static"
UP = {"queue": "", "login": "", "review": "../"}  # from a page's address to the root
TOKEN = "a-long-random-text"


def test_pages_and_their_files_come_with_a_policy_and_are_asked_for_again(serve: Serve) -> None:
    server = serve()
    page = server.ask("GET", "/")
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    style = server.ask("GET", "/static/design.css")
    tag = style.headers["etag"]
    assert tag == f'"{hashlib.sha256(style.body).hexdigest()}"'
    assert server.ask("GET", "/static/design.css", headers={"if-none-match": tag}).status == 304
    assert style.headers["cache-control"] == "no-cache"
    script = server.ask("GET", "/static/vendor/htm-preact.js")
    assert script.headers["content-type"].startswith("text/javascript")
    for reply in (page, style, script):
        assert "script-src 'self'" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
    for name in ("../pages.py", "%2e%2e/pages.py", "/etc/passwd", "none.js", "vendor", "", "%00.js", "a" * 5000):
        assert server.ask("GET", f"/static/{name}").status == 404, name


def test_a_token_is_typed_once_and_leads_to_the_page_that_was_asked_for(serve: Serve, open_page: Open) -> None:
    base = "/reel"
    server = serve("--base-path", base, extra={"REEL_TOKEN": TOKEN})
    slash = server.ask("GET", base, headers={"authorization": f"Bearer {TOKEN}"})
    assert slash.headers["location"] == f"{base}/"
    assert server.ask("GET", f"{base}/").status == 401, "a program is told that it lacks the token"
    for way in ("..", "%2e%2e", "..%2f"):
        assert server.ask("GET", f"{base}/static/{way}/api/1/jobs").status == 404, "the open folder leads nowhere else"
    tab = open_page(server, f"{base}/?state=done")
    tab.expect_status(401)
    page = tab.page
    expect(page).to_have_url(re.compile(rf"{base}/login\?next="))
    expect(page.get_by_label("Token")).to_be_focused()
    assert not faults(page)
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This is not the token of the server.")
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}{base}/?state=done")
    expect(page.get_by_role("main")).to_be_visible()
    second = open_page(server, f"{base}/login?next=//evil.example/", context=page.context)
    expect(second.page).to_have_url(f"{server.url}{base}//evil.example/")
    second.expect_status(404, 401)  # the browser also asks for the icon of the other address


def test_a_server_without_a_token_has_no_page_that_asks_for_one(serve: Serve) -> None:
    assert serve().ask("GET", "/login").headers["location"] == "/"


def test_every_link_of_a_page_is_relative_and_leads_to_a_file_of_ours() -> None:
    pages = list(STATIC.glob("*/page.html"))
    assert {page.parent.name for page in pages} == {*UP}
    for page in pages:
        start = f"{UP[page.parent.name]}static/"
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")):
            if link == (UP[page.parent.name] or "."):
                continue  # the queue
            assert link.startswith(start), f"{page}: {link}"
            assert (STATIC / link.removeprefix(start)).is_file(), f"{page}: {link}"


def test_files_of_others_are_those_of_their_packages() -> None:
    folder = STATIC / "vendor"
    noted = tomllib.loads((folder / "vendor.toml").read_text(encoding="utf-8"))["file"]
    licences = {name for one in noted for name in one["licences"].values()}
    assert {one["file"] for one in noted} | licences | {"vendor.toml"} == {path.name for path in folder.iterdir()}
    for one in noted:
        assert hashlib.sha256((folder / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]


def test_no_script_of_ours_makes_a_document_from_text() -> None:
    """A file name, or a word that is said in it, must never become a part of the document."""
    barred = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    )
    scripts = [path for path in STATIC.rglob("*.js") if path.parent.name != "vendor"]
    assert scripts
    for path in scripts:
        assert not (found := barred.search(path.read_text(encoding="utf-8"))), f"{path.name}: {found and found[0]}"


def test_a_server_that_is_not_there_is_told_on_the_login_page(serve: Serve, open_page: Open) -> None:
    server: Server = serve(extra={"REEL_TOKEN": TOKEN})
    tab = open_page(server, "/login")
    tab.expect_status(401, 0)
    server.process.kill()
    server.process.communicate()
    tab.page.get_by_label("Token").fill("x")
    tab.page.get_by_role("button").click()
    expect(tab.page.get_by_role("alert")).to_have_text("The server does not answer. Is it still running?")
