"""The live table: what it gathers from events, and that it fits into any terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.base import events
from pipeline.cli.reporters.live_table import LiveTable, draw
from pipeline.cli.reporters.run_state import RunState

PLAN = ("demux", "asr", "translate:pt", "translate:hi", "subtitle")


def begin(run: RunState, item: str, now: float) -> None:
    run.apply(events.ItemStarted(item, Path(item), len(PLAN), PLAN), now)


def do(run: RunState, item: str, step: str, began: float, ended: float | None, media_ms: int | None = 60_000) -> None:
    """Begin a step, and end it where `ended` is given."""
    run.apply(events.StepStarted(item, step, "library", "new", media_ms, "w1"), began)
    if ended is not None:
        run.apply(events.StepDone(item, step, "library", "k", ended - began, media_ms), ended)


def shown(run: RunState, width: int = 100, height: int = 30, now: float = 100.0) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(draw(run, width, height, now))
    return capture.get().splitlines()


@pytest.fixture
def run() -> RunState:
    """Return the state of a run of ten files: one is done after 20 s of work, one is in the middle, a third waits."""
    made = RunState()
    made.apply(events.RunStarted("r", 10), 0.0)
    made.apply(events.WorkerStarted("w1", "asr (library)", "local", 1), 0.0)
    made.apply(events.WorkerLoaded("w1", "asr", "library", ("base",), 3.0, 900.0), 3.0)
    made.apply(events.WorkerMeasured("w1", 1.9, 1234.0), 4.0)
    begin(made, "first.mp4", 0.0)
    do(made, "first.mp4", "demux", 0.0, 10.0)
    do(made, "first.mp4", "asr", 10.0, 20.0)
    made.apply(events.ItemFinished("first.mp4", "done", 20.0, Path("out")), 20.0)
    begin(made, "second.mp4", 20.0)
    made.apply(events.StepReused("second.mp4", "demux", "library", "k"), 20.0)
    do(made, "second.mp4", "asr", 20.0, None)
    made.apply(events.StepProgress("second.mp4", "asr", 0.5), 25.0)
    begin(made, "third.mp4", 20.0)
    made.apply(events.StepWaiting("third.mp4", "demux", "a core"), 20.0)
    return made


def test_the_text_that_came_last_is_shown_until_its_step_is_done(run: RunState) -> None:
    run.apply(events.StepPartial("second.mp4", "asr", 0, 900, "It was the age\nof wisdom."), 25.0)
    assert "second.mp4: It was the age of wisdom." in shown(run, now=25.0)
    run.apply(events.StepDone("second.mp4", "asr", "library", "k", 1.0, 1000), 26.0)
    assert not any("wisdom" in line for line in shown(run, now=26.0))


def test_rows_show_the_step_of_each_file_and_the_job_of_each_worker(run: RunState) -> None:
    text = shown(run, now=25.0)
    assert text[0].startswith("1 of 10 files finished; 1 done; 2.4x real time; about ")
    assert text[0].endswith("waiting for a core (1)")
    assert text[1].split() == ["FILE", "demux", "asr", "translate", "subtitle"]
    assert text[2].split() == ["second.mp4", "same", "50%", ".", "."]
    assert text[3].split() == ["third.mp4", "wait", ".", ".", "."]
    assert text[5].split() == ["w1", "asr", "(library)", "1.9", "1.2", "GB", "asr", "of", "second.mp4,", "6.0x"]


def test_several_languages_are_one_column(run: RunState) -> None:
    do(run, "second.mp4", "asr", 20.0, 30.0)
    do(run, "second.mp4", "translate:pt", 30.0, 31.0)
    assert shown(run)[2].split() == ["second.mp4", "same", "ok", "1/2", "."]
    do(run, "second.mp4", "translate:hi", 31.0, None)
    assert shown(run, now=35.0)[2].split()[3] == "4.0s"
    run.apply(events.StepFailedEvent("second.mp4", "translate:hi", "library", "code", "no", None, None), 36.0)
    assert shown(run)[2].split()[3] == "FAIL"


def test_the_time_left_follows_the_pace_and_is_shown_only_once_a_file_is_finished(run: RunState) -> None:
    # 20 s of work in 25 s so far and 5 s of the second; every second demux is reused, so a media takes 15 s.
    left = run.left_s(25.0)
    assert left is not None
    assert left == pytest.approx((7 * 15 + 5 + 15) * 25 / 25, rel=0.05)
    endless = RunState()
    endless.apply(events.RunStarted("r", None), 0.0)
    begin(endless, "a", 0.0)
    do(endless, "a", "asr", 0.0, 1.0)
    endless.apply(events.ItemFinished("a", "done", 1.0, None), 1.0)
    assert endless.left_s(2.0) is None, "more may come"
    fresh = RunState()
    fresh.apply(events.RunStarted("r", 5), 0.0)
    begin(fresh, "a", 0.0)
    do(fresh, "a", "asr", 0.0, None)
    assert fresh.left_s(2.0) is None, "nothing is finished yet"


@pytest.mark.parametrize("width", [20, 30, 60, 80, 200])
@pytest.mark.parametrize("height", [3, 6, 10, 24])
def test_the_table_fits_into_any_terminal(run: RunState, width: int, height: int) -> None:
    for number in range(40):
        begin(run, f"a film with a name that is rather long {number}.mkv", 30.0)
        run.apply(events.WorkerStarted(f"x{number}", "diarize (speaker-clusters)", "local", 1), 30.0)
    text = shown(run, width, height)
    assert len(text) <= max(height - 1, 2)
    assert all(len(line.rstrip()) <= width for line in text)
    if height >= 10:
        assert any(line.startswith("and") for line in text)


def test_a_finished_file_is_removed_from_the_state(run: RunState) -> None:
    run.apply(events.ItemFinished("second.mp4", "failed", 1.0, None), 30.0)
    run.apply(events.WorkerEnded("w1", "finished"), 30.0)
    assert list(run.items) == ["third.mp4"]
    assert not run.workers


def test_a_line_stays_for_each_of_many_files_or_for_each_step_of_one() -> None:
    for total, wanted in ((1, 2), (2, 1)):
        stream = io.StringIO()
        with LiveTable(Console(file=stream, width=100)) as table:
            for event in (
                events.RunStarted("r", total),
                events.ItemStarted("a", Path("a"), 1, ("asr",)),
                events.StepDone("a", "asr", "library", "k", 1.0, None),
                events.ItemFinished("a", "done", 1.0, None),
                events.WorkerMeasured("never started", 1.0, 1.0),
                events.StepProgress("never started", "asr", 0.5),
            ):
                table.emit(event)
        lines = [line for line in stream.getvalue().splitlines() if "done" in line and "finished" not in line]
        assert len(lines) == wanted
