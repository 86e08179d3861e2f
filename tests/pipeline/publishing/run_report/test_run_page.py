"""The report on a run: failures first, of bounded size, and right about what lies in the folders now."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.publishing.run_report.gantt import Bar, Chart, Lane, condensed
from pipeline.publishing.run_report.run_page import links_between_files, run_report
from pipeline.store.history import ItemOutcome, LoadRecord, RunDetails, RunRecord, StepRecord, WorkerRecord
from tests.fakes.made_job import REVISION, MadeJob, film

BEGAN_MS = 1_795_900_000_000
STARTED, FINISHED = "2026-11-29T00:00:00+00:00", "2026-11-29T00:10:00+00:00"
RUN = RunRecord("20261129-000000-abcd", STARTED, FINISHED, "done", "subtitle", "starter")


def details_of(items: int, workers: int = 2) -> RunDetails:
    """Return a run in which each file has ten steps of 50 ms, every third failed, and all names are markup."""
    outcomes, steps = [], []
    for number in range(items):
        name = f"<b>{number}</b>.mp4"
        state = ("done", "reused", "failed")[number % 3]
        reason = "asr: no <i>memory</i> [worker.memory]" if state == "failed" else None
        outcomes.append(ItemOutcome(name, f"/films/{name}", None, state, 1.5, reason))
        for step in range(10):
            at = BEGAN_MS + number * 500 // workers + step * 50
            worker = f"w{number % workers:02d}"
            steps.append(StepRecord(name, f"step{step}", "a-library", "k" * 64, "done", 0.05, at, at + 50, worker))
    end = BEGAN_MS + 600_000
    lives = tuple(
        WorkerRecord(f"w{number:02d}", "lite", "local", 1, BEGAN_MS, end, "finished", 100.0, None)
        for number in range(workers)
    )
    loads = (LoadRecord("w00", "asr", "a-library", ("a <model>",), BEGAN_MS + 900, 0.5, None),)
    return RunDetails(RUN, tuple(outcomes), tuple(steps), lives, loads)


def page_of(made: MadeJob, details: RunDetails, *, place: str = "") -> str:
    return run_report(details, set(), made.materials, links_between_files(made.root / place))


def test_failed_files_come_first_with_the_reason_and_names_are_text(tmp_path: Path) -> None:
    page = page_of(MadeJob(tmp_path), details_of(7))
    states = re.findall(r'<span class="state"[^>]*>(\w+)</span>', page)
    assert states == ["failed"] * 2 + ["done"] * 3 + ["reused"] * 2
    assert "asr: no &lt;i&gt;memory&lt;/i&gt; [worker.memory]" in page
    assert "&lt;b&gt;0&lt;/b&gt;.mp4" in page
    assert not re.search("<b>[0-9]|<i>m|a <model>", page)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    made = MadeJob(tmp_path)
    assert page_of(made, details_of(20)) == page_of(made, details_of(20))


@pytest.mark.parametrize(("items", "workers"), [(5_000, 2), (1_000, 40)])
def test_a_report_on_many_files_and_workers_stays_below_a_megabyte(tmp_path: Path, items: int, workers: int) -> None:
    page = page_of(MadeJob(tmp_path), details_of(items, workers)).encode()
    assert len(page) <= 1_000_000
    assert (b"more files not listed here" in page) == (items == 5_000)


def test_a_file_leads_to_its_report_and_one_that_was_published_again_since_is_told(tmp_path: Path) -> None:
    made = film(tmp_path)
    made.files["report.html"], made.origins["report.html"] = "f" * 64, "report"
    folder = made.write()
    details = details_of(2)
    item = ItemOutcome("film.mp4", made.media, str(folder), "done", 1.0)
    steps = tuple(
        StepRecord("film.mp4", step, "a-library", str(record["key"]), "done", 1.0)
        for step, record in made.steps.items()
    )
    run = replace(details, items=(*details.items, item), steps=(*details.steps, *steps))
    page = page_of(made, run, place="reports")
    assert 'href="../out/film/report.html"' in page
    assert "one voice: Hello there." in page, "the warnings of a file are in the report on the run"
    assert "CC-BY-NC-4.0, no commercial use" in page
    assert REVISION in page[page.index("Made with") :]
    other = replace(steps[0], key="0" * 64)
    page = page_of(made, replace(run, steps=(*details.steps, other)))
    assert "published again since" in page
    assert "out/film/report.html" not in page


def test_a_run_of_one_file_shows_the_file_and_what_was_reused(tmp_path: Path) -> None:
    made = film(tmp_path)
    folder = made.write()
    item = ItemOutcome("film.mp4", made.media, str(folder), "reused", 0.1)
    steps = tuple(
        StepRecord("film.mp4", step, "a-library", str(record["key"]), "reused", None)
        for step, record in made.steps.items()
    )
    page = page_of(made, RunDetails(RUN, (item,), steps, (), ()))
    assert page.count("<td>reused</td>") == len(made.steps)
    assert "Made from" in page
    assert 'id="chart"' not in page  # no worker was started


def test_a_run_that_was_cut_off_at_once_has_a_report(tmp_path: Path) -> None:
    run = replace(RUN, finished=None, state="interrupted")
    assert "interrupted" in page_of(MadeJob(tmp_path), RunDetails(run, (), (), (), ()))


def test_a_condensed_chart_keeps_its_lanes_and_its_bars_in_order_and_inside() -> None:
    chance = random.Random(3)
    lanes = []
    for number in range(3):
        at, bars = 0, []
        for _ in range(2_000):
            end = at + chance.randrange(1, 100)
            bars.append(Bar(chance.choice("abc"), "one", at, end))
            at = end + chance.choice((0, 0, 200))
        lanes.append(Lane(f"w{number}", "lite", 0, at, tuple(bars)))
    drawn = Chart(max(lane.end_ms for lane in lanes), tuple(lanes))
    smaller = condensed(drawn)
    assert [lane.worker for lane in smaller.lanes] == ["w0", "w1", "w2"]
    for lane in smaller.lanes:
        assert 1 < len(lane.bars) <= 400
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(lane.bars))
        assert lane.bars[-1].end_ms <= drawn.length_ms
    few = Chart(100, (Lane("w", "lite", 0, 100, (Bar("a", "one", 0, 50),)),))
    assert condensed(few) is few
