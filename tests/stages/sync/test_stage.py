"""Stage `sync` writes cues with other times, the file with nothing else changed, and a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.documents.cue import CueSheet
from shared.documents.subtitle_sync import SubtitleFit, SyncReport
from shared.stage import Job, StageError
from shared.text.timecode import timecode
from stages.sync.stage import SyncInputs, SyncOutputs, SyncParams, run, stub
from stages.sync.words import WordsEngine
from stages.toolkit.formats.reader import read
from tests.fakes.listener import Audience
from tests.fakes.spoken_film import DAMAGES, Subtitled, film, in_order, sheet

MADE = film(1)
LATE = list(DAMAGES["90 s late"](MADE))


def srt(cues: Sequence[Subtitled]) -> str:
    return "".join(
        f"{number}\n{timecode(cue.start_ms)} --> {timecode(cue.end_ms)}\n<i>{cue.text}</i>\n\n"
        for number, cue in enumerate(in_order(cues), 1)
    )


def sync(
    tmp_path: Path, cues: Sequence[Subtitled], *, strict: bool = False, fit: SubtitleFit | None = None
) -> tuple[SyncOutputs, SyncReport, list[str]]:
    """Return the outputs, the report, and what the user is told."""
    (tmp_path / "film.en.srt").write_text(srt(cues), encoding="utf-8")
    inputs = SyncInputs(
        cues=sheet(cues).write(tmp_path / "cues.json"), speech=MADE.speech.write(tmp_path / "speech.json"),
        heard=MADE.heard.write(tmp_path / "heard.json"), subtitles=tmp_path / "film.en.srt",
        fit=fit.write(tmp_path / "fit.json") if fit else None,
    )  # fmt: skip
    out, audience = tmp_path / "out", Audience()
    out.mkdir()
    outputs = run(WordsEngine(), Job(inputs, SyncParams(strict=strict), out, "words", audience))
    return outputs, SyncReport.read(outputs.report), audience.warnings


def test_the_file_gets_other_times_and_keeps_its_text(tmp_path: Path) -> None:
    outputs, report, warnings = sync(tmp_path, LATE)
    (written,) = outputs.files
    cues = read(written).cues
    assert [cue.lines for cue in cues] == [(cue.text,) for cue in LATE]
    assert all(abs(cue.start_ms - made.start_ms) <= 200 for cue, made in zip(cues, MADE.cues, strict=True))
    assert outputs.cues is not None
    assert [cue.start_ms for cue in CueSheet.read(outputs.cues).cues] == [cue.start_ms for cue in cues]
    assert (report.verdict, report.method, report.moved, len(report.placed)) == ("moved", "words", 60, 60)
    assert report.sure > 0.9
    assert abs(report.median_ms + 90_000) <= 200
    assert "-90.0 s" in warnings[0] or "-89.9 s" in warnings[0]


def test_a_file_in_step_stays_as_it_is(tmp_path: Path) -> None:
    outputs, report, warnings = sync(tmp_path, MADE.cues)
    assert outputs.files[0].read_text(encoding="utf-8") == srt(MADE.cues)
    assert (report.verdict, report.method, report.moved, warnings) == ("fits", "none", 0, [])


def test_a_verdict_that_it_fits_is_taken(tmp_path: Path) -> None:
    fit = SubtitleFit(
        verdict="fits", reason="said so", text_language="en", speech_language="en", cues=60, on_speech=1.0,
        sampled_ms=0, heard_words=0, agreeing=1.0,
    )  # fmt: skip
    outputs, report, _ = sync(tmp_path, LATE, fit=fit)
    assert outputs.files[0].read_text(encoding="utf-8") == srt(LATE)
    assert report.reason == "said so"


def test_a_subtitle_of_another_film_gives_no_cues(tmp_path: Path) -> None:
    outputs, report, warnings = sync(tmp_path, film(9).cues)
    assert (outputs.cues, outputs.files, report.verdict) == (None, (), "refused")
    assert "does not belong" in warnings[0]


def test_where_the_user_wants_it_synchronised_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="does not belong") as caught:
        sync(tmp_path, film(9).cues, strict=True)
    assert caught.value.code == "sync.refused"


def test_without_any_words_of_the_film_there_is_nothing_to_compare(tmp_path: Path) -> None:
    inputs = SyncInputs(cues=sheet(LATE).write(tmp_path / "cues.json"), speech=MADE.speech.write(tmp_path / "s.json"))
    with pytest.raises(StageError, match="neither"):
        run(WordsEngine(), Job(inputs, SyncParams(), tmp_path, "words", Audience()))


def test_the_stub_leaves_the_cues_where_they_are(tmp_path: Path) -> None:
    inputs = SyncInputs(cues=sheet(LATE).write(tmp_path / "cues.json"), speech=MADE.speech.write(tmp_path / "s.json"))
    outputs = stub(Job(inputs, SyncParams(), tmp_path, "stub", Audience()))
    assert outputs.cues is not None
    assert CueSheet.read(outputs.cues) == sheet(LATE)
