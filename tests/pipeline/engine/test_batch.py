"""Many files in one call, on stub stages: shared work, separate results, failures, signals and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.engine.batch import run_batch
from pipeline.engine.concurrency import BatchRunner
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.workers.process import _CANCEL_GRACE_S, _TERMINATE_GRACE_S
from tests.conftest import Reel
from tests.processes import children, gone, hears, survives_kills

STUB = {"REEL_STUB": "true"}


def clip(place: Path, content: str) -> Path:
    """Return a file that a stub stage takes for a film."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content, encoding="utf-8")
    return place


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    return [clip(tmp_path / "films" / f"film{number}.mp4", f"film {number}") for number in range(4)]


def items(text: str) -> dict[str, dict[str, object]]:
    return {item["name"]: item for item in json.loads(text)["data"]["items"]}


def test_equal_files_are_processed_once_and_published_under_each_name(reel: Reel, tmp_path: Path) -> None:
    first = clip(tmp_path / "a.mp4", "the same")
    clip(tmp_path / "b.mp4", "the same")
    (tmp_path / "link.mp4").symlink_to(first)
    done = reel("run", "a.mp4", "b.mp4", "link.mp4", "--json", "--progress", "json", extra=STUB)
    assert json.loads(done.stdout)["data"]["counts"] == {"done": 1, "reused": 2}
    steps = json.loads((reel.out / "a" / "job.json").read_text(encoding="utf-8"))["steps"]
    done_once = len({step["key"] for step in steps.values()})  # the second `vad` is the first
    assert sum('"StepDone"' in line for line in done.stderr.splitlines()) == done_once
    assert sorted(path.name for path in reel.out.iterdir()) == ["a", "b", "link"]
    assert (reel.out / "link" / "link.en.srt").read_bytes() == (reel.out / "a" / "a.en.srt").read_bytes()


def test_names_that_look_alike_get_separate_folders(reel: Reel, tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "caf\u00e9.mp4") for form in ("NFC", "NFD"))
    places = [composed, apart, "CAF\u00c9.mp4", f"other/{composed}", "caf\u00e9.mkv"]
    for number, name in enumerate(places):
        clip(tmp_path / name, f"film {number}")
    done = reel("run", *places, "--json", extra=STUB)
    folders = [unicodedata.normalize("NFC", str(item["folder"])).casefold() for item in items(done.stdout).values()]
    assert len(set(folders)) == len(places)
    again = reel("run", *places, "--json", extra=STUB)
    assert json.loads(again.stdout)["data"]["counts"] == {"reused": len(places)}
    assert [item["folder"] for item in items(again.stdout).values()] == [
        item["folder"] for item in items(done.stdout).values()
    ]


def test_a_list_gives_each_file_its_own_settings(reel: Reel, tmp_path: Path) -> None:
    clip(tmp_path / "a.mp4", "a")
    clip(tmp_path / "b.mp4", "b")
    rows = [{"media": "a.mp4", "to": ["pt"]}, {"media": "b.mp4", "recipe": "transcribe"}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    reel("run", "--manifest", "list.jsonl", extra=STUB)
    assert (reel.out / "a" / "a.pt.srt").exists()
    assert not (reel.out / "b" / "b.en.srt").exists()
    assert (reel.out / "b" / "transcript.json").exists()


@pytest.mark.parametrize(
    ("row", "code", "says", "exit_code"),
    [
        ({"asr.beams": 5}, "manifest.line", "list.jsonl sets `asr.beams`", 4),
        ({"asrr.beam_size": 5}, "manifest.line", "did you mean `asr`?", 4),
        ({"langage": "hi"}, "manifest.line", "did you mean `language`?", 4),
        ({"output_dir": "/"}, "manifest.line", "`output_dir` cannot be set for a single media file", 4),
        ({"asr.beam_size": "many"}, "params.invalid", "b.mp4: `asr.beam_size` cannot be 'many'", 2),
        ({"language": "klingon"}, "params.invalid", "b.mp4: `asr.language` cannot be 'klingon'", 2),
        ({"to": "klingon"}, "settings.value", "b.mp4: `to`", 2),
        ({"recipe": "subtitel"}, "recipe.unknown", "did you mean `subtitle`?", 2),
    ],
)
def test_a_wrong_setting_of_one_file_is_reported_before_the_first_step(
    reel: Reel, tmp_path: Path, row: dict[str, object], code: str, says: str, exit_code: int
) -> None:
    clip(tmp_path / "a.mp4", "a")
    clip(tmp_path / "b.mp4", "b")
    rows = [{"media": "a.mp4"}, {"media": "b.mp4", **row}]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for command in ("plan", "run"):
        done = reel(command, "--manifest", "list.jsonl", extra=STUB, expect=exit_code)
        assert f"[{code}]" in done.stderr
        assert says in done.stderr
    assert not reel.out.exists()
    assert json.loads(reel("runs", "list", "--json").stdout)["data"]["runs"] == []


def test_the_final_table_counts_every_outcome(reel: Reel, films: list[Path]) -> None:
    done = reel("run", films[0], "missing.mkv", films[1], extra=STUB, expect=3)
    assert "3 files: 2 done, 1 failed" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("missing.mkv  failed  ")
    assert "[media.missing]" in done.stderr.splitlines()[-1]


def test_fail_fast_starts_no_further_item(reel: Reel, films: list[Path]) -> None:
    done = reel("run", "missing.mkv", *films, "--fail-fast", "--json", extra=STUB, expect=3)
    assert json.loads(done.stdout)["data"]["counts"] == {"failed": 1, "skipped": 4}
    reel("run", "missing.mkv", *films, "--fail-fast", "--keep-going", extra=STUB, expect=2)


def test_fail_fast_cancels_the_items_at_work(make_project: Callable[..., Project], tmp_path: Path) -> None:
    emitted: list[events.Event] = []
    good = [Request(clip(tmp_path / f"{number}.mp4", str(number))) for number in range(3)]
    result = run_batch(
        [good[0], Request(tmp_path / "missing.mp4"), *good[1:]], make_project(stub=True), emitted.append, fail_fast=True
    )
    assert [item.state for item in result.items] == ["skipped", "failed", "skipped", "skipped"]
    assert not any(isinstance(event, events.StepDone) for event in emitted)


def test_a_batch_of_reused_results_starts_no_event_loop(
    make_project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(stub=True, recipe="transcribe")
    requests = [Request(clip(tmp_path / f"{number}.mp4", str(number))) for number in range(3)]
    requests.insert(1, Request(tmp_path / "missing.mp4"))
    first = run_batch(requests, project, lambda event: None)
    monkeypatch.setattr(BatchRunner, "run", None)
    again = run_batch(requests, project, lambda event: None)
    assert [item.state for item in first.items] == ["done", "failed", "done", "done"]
    assert [item.state for item in again.items] == ["reused", "failed", "reused", "reused"]
    stopped = run_batch(requests, project, lambda event: None, fail_fast=True)
    assert [item.state for item in stopped.items] == ["reused", "failed", "skipped", "skipped"]
    assert [item.name for item in stopped.items] == [item.name for item in first.items]


def test_retry_failed_runs_only_failed_files(reel: Reel, films: list[Path], tmp_path: Path) -> None:
    late = tmp_path / "late.mp4"
    reel("run", late, *films, extra=STUB, expect=3)
    clip(late, "here now")
    done = reel("run", "--retry-failed", "--json", extra=STUB)
    assert list(items(done.stdout)) == ["late.mp4"]
    assert "none of these files failed" in reel("run", "--retry-failed", extra=STUB, expect=2).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no name that is not text")
def test_a_file_whose_name_is_not_text_is_found_among_the_failed(reel: Reel, films: list[Path]) -> None:
    folder = films[0].parent
    (folder / os.fsdecode(b"bad\xff.mp4")).write_bytes(b"film")
    for more, code in (((), 3), (("--retry-failed",), 4)):
        assert "[media.name]" in reel("run", folder, *more, extra=STUB, expect=code).stderr


def test_failures_are_remembered_over_refused_commands_and_good_runs(
    reel: Reel, films: list[Path], tmp_path: Path
) -> None:
    late, never = tmp_path / "late.mp4", tmp_path / "never.mp4"
    reel("run", late, never, extra=STUB, expect=3)
    reel("run", late, "--recipe", "subtitel", extra=STUB, expect=2)
    reel("run", late, "--language", "klingon", extra=STUB, expect=2)
    reel("run", films[0], extra=STUB)
    assert len(json.loads(reel("runs", "list", "--json").stdout)["data"]["runs"]) == 2, "a refused command is not a run"
    clip(late, "here now")
    done = reel("run", "--retry-failed", "--json", extra=STUB, expect=3)
    assert list(items(done.stdout)) == ["late.mp4", "never.mp4"]
    assert list(items(reel("run", "--retry-failed", "--json", extra=STUB, expect=4).stdout)) == ["never.mp4"]


def test_order_and_limit_choose_the_files(reel: Reel, films: list[Path]) -> None:
    clip(films[2], "the longest of all films")
    done = reel("run", *films, "--order", "largest", "--limit", "1", "--json", extra=STUB)
    assert list(items(done.stdout)) == ["film2.mp4"]
    assert "--limit" in reel("run", *films, "--limit", "0", extra=STUB, expect=2).stderr


def test_requests_may_arrive_during_the_work(make_project: Callable[..., Project], tmp_path: Path) -> None:
    emitted: list[events.Event] = []

    async def arriving() -> AsyncIterator[Request]:
        yield Request(clip(tmp_path / "first.mp4", "first"))
        while not any(isinstance(event, events.StepStarted) for event in emitted):
            await asyncio.sleep(0.01)
        yield Request(clip(tmp_path / "second.mp4", "second"))

    import asyncio

    result = run_batch(arriving(), make_project(stub=True), emitted.append)
    assert [item.state for item in result.items] == ["done", "done"]
    starts = [event.worker for event in emitted if isinstance(event, events.WorkerStarted)]
    assert len(starts) <= 2, "the second finds the workers of the first"


def test_the_first_interrupt_ends_politely_and_names_the_next_command(reel: Reel, films: list[Path]) -> None:
    with reel.start("run", *films, "--progress", "json", extra=STUB) as process:
        workers = _workers(process)
        process.send_signal(signal.SIGINT)
        hears(process.stderr, "stopping; interrupt again to end everything at once")
        hears(process.stderr, "the same command goes on from there")
        process.communicate(timeout=30)
    assert process.returncode == 130
    assert gone(workers)
    assert not list(reel.results.glob("staging/*/*"))
    assert json.loads(reel("run", *films, "--json", extra=STUB).stdout)["data"]["counts"].keys() <= {"done", "reused"}


def test_a_second_interrupt_ends_at_once(reel: Reel, films: list[Path]) -> None:
    with reel.start("run", *films, "--progress", "json", extra=STUB) as process:
        workers = _workers(process)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # one that hears nothing any more
        process.send_signal(signal.SIGINT)
        hears(process.stderr, "stopping; interrupt again to end everything at once")
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        # A stopped worker would use up both of the times that it is given.
        assert time.monotonic() - started < _CANCEL_GRACE_S + _TERMINATE_GRACE_S
    assert process.returncode == 130
    assert gone(workers)


def test_a_kill_at_any_time_loses_no_result_and_leaves_no_process(reel: Reel, films: list[Path]) -> None:
    survives_kills(reel, films, STUB, kills=6)


def _workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the workers, once one of them is at work; none that is still a copy of its parent, which must not be
    stopped."""
    hears(process.stderr, "StepStarted")
    own = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    return [pid for pid in children(process.pid) if Path(f"/proc/{pid}/cmdline").read_bytes() != own]
