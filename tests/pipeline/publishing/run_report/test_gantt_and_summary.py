"""The chart and the figures of a run that has ended."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

from pipeline.cli.commands.runs import _cards
from pipeline.engine.item import checks_in
from pipeline.publishing.record import Job
from pipeline.publishing.run_report.gantt import Bar, Chart, Lane, as_svg, as_text, chart
from pipeline.publishing.run_report.summary import summarise
from pipeline.store.history import CardRecord, ItemOutcome, LoadRecord, RunDetails, RunRecord, StepRecord, WorkerRecord
from tests.conftest import Reel

SVG = "{http://www.w3.org/2000/svg}"
BEGAN_MS = 1_700_000_000_000


def step(item: str, name: str, began_s: float, ended_s: float, worker: str, state: str = "done") -> StepRecord:
    times = (BEGAN_MS + round(began_s * 1000), BEGAN_MS + round(ended_s * 1000))
    return StepRecord(item, name, "a library", "k" * 64, state, ended_s, *times, worker)


def run_of(*steps: StepRecord, cut_off: bool = False) -> RunDetails:
    """Return a run of 100 s, in which `w1` lives all the time and loads for the first 20 s, and `w2` from the middle
    on."""
    ended = None if cut_off else BEGAN_MS + 100_000
    run = RunRecord("r", "2023-11-14T22:13:20+00:00", None, "interrupted" if cut_off else "done", "subtitle", "starter")
    workers = (
        WorkerRecord(
            "w1", "asr (a library)", "local", 1, BEGAN_MS, ended, None if cut_off else "finished", 900.0, None
        ),
        WorkerRecord("w2", "lite", "local", 1, BEGAN_MS + 50_000, ended, None if cut_off else "idle", None, None),
    )
    loads = (
        LoadRecord("w1", "asr", "a library", ("base",), BEGAN_MS + 20_000, 20.0, 800.0),
        LoadRecord("w2", "demux", "another", (), BEGAN_MS + 51_000, 1.0, None),
    )
    return RunDetails(run, (ItemOutcome("film", "film", "film", "done", 9.0),), steps, workers, loads)


STEPS = (
    step("a", "asr", 20, 60, "w1"),
    step("b", "asr", 60, 100, "w1"),
    step("a", "subtitle:pt", 60, 70, "w2"),
    step("b", "subtitle:en", 70, 90, "w2"),
    StepRecord("c", "subtitle:en", "a library", "k", "reused", None),
)


def test_each_kind_of_step_has_its_figures_without_the_wait_for_a_worker() -> None:
    asr, subtitle = summarise(run_of(*STEPS), {("b", "asr")}).stages
    assert (asr.step, asr.done, asr.redone, asr.reused, asr.seconds, asr.longest_s) == ("asr", 2, 1, 0, 80.0, 40.0)
    assert (subtitle.step, subtitle.done, subtitle.reused, subtitle.longest_item) == ("subtitle", 2, 1, "b")


def test_workers_tell_how_busy_they_were_and_models_how_often_they_were_loaded() -> None:
    summary = summarise(run_of(*STEPS))
    first, second = summary.workers
    assert (first.lived_s, first.worked_s, first.loaded_s, first.jobs) == (100.0, 80.0, 20.0, 2)
    assert (second.lived_s, second.worked_s) == (50.0, 30.0)
    assert [(model.name, model.loads, model.seconds) for model in summary.models] == [("base", 1, 20.0)]


def test_the_chart_has_a_letter_for_each_kind_where_its_time_was() -> None:
    drawn = chart(run_of(*STEPS))
    assert drawn is not None
    left = len("w1 asr (a library) ")
    first, second, axis, key = as_text(drawn, left + 40).splitlines()
    assert first[left:] == "~" * 8 + "A" * 32
    assert second[left:] == " " * 20 + "~...SSSSSSSSSSSS...."
    assert axis.split() == ["0.0s", "33s", "1m07s", "1m40s"]
    assert key.startswith("A asr   S subtitle")


def test_the_chart_fits_into_any_width_and_survives_a_run_that_was_cut_off() -> None:
    drawn = chart(run_of(*STEPS, cut_off=True))
    assert drawn is not None
    for width in (20, 40, 80, 200):
        assert max(map(len, as_text(drawn, width).splitlines())) <= width


def test_the_picture_is_well_formed_and_says_what_each_bar_is() -> None:
    odd = step('<film> & "co"', "asr", 20, 60, "w1")
    drawn = chart(run_of(odd, *STEPS))
    assert drawn is not None
    picture = ElementTree.fromstring(as_svg(drawn, "a <run>"))
    told = [title.text or "" for title in picture.iter(f"{SVG}title")]
    assert '<film> & "co": asr, 40s' in told
    assert "loading base, 20s" in told


def test_bars_of_the_picture_do_not_overlap_and_each_kind_has_its_own_look() -> None:
    kinds = [f"a-rather-long-step-{number}" for number in range(20)]
    bars = tuple(Bar(kind, kind, number * 5000, number * 5000 + 4000) for number, kind in enumerate(kinds))
    lane = Lane("w01", "asr (faster-whisper), translate (a model of a long name)", 0, 100_000, bars)
    picture = ElementTree.fromstring(as_svg(Chart(100_000, (lane,)), "a run"))
    width, height = (float(word) for word in picture.attrib["viewBox"].split()[2:])
    texts = [one for one in picture.iter(f"{SVG}text") if one.text]
    boxes = sorted((float(one.attrib["y"]), _begin(one), _begin(one) + 6 * len(one.text or "")) for one in texts)
    assert all(begin >= 0 and end <= width and y <= height for y, begin, end in boxes)
    for (y, _, end), (next_y, begin, _) in itertools.pairwise(boxes):
        assert next_y - y >= 11 or end <= begin
    shown = {one.attrib["fill"] for one in picture.iter(f"{SVG}rect") if one.attrib.get("width") == "10"}
    assert len(shown) == len(kinds) + 1  # and loading
    assert shown >= {f"url(#{one.attrib['id']})" for one in picture.iter(f"{SVG}pattern")}
    assert texts[1].text == "w01 asr (faster-whisper)…"


def _begin(text: ElementTree.Element) -> float:
    share = {"end": 1.0, "middle": 0.5}.get(text.attrib.get("text-anchor", ""), 0.0)
    return float(text.attrib["x"]) - share * 6 * len(text.text or "")


def test_a_run_is_shown_by_step_and_worker_and_drawn(reel: Reel, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("film", encoding="utf-8")
    stub = {"REEL_STUB": "true"}
    reel("run", "film.mp4", extra=stub)
    text = reel("runs", "show", "--svg", "chart.svg").stdout
    for word in ("1 file: 1 done", "PEAK MEMORY", "D demux", "waits"):
        assert word in text
    ElementTree.parse(tmp_path / "chart.svg")
    assert "FILE" in reel("runs", "show", "--steps").stdout
    reel("run", "film.mp4", "--set", "diarize.num_speakers=3", extra=stub)
    data = json.loads(reel("runs", "show", "--json").stdout)["data"]
    assert [one["redone"] for one in data["summary"]["stages"] if one["step"] == "diarize"] == [1]
    reel("run", "film.mp4", "--set", "diarize.num_speakers=3", extra=stub)
    assert "1 file: 1 reused" in reel("runs", "show").stdout
    assert "nothing to draw" in reel("runs", "show", "--svg", "chart.svg", expect=2).stderr


def test_only_published_subtitles_count_if_they_were_laid_out_twice(tmp_path: Path) -> None:
    facts = {"language": "en", "cues": 9, "over_reading_speed": 1}
    job = Job(
        media="film.mkv", media_sha256="0", recipe="subtitle", profile="starter", files={"film.en.srt": "0"},
        origins={"film.en.srt": "subtitle.files"}, licences={},
        steps={"draft": {"facts": {**facts, "over_limits": 5}}, "subtitle": {"facts": {**facts, "over_limits": 1}}},
    )  # fmt: skip
    job.write(tmp_path / "job.json")
    (check,) = checks_in(tmp_path, "film")
    assert (check.step, check.over_limits, check.rules) == ("subtitle", 1, {"reading-speed": 1})


def test_the_cards_of_a_run_are_told_with_their_memory_and_use() -> None:
    seen = (
        CardRecord("local", "GPU-1", "RTX 3090", 25769.8, 6912.3, 0.834),
        CardRecord("local", "GPU-2", "RTX 3090", 25769.8, 0.0, None),
    )
    (told,) = _cards(summarise(replace(run_of(*STEPS), cards=seen)))
    assert told.startswith("CARD")
    assert "RTX 3090  local  6.9 of 25.8 GB  83%" in told
    assert "RTX 3090  local  0.0 of 25.8 GB  -" in told
    assert _cards(summarise(run_of(*STEPS))) == []
