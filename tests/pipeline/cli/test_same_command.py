"""The command that repeats a failed step is the user's own, for one file and one step."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.events import Event
from pipeline.cli.options.jobs import RunMedia
from pipeline.cli.parser import parse
from pipeline.cli.same_command import offering_again


def _offered(words: list[str], media: str, step: str = "asr", log: Path | None = Path("asr.log")) -> str | None:
    _, arguments = parse(["run", *words])
    assert isinstance(arguments, RunMedia)
    heard: list[Event] = []
    emit = offering_again(arguments, heard.append)
    emit(events.ItemStarted("film", Path(media), 1))
    emit(events.StepFailedEvent("film", step, "x", "stage.raised", "no", None, log))
    failed = heard[-1]
    assert isinstance(failed, events.StepFailedEvent)
    return failed.again


@pytest.mark.parametrize(
    "flags",
    [
        [], ["--to", "pt,en"], ["--set", "asr.beam_size=3", "--set", "vad.threshold=0.4"], ["--no-film"],
        ["--formats", "srt,vtt"], ["-o", "my films"], ["--offline", "--stub", "-q"], ["--profile", "starter"],
        ["--speakers", "2", "--replace"], ["--progress", "plain"],
    ],
)  # fmt: skip
def test_the_flags_are_the_same_and_the_files_one(flags: list[str]) -> None:
    told = _offered(["a.mkv", "my film.mkv", *flags, "--limit", "2", "--from", "vad"], "my film.mkv")
    assert told is not None
    _, again = parse(shlex.split(told)[1:])
    _, expected = parse(["run", "my film.mkv", *flags, "--only", "asr"])
    assert vars(again) == vars(expected)


def test_a_name_like_a_flag_is_still_a_file() -> None:
    assert shlex.split(_offered(["./-film.mkv"], "-film.mkv") or "")[2] == "./-film.mkv"


def test_a_list_with_settings_of_its_own_and_a_file_that_no_step_saw_offer_nothing() -> None:
    assert _offered(["--manifest", "list.csv"], "film.mkv") is None
    assert _offered(["film.mkv"], "film.mkv", "media", None) is None
