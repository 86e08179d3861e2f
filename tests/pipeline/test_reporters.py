"""What a person reads of an event."""

from __future__ import annotations

from pathlib import Path

from pipeline import events
from pipeline.reporters.bars import Bars
from pipeline.reporters.plain import line_of


def test_a_finished_step_tells_its_rate_and_what_it_found() -> None:
    done = events.StepDone("a", "asr", "faster-whisper", "k" * 64, 12.0, 60_000, {"language": "en", "sure": 0.98765})
    line = line_of(done)
    assert (
        line
        == "  asr                    faster-whisper    done      12s, 5.0x real time of 1:00, language en, sure 0.988"
    )


def test_the_rate_of_a_moment_is_not_told() -> None:
    done = events.StepDone("a", "separate", "deepfilternet", "k", 0.02, 60_000, {"snr_db": 23.7, "applied": False})
    assert line_of(done) == "  separate               deepfilternet     done      0.0s, snr db 23.7, not applied"


def test_a_failure_tells_the_way_out_below() -> None:
    failed = events.StepFailedEvent("a", "demux", "ffmpeg", "demux.no-audio", "no sound", "give another file", None)
    assert (line_of(failed) or "").splitlines() == [
        "  demux                  ffmpeg            failed    no sound [demux.no-audio]",
        "                         hint: give another file",
    ]


def test_a_long_reason_is_cut_and_a_moving_bar_is_no_line() -> None:
    started = line_of(events.StepStarted("a", "asr", "x", "because " * 40, None))
    assert started is not None
    assert len(started) < 130
    assert line_of(events.StepProgress("a", "asr", 0.5)) is None


def test_bars_take_every_event_without_a_terminal() -> None:
    with Bars() as bars:
        for event in (
            events.SetupStarted("model x", 100),
            events.SetupProgress("model x", 50, 100),
            events.SetupFinished("model x", 1.0),
            events.ItemStarted("a", Path("a"), 1),
            events.StepStarted("a", "asr", "b", "new", 60_000),
            events.StepProgress("a", "asr", 0.5),
            events.StepProgress("a", "never started", 0.5),
            events.StepDone("a", "asr", "b", "k", 1.0, 60_000, {}),
            events.ItemFinished("a", "done", 1.0, None),
        ):
            bars.emit(event)
