"""The page of the queue, as a person uses it: files in, steps as they happen, files out."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, Route, expect

from pipeline.web.job_queue import JobQueue, NewJob
from pipeline.web.job_work import JobWork
from tests.conftest import ROOT, Reel
from tests.fakes.web_client import Server, end_server, start_server, until
from tests.pipeline.web.browser.conftest import Open, Picture, faults
from tests.pipeline.web.conftest import DEMO, Serve
from tests.processes import children

PAGE = ROOT / "pipeline" / "web" / "static"
MARK = "window.isFirstLoad"


def job_row(page: Page, name: str) -> str:
    """Wait for the row of a job; its id."""
    row = page.locator("[data-job]", has=page.get_by_role("heading", name=name))
    expect(row).to_have_count(1)
    found = row.get_attribute("data-job")
    assert found
    return found


@contextmanager
def halted_at(server: Server, kind: str) -> Iterator[None]:
    """Hold the process that works still, from the first event of a kind to the end of the block."""
    next(event for event in server.events("none.0") if event["event"] == kind)
    (child,) = children(server.process.pid)
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child, signal.SIGCONT)


def drop(page: Page, file: Path) -> None:
    """Drop a file on the page, as a file manager does."""
    make = """([name, text]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
      return transfer;
    }"""
    transfer = page.evaluate_handle(make, [file.name, base64.b64encode(file.read_bytes()).decode()])
    for kind in ("dragover", "drop"):
        page.get_by_role("main").dispatch_event(kind, {"dataTransfer": transfer})


def test_a_dropped_file_becomes_files_to_download_without_a_reload(
    serve: Serve, open_page: Open, picture: Picture
) -> None:
    server = serve()
    page = open_page(server).page
    page.evaluate(f"{MARK} = true")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    picture(page, "queue-empty")
    shown = page.locator(".drop").bounding_box()
    page.locator(".drop input").focus()
    assert page.locator(".drop").bounding_box() == shown, "the focus changes no place"
    drop(page, DEMO)
    expect(page.get_by_text("uploaded")).to_be_visible()
    page.get_by_role("combobox", name="Translate into").fill("português")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove Portuguese")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ steps for demo.mp4$"))).to_be_visible()
    page.get_by_role("button", name="Start").click()
    row = page.locator(f"[data-job='{job_row(page, 'demo.mp4')}']")
    expect(page.get_by_role("list", name="Chosen files")).to_have_count(0)
    with halted_at(server, "StepDone"):
        expect(row.get_by_text("at work")).to_be_visible()
        expect(row.locator("[data-step=demux]")).to_have_attribute("data-state", "good")
        expect(row.locator("[data-step=mux]")).to_have_text("mux: planned")
        picture(page, "queue-live")
    expect(page.get_by_role("status")).to_have_text("demo.mp4: done")
    row.get_by_role("button", name="Show details of demo.mp4").click()
    expect(row.locator("[data-step=mux]")).to_have_attribute("data-state", "good")
    with page.expect_download() as started:
        row.get_by_role("link", name="demo.pt.srt").click()
    assert started.value.suggested_filename == "demo.pt.srt"
    row.get_by_text("Chart of the run").click()
    chart = row.get_by_role("img", name="What each worker did")
    expect(chart).to_be_visible()
    assert chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    picture(page, "queue-done")
    for name, path in (("Review demo.mp4", "review/"), ("Report of the run", "runs/"), ("Report of this file", "")):
        address = row.get_by_role("link", name=name).get_attribute("href") or ""
        assert path in address
        assert server.ask("GET", f"/{address.removeprefix(server.url).lstrip('/')}").status == 200, address
    assert page.evaluate(MARK) is True
    assert not faults(page)


HOSTILE = "<img src=x onerror=alert(1)>.mkv"
LONG = f"{'a name that says everything about a talk ' * 4}.mp4"
ARABIC = "مقابلة مع المخرج (2026).mp4"


def test_names_of_every_kind_are_text_and_a_failure_tells_its_way_out(
    serve: Serve, open_page: Open, films: Path, picture: Picture
) -> None:
    (films / HOSTILE).touch()  # an empty file fails
    for name in (LONG, ARABIC):
        (films / name).write_bytes(DEMO.read_bytes())
    tab = open_page(serve(), width=320)
    page = tab.page
    page.on("dialog", lambda dialog: tab.wrong.append("a name was run as a script"))
    page.get_by_role("button", name="Choose from the server's folders").click()
    expect(page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    assert not faults(page)
    page.get_by_role("button", name="Choose all").click()
    page.get_by_role("button", name="Choose 4 files").click()
    expect(page.get_by_role("list", name="Chosen files").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_role("button", name="Start 4 jobs").click()
    row = page.locator("[data-job]", has=page.get_by_role("heading", name=HOSTILE))
    expect(row.get_by_text("failed", exact=True)).to_be_visible()
    row.get_by_role("button", name=f"Show details of {HOSTILE}").click()
    expect(row.get_by_text("media.empty")).to_be_visible()
    expect(row.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_text("done", exact=True)).to_have_count(3)
    assert page.locator("img[src=x]").count() == 0
    assert not faults(page)
    picture(page, "queue-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.reload()
    row.get_by_role("button", name=f"Show details of {HOSTILE}").click()
    expect(row.get_by_text("media.empty")).to_be_visible()


def test_a_job_is_made_by_the_keyboard_alone(serve: Serve, open_page: Open, picture: Picture) -> None:
    page = open_page(serve(), dark=True).page
    go_to(page, "button", "Choose from the server's folders")
    page.keyboard.press("Enter")
    go_to(page, "checkbox", "demo.mp4")
    page.keyboard.press("Space")
    picture(page, "folders-dark")
    assert not faults(page)
    go_to(page, "button", "Choose 1 file")
    page.keyboard.press("Enter")
    go_to(page, "combobox", "Translate into")
    page.keyboard.type("ind")
    expect(page.get_by_role("option", name="Indonesian")).to_be_visible()
    picture(page, "languages-dark")
    assert not faults(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove Indonesian")).to_be_visible()
    page.keyboard.press("Backspace")
    page.keyboard.type("hindi, pt-BR,")
    expect(page.get_by_role("button", name="Remove Brazilian Portuguese")).to_be_visible()
    go_to(page, "button", "Start")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="demo.mp4")).to_be_visible()
    expect(page.get_by_text("into Hindi, Brazilian Portuguese")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("demo.mp4: done")
    go_to(page, "button", "Show details of demo.mp4")
    page.keyboard.press("Enter")
    go_to(page, "link", re.compile(r"^demo\.hin\.srt"))
    picture(page, "queue-done-dark")
    assert not faults(page)


def go_to(page: Page, role: Literal["button", "checkbox", "combobox", "link"], name: str | re.Pattern[str]) -> None:
    """Press Tab until the control has the focus, as a person without a mouse does."""
    wanted = page.get_by_role(role, name=name).first
    expect(wanted).to_be_enabled()
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"no Tab leads to the {role} {name}")


def test_two_tabs_share_one_connection_and_the_second_goes_on_when_the_first_is_closed(
    serve: Serve, open_page: Open, films: Path
) -> None:
    server = serve()
    first = open_page(server)
    second = open_page(server, context=first.page.context)
    streams: list[str] = []
    for page in (first.page, second.page):
        page.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
    expect(second.page.get_by_text("Nothing here yet")).to_be_visible()
    assert second.page.evaluate("navigator.locks.query().then(found => [found.held.length, found.pending.length])") == [
        1, 1,
    ]  # fmt: skip
    done = {"path": str(films / "demo.mp4")}
    name = server.ask("POST", "/api/1/jobs", done).data["id"]
    for page in (first.page, second.page):
        expect(page.locator(f"[data-job='{name}']").get_by_text("done", exact=True)).to_be_visible()
    first.page.close()
    other = films / "other.mp4"
    other.write_bytes(DEMO.read_bytes() + b"\0")
    expect(second.page.get_by_text("not connected")).to_have_count(0)
    name = server.ask("POST", "/api/1/jobs", {"path": str(other)}).data["id"]
    expect(second.page.locator(f"[data-job='{name}']").get_by_text("done", exact=True)).to_be_visible()


def test_a_server_that_is_started_again_finds_the_page_waiting_and_an_upload_goes_on(
    reel: Reel, open_page: Open, films: Path, tmp_path: Path
) -> None:
    server = start_server(reel, "--stub", "--media", films)
    tab = open_page(server)
    tab.expect_status(0)
    page = tab.page
    large = tmp_path / "large.mp4"
    large.write_bytes(DEMO.read_bytes() + bytes(9 << 20))  # two pieces
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.method) if "/uploads/" in request.url else None)

    def cut(route: Route) -> None:
        """Let the first piece through, then end the server."""
        if seen.count("PATCH") == 2:
            server.process.kill()
            server.process.communicate()
        route.continue_()

    page.route("**/api/1/uploads/*", cut)
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("waits for the server, then goes on; starts by itself")).to_be_visible()
    expect(page.get_by_text("not connected, trying again")).to_be_visible()
    page.unroute("**/api/1/uploads/*")
    again = start_server(reel, "--stub", "--media", films, port=server.port)
    expect(page.get_by_text("not connected, trying again")).to_have_count(0)
    row = page.locator("[data-job]", has=page.get_by_role("heading", name="large.mp4"))
    expect(row.get_by_text("done", exact=True)).to_be_visible()
    assert "HEAD" in seen, "it asked how much had come"
    assert "DELETE" not in seen
    end_server(again)


def test_the_steps_of_the_how_to_are_followed(serve: Serve, open_page: Open) -> None:
    page = open_page(serve()).page
    text = (ROOT / "docs" / "how-to" / "use-the-page.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\d+\. (\w+) (?:`([^`]+)` into |for )?\*\*(.+)\*\*\.$", text, re.MULTILINE)
    assert [verb for verb, _, _ in steps][-1] == "Download"
    for verb, typed, name in steps:
        match verb:
            case "Press":
                page.get_by_role("button", name=name, exact=True).click()
            case "Tick":
                page.get_by_label(name).check()
            case "Type":
                page.get_by_role("combobox", name=name).press_sequentially(typed)
            case "Wait":
                expect(page.get_by_text(name, exact=True)).to_be_visible()
            case "Download":
                with page.expect_download() as started:
                    page.get_by_role("link", name=name).click()
                assert started.value.suggested_filename == name
    for control in set(re.findall(r"\*\*([^*]+)\*\*", text)) - {name for _, _, name in steps}:
        scripts = [path.read_text(encoding="utf-8") for path in (PAGE / "queue").glob("*.js")]
        assert any(control in script for script in scripts), f"the page has no `{control}`"


def test_jobs_are_preferred_cancelled_and_tried_again(reel: Reel, serve: Serve, open_page: Open, films: Path) -> None:
    with reel.start("watch", "--stub", films, "--settle", "9999") as holder:  # it has the lock of the results
        until(lambda: (reel.results / "lock").exists() and reel.results.joinpath("owner.json").exists())
        server = serve()
        tab = open_page(server)
        page = tab.page
        for name in ("one", "two", "three"):
            (films / f"{name}.mp4").write_bytes(DEMO.read_bytes())
            # Results beside the film are made by another process, so these wait.
            body = {"path": str(films / f"{name}.mp4"), "beside": name != "one"}
            assert server.ask("POST", "/api/1/jobs", body).status == 202
        names = page.get_by_role("list", name="3 jobs").get_by_role("heading")
        expect(names).to_have_text(["one.mp4", "two.mp4", "three.mp4"])
        tab.expect_status(503)
        page.route("**/api/1/work", lambda route: route.fulfill(status=503, json={"message": "the disk is full"}))
        page.get_by_role("button", name=re.compile("^Waiting")).click()
        expect(page.get_by_text("The disk is full.")).to_be_visible()
        expect(page.locator(".jobs")).to_have_attribute("aria-busy", "false")
        page.unroute("**/api/1/work")
        page.get_by_role("button", name=re.compile("^All")).click()
        expect(page.get_by_text("The disk is full.")).to_have_count(0)
        page.get_by_role("button", name="Do next three.mp4").click()
        expect(names).to_have_text(["one.mp4", "three.mp4", "two.mp4"])
        page.get_by_role("button", name="Cancel one.mp4").click()
        again = page.get_by_role("button", name="Try again one.mp4")
        expect(again).to_be_visible()
        page.get_by_role("button", name=re.compile("^Done")).click()
        expect(page.get_by_text("There is no such job.")).to_be_visible()
        page.get_by_role("button", name=re.compile("^All")).click()
        again.click()
        expect(again).to_have_count(0)
        holder.send_signal(signal.SIGINT)
        holder.communicate(timeout=60)
    expect(page.get_by_text("done", exact=True)).to_have_count(3)


def test_a_failed_step_shows_the_end_of_its_log_and_can_be_tried_again(
    serve: Serve, open_page: Open, films: Path, reel: Reel, picture: Picture
) -> None:
    failed = {
        "step": "asr", "backend": "faster-whisper", "code": "worker.memory", "log": "/results/logs/asr.log",
        "message": "asr needs more memory than there is", "hint": "take a smaller model with `--profile starter`",
        "log_lines": ["loading the model", "<b>std::bad_alloc</b>"],
    }  # fmt: skip
    work = JobWork(None)
    work.note("ItemStarted", {"plan": ["demux", "asr", "subtitle"]})
    work.note("StepFailedEvent", failed)
    queue = JobQueue(reel.results / "serve")
    made = queue.add(NewJob(films / "demo.mp4", "demo.mp4", {"recipe": "subtitle"}, "out", "test", "same"))
    queue.begin(made.id)
    error = {key: str(failed[key]) for key in ("code", "message", "hint")}
    queue.end(made.id, "failed", error=error, work=work.data())
    queue.close()
    page = open_page(serve()).page
    row = page.locator(f"[data-job='{made.id}']")
    expect(row.get_by_text("Asr needs more memory than there is.")).to_be_visible()
    row.get_by_text("demo.mp4", exact=True).first.click()
    expect(row.get_by_text("<b>std::bad_alloc</b>")).to_be_visible()
    expect(row.locator("code", has_text="--profile starter")).to_be_visible()
    picture(page, "queue-failed")
    assert not faults(page)
    row.get_by_role("button", name="Try again").click()
    expect(row.get_by_text("done", exact=True)).to_be_visible()


def test_ten_thousand_jobs_are_listed_by_and_by(serve: Serve, open_page: Open, reel: Reel) -> None:
    queue = JobQueue(reel.results / "serve")
    made = queue.add(NewJob(DEMO, "film", {"recipe": "subtitle"}, "out", "test", "same"))
    queue.end(made.id, "done")
    queue.close()
    with contextlib.closing(sqlite3.connect(reel.results / "serve" / "queue.sqlite")) as database, database:
        database.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9999)"
            " INSERT INTO jobs"
            " (id, media, label, overrides, place, priority, source, same, state, created_ms, ended_ms)"
            " SELECT printf('%016x', n), media, label || n, overrides, place, priority, source, same || n,"
            " CASE n % 100 WHEN 0 THEN 'failed' ELSE 'done' END, created_ms, ended_ms - n FROM jobs, numbers"
        )
    page = open_page(serve()).page
    expect(page.get_by_role("button", name="All 10,000")).to_be_visible()
    expect(page.locator("[data-job]")).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("[data-job]")).to_have_count(100)
    page.get_by_role("searchbox", name="Find jobs by name").fill("FILM123")
    expect(page.locator("[data-job]")).to_have_count(11)  # 123 and 1230 to 1239
    page.get_by_role("searchbox").fill("%")
    expect(page.get_by_text("There is no such job.")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    expect(page.locator("[data-job]")).to_have_count(50)
    page.get_by_role("button", name="Failed 99").click()
    expect(page.get_by_role("heading", name="film9900", exact=True)).to_have_count(0)
    expect(page.locator("[data-job]")).to_have_count(50)
    page.reload()
    expect(page.get_by_role("button", name="Failed 99")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("heading", name="film9900", exact=True)).to_be_visible()


def test_what_would_be_fetched_is_told_before_the_first_job(
    reel: Reel, open_page: Open, tmp_path: Path, picture: Picture
) -> None:
    server = start_server(reel, extra={"REEL_CACHE_DIR": str(tmp_path / "cache")})
    tab = open_page(server)
    tab.expect_status(422, 0)  # for a plan that cannot be, and when the server ends
    page = tab.page
    expect(page.get_by_text(re.compile("The first such job sets up 2 models, 160 MB, and"))).to_be_visible()
    model = page.get_by_role("listitem").filter(has_text="faster-whisper-base")
    expect(model).to_contain_text("148 MB")
    expect(model).to_contain_text("MIT")
    expect(page.get_by_text("./reel models fetch --profile starter")).to_be_visible()
    assert page.get_by_role("button", name="Choose from the server's folders").count() == 0
    picture(page, "queue-first-use")
    page.get_by_text("More choices").click()
    page.get_by_label("Models").select_option("best")
    expect(page.get_by_role("link", name="terms to accept")).to_be_visible()
    page.get_by_label("What to make").select_option("translate")
    expect(page.get_by_text("Translate into", exact=True)).to_be_visible()
    page.get_by_role("combobox", name="Translate into").press_sequentially("klingonish,")
    expect(page.locator(".note", has_text="klingonish")).to_be_visible()
    end_server(server)
