"""Reporters turn events into text for people."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from unittest import mock

import pytest
from rich.console import Console

from pipeline.base import events
from pipeline.cli.reporters import open_reporter
from pipeline.cli.reporters.plain_lines import Headings, PlainLines, line_of
from pipeline.cli.reporters.progress_bars import Bars
from pipeline.cli.reporters.transfer_rate import TransferRate


def test_a_finished_step_tells_its_rate_and_what_it_found() -> None:
    done = events.StepDone("a", "asr", "faster-whisper", "k" * 64, 12.0, 60_000, {"language": "en", "sure": 0.98765})
    line = line_of(done)
    assert (
        line
        == "  asr                    faster-whisper    done      12s, 5.0x real time of 1:00, language en, sure 0.988"
    )


def test_the_rate_of_a_very_short_step_is_not_shown() -> None:
    done = events.StepDone("a", "separate", "deepfilternet", "k", 0.02, 60_000, {"snr_db": 23.7, "applied": False})
    assert line_of(done) == "  separate               deepfilternet     done      0.0s, snr db 23.7, not applied"


def test_a_failure_shows_its_hint_below() -> None:
    failed = events.StepFailedEvent("a", "demux", "ffmpeg", "demux.no-audio", "no sound", "give another file", None)
    assert (line_of(failed) or "").splitlines() == [
        "  demux                  ffmpeg            failed    no sound [demux.no-audio]",
        "                         hint: give another file",
    ]


def test_a_failure_shows_the_end_of_its_log_and_the_command_that_repeats_it() -> None:
    log, again = Path("vad.log"), "./reel run film.mkv --only vad"
    failed = events.StepFailedEvent("a", "vad", "silero", "stage.raised", "no", None, log, ("one", "two"), again)
    told = [line.strip() for line in (line_of(failed) or "").splitlines()[1:]]
    assert told == ["its last lines:", "| one", "| two", "log: vad.log", f"again: {again}"]


def test_steps_behind_a_failed_one_are_one_line() -> None:
    assert line_of(events.StepSkipped("a", "clean")) is None
    assert line_of(events.StepsSkipped("a", ("clean", "mux"))) == "  skipped 2 later steps: clean, mux"


def test_a_long_reason_is_cut_and_a_moving_bar_is_no_line() -> None:
    started = line_of(events.StepStarted("a", "asr", "x", "because " * 40, None))
    assert started is not None
    assert len(started) < 130
    assert line_of(events.StepProgress("a", "asr", 0.5)) is None


def test_bars_take_every_event_without_a_terminal_and_none_is_left_when_all_has_ended() -> None:
    screen = io.StringIO()
    bars = Bars(Console(file=screen, width=200))
    bars.emit(events.StepProgress("a", "never started", 0.5))
    begun = [kind for kind in get_args(events.Event) if kind.__name__.endswith(("Started", "Progress"))]
    ended = [kind for kind in get_args(events.Event) if kind not in begun]
    for kind in begun:
        bars.emit(example(kind))
    assert len(bars.tasks) >= 3
    for kind in ended:
        bars.emit(example(kind))
        line = line_of(example(kind))
        assert line is None or line.splitlines()[0] in screen.getvalue(), kind.__name__
    assert list(bars.tasks) == []


_EXAMPLES: dict[object, object] = {
    str: "a", int: 1, float: 1.0, bool: True, Path: Path("a"), tuple: (), dict: {}, Mapping: {}
}  # fmt: skip


def example(kind: Any) -> events.Event:
    """Return an event of a kind; all that are made by this are about the same step, file and worker."""
    types = {name: hint for name, hint in get_type_hints(kind).items() if name in kind.__dataclass_fields__}
    values = {name: _EXAMPLES[get_origin(_first(hint)) or _first(hint)] for name, hint in types.items()}
    made: events.Event = kind(**values)
    return made


def _first(hint: object) -> object:
    """Return the first kind of value where several may stand."""
    return get_args(hint)[0] if get_origin(hint) in {Union, UnionType} else hint


def test_the_pace_of_a_transfer_is_that_of_the_last_seconds() -> None:
    rate = TransferRate(500_000_000, 1_000_000_000, now=0.0)  # an earlier attempt brought the first half
    assert rate.text(now=0.1) == ""
    rate.update(505_000_000, now=1.0)
    assert rate.text(now=1.0) == "5.0 MB/s, 1m39s left"
    for second in range(2, 40):
        rate.update(505_000_000 + second * 1_000_000, now=float(second))
    assert rate.text(now=39.0).startswith("1.0 MB/s")


def test_a_stalled_or_very_slow_transfer_is_marked() -> None:
    rate = TransferRate(0, 10_000_000, now=0.0)
    rate.update(5_000_000, now=2.0)
    assert rate.text(now=20.0) == "stalled: nothing for 18s"
    slow = TransferRate(0, 10_000_000, now=0.0)
    for second in range(1, 9):
        slow.update(second * 100, now=float(second))
    assert slow.text(now=8.0).startswith("only 0.1 kB/s")


def test_a_transfer_that_starts_over_has_a_pace_again() -> None:
    rate = TransferRate(9_000_000, 10_000_000, now=0.0)
    rate.update(1_000_000, now=1.0)
    rate.update(3_000_000, now=2.0)
    assert rate.text(now=2.0) == "2.0 MB/s, 3.5s left"


def _fetch(file: str = "model.bin") -> list[events.Event]:
    return [
        events.SetupStarted("model x", 100_000_000),
        events.FileStarted("model x", file, 40_000_000, 100_000_000),
        events.FileProgress("model x", file, 60_000_000, 100_000_000),
        events.SetupProgress("model x", 60_000_000, 100_000_000),
        events.FileEnded("model x", file, True, 60_000_000, 10.0),
        events.SetupFinished("model x", 10.0),
    ]


def test_in_a_pipe_a_file_has_lines_that_tell_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines(between_s=0.0)
    for event in _fetch():
        lines.emit(event)
    told = capsys.readouterr().err.splitlines()
    assert told[1] == "  model.bin: going on from 40 MB of 100 MB"
    assert told[2].startswith("  model.bin: 60 MB of 100 MB")
    assert told[3] == "  model.bin: 60 MB in 10s, 6.0 MB/s"


def test_in_a_pipe_a_file_that_is_quick_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = PlainLines()
    for event in _fetch():
        lines.emit(event)
    assert len(capsys.readouterr().err.splitlines()) == 4, "begun, going on, the file, done"


def test_on_a_terminal_each_file_has_a_bar_of_its_own_while_it_comes() -> None:
    bars = Bars(Console(file=io.StringIO(), force_terminal=True, width=100))
    shown = []
    for event in _fetch("weights.safetensors"):
        bars.emit(event)
        shown.append([task.description.strip() for task in bars.tasks])
    assert shown == [
        ["setting up model x"],
        *[["setting up model x", "weights.safetensors"]] * 3,
        ["setting up model x"],
        [],
    ]


def test_a_bar_that_gets_no_more_events_says_by_itself_that_the_transfer_has_stalled() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    bars = Bars(console)
    for event in _fetch()[:3]:
        bars.emit(event)
    with mock.patch("time.monotonic", return_value=time.monotonic() + 60):
        console.print(bars.drawn())
    output = console.file
    assert isinstance(output, io.StringIO)
    assert "stalled: nothing for 1m00s" in output.getvalue()


def test_lines_of_several_files_stand_below_their_names() -> None:
    headings = Headings()

    def line(event: events.Event) -> str:
        return headings.above(event, line_of(event) or "")

    assert line(events.ItemStarted("a", Path("a"), 2)) == "a"
    assert line(events.StepReused("a", "vad", "x", "1")).startswith("  vad")
    assert line(events.ItemStarted("b", Path("b"), 2)) == "b"
    assert line(events.StepReused("a", "asr", "x", "1")).startswith("a\n  asr")
    assert line(events.StepReused("a", "align", "x", "1")).startswith("  align")


@pytest.mark.parametrize(("kind", "notes"), [("none", True), ("quiet", False)])
def test_without_progress_errors_are_told_and_notes_unless_quiet(
    kind: str, notes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_reporter(kind) as emit:
        emit(events.ItemStarted("film.mkv", Path("film.mkv"), 1))
        emit(events.StepStarted("film.mkv", "demux", "ffmpeg", "", None))
        emit(events.Notice(None, None, "waiting for the result store"))
        emit(events.StepFailedEvent("film.mkv", "demux", "ffmpeg", "demux.container", "no film", "look", Path("x.log")))
        emit(events.ItemFinished("film.mkv", "failed", 0.0, None))
    lines = capsys.readouterr().err.splitlines()
    expected = ["error: film.mkv: demux: no film [demux.container]", "hint: look", "log: x.log"]
    assert lines == (["note: waiting for the result store"] if notes else []) + expected


def test_verbose_lines_tell_of_workers_and_of_steps_that_wait(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("plain", "verbose"):
        with open_reporter(kind) as emit:
            emit(events.WorkerStarted("w01", "lite", "local", 1))
            emit(events.WorkerLoaded("w01", "asr", "faster-whisper", ("faster-whisper-base",), 1.0, 300.0))
            emit(events.StepWaiting("film.mkv", "asr", "a worker of its kind"))
            emit(events.WorkerEnded("w01", "idle"))
    assert capsys.readouterr().err.splitlines() == [
        "  w01 started: lite on local",
        "  w01 loaded asr (faster-whisper) with faster-whisper-base in 1.0s, 300 MB of memory",
        "film.mkv",
        "  asr                                      waits     for a worker of its kind",
        "  w01 ended: idle",
    ]
