"""The page of the queue, as a person uses it: files in, steps as they happen, files out."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect

from tests.fakes.web_client import Server
from tests.pipeline.web.browser.conftest import Open, Picture, faults
from tests.pipeline.web.conftest import DEMO, Serve
from tests.processes import children

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


def test_a_dropped_file_becomes_files_to_download_without_a_reload(
    serve: Serve, open_page: Open, picture: Picture
) -> None:
    server = serve()
    page = open_page(server).page
    page.evaluate(f"{MARK} = true")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    picture(page, "queue-empty")
    page.locator("input[type=file]").set_input_files(DEMO)
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
    assert page.evaluate(MARK) is True
    assert not faults(page)
