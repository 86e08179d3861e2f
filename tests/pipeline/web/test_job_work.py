"""The progress of a job is what the events of its run have told."""

from __future__ import annotations

from typing import Any

from pipeline.web.job_work import WorkBoard

JOB = "a1"


def told(*events: tuple[str, dict[str, Any]]) -> WorkBoard:
    board = WorkBoard()
    board.note("RunStarted", {"run": "r1", "job": None})
    board.note("ItemStarted", {"job": JOB, "item": "talk", "plan": ["demux", "asr", "subtitle"]})
    for kind, event in events:
        board.note(kind, {"job": JOB, "item": "talk", **event})
    return board


def work_after(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    found = told(*events).of(JOB)
    assert found is not None
    return found


STARTED = {"step": "asr", "backend": "b", "reason": "new", "media_ms": 9000, "worker": "w01"}


def test_steps_stand_in_the_order_of_the_plan_with_how_far_each_is() -> None:
    work = work_after(
        ("StepReused", {"step": "demux", "backend": "ffmpeg", "key": "k"}),
        ("StepWaiting", {"step": "asr", "waits_for": "memory"}),
        ("StepStarted", STARTED),
        ("StepProgress", {"step": "asr", "done": 0.5}),
    )
    assert [(step["step"], step["state"]) for step in work["steps"]] == [
        ("demux", "reused"), ("asr", "running"), ("subtitle", "planned"),
    ]  # fmt: skip
    running = work["steps"][1]
    assert (running["done"], running["media_ms"]) == (0.5, 9000)
    assert "waits_for" not in running
    assert work["run"] == "r1"


def test_a_step_that_begins_again_says_its_text_again() -> None:
    said = {"step": "asr", "start_ms": 0, "end_ms": 900, "text": "Hello."}
    other = {"step": "ocr", "start_ms": 0, "end_ms": 900, "text": "EXIT"}
    work = work_after(
        ("StepPartial", other), ("StepPartial", said), ("StepStarted", STARTED), ("StepPartial", said)
    )  # fmt: skip
    assert [line["text"] for line in work["text"]] == ["EXIT", "Hello."]


def test_only_the_newest_lines_of_text_are_kept() -> None:
    lines = [("StepPartial", {"step": "asr", "start_ms": n, "end_ms": n + 1, "text": str(n)}) for n in range(1000)]
    text = work_after(*lines)["text"]
    assert len(text) < 1000
    assert text[-1]["text"] == "999"


def test_a_failure_keeps_the_end_of_its_log_and_its_way_out() -> None:
    failed = {
        "step": "asr", "backend": "b", "code": "worker.memory", "message": "too large", "hint": "use less",
        "log": "/x/asr.log", "log_lines": ["one", "two"], "again": None,
    }  # fmt: skip
    work = work_after(("StepFailedEvent", failed), ("StepSkipped", {"step": "subtitle"}))
    assert work["failures"] == [{name: failed[name] for name in work["failures"][0]}]
    assert [step["state"] for step in work["steps"]] == ["planned", "failed", "skipped"]


def test_what_is_set_up_is_told_until_it_is_there_and_a_notice_of_the_run_reaches_every_job() -> None:
    board = told()
    for kind, event in (
        ("SetupStarted", {"what": "model m", "bytes": 100}),
        ("SetupProgress", {"what": "model m", "done_bytes": 40, "total_bytes": 100}),
        ("Notice", {"item": None, "step": None, "text": "the disk is nearly full"}),
    ):
        board.note(kind, {**event, "job": None})
    assert [(one["what"], one["done_bytes"]) for one in board.data()["set_up"]] == [("model m", 40)]
    assert board.data()["jobs"][JOB]["notices"] == ["the disk is nearly full"]
    board.note("SetupFinished", {"what": "model m", "seconds": 1.0, "job": None})
    assert board.data()["set_up"] == []
    ended = board.end(JOB)
    assert ended
    assert ended["notices"]
    assert board.of(JOB) is None
