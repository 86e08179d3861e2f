"""`reel run` as a user meets it, on stub stages: what is reused, what is redone, what is published, what fails."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel
from tests.processes import contents, hears

DEMO = ROOT / "samples" / "demo.mp4"
STUB = {"REEL_STUB": "true"}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    place = tmp_path / "film.mp4"
    shutil.copyfile(DEMO, place)
    return place


def _items(text: str) -> list[dict[str, object]]:
    items: list[dict[str, object]] = json.loads(text)["data"]["items"]
    return items


@pytest.mark.smoke
def test_a_run_publishes_under_the_names_of_the_readme(reel: Reel, media: Path) -> None:
    done = reel("run", media, "--to", "pt", extra=STUB)
    names = [
        "film.en.quality.json",
        "film.en.srt",
        "film.en.vtt",
        "film.mkv",
        "film.pt.quality.json",
        "film.pt.srt",
        "film.pt.vtt",
        "job.json",
        "removed.json",
        "report.html",
        "speakers.rttm",
        "transcript.json",
    ]
    assert sorted(path.name for path in (reel.out / "film").iterdir()) == names
    assert done.stdout.splitlines() == [f"out/film/{name}" for name in done.stdout.split() and [
        "film.en.srt", "film.en.vtt", "film.pt.srt", "film.pt.vtt", "film.en.quality.json", "film.pt.quality.json",
        "film.mkv", "transcript.json", "speakers.rttm", "removed.json", "report.html",
    ]]  # fmt: skip


def test_every_run_says_how_its_subtitles_keep_to_the_guide(reel: Reel, media: Path) -> None:
    done = reel("run", media, "--to", "pt", extra=STUB)
    for step, language in (("subtitle", "en"), ("subtitle-translated:pt", "pt")):
        assert re.search(
            rf"^  {step} +check +\d+ cues in {language}, all within the limits$", done.stderr, re.MULTILINE
        )
    again = _items(reel("run", media, "--to", "pt", "--json", extra=STUB).stdout)[0]  # from the receipt
    checked = again["checked"]
    assert isinstance(checked, list)
    assert [(one["step"], one["over_limits"], one["rules"]) for one in checked] == [
        ("subtitle", 0, {}), ("subtitle-translated:pt", 0, {})
    ]  # fmt: skip


def test_a_second_run_does_nothing_and_says_so(reel: Reel, media: Path) -> None:
    reel("run", media, extra=STUB)
    before = contents(reel.out)
    again = reel("run", media, "--json", extra=STUB)
    assert _items(again.stdout)[0]["steps_run"] == 0
    assert _items(again.stdout)[0]["state"] == "reused"
    (job,) = reel.out.rglob("job.json")
    assert (
        again.stderr.count(" reused ") == len(json.loads(job.read_text(encoding="utf-8"))["steps"]) + 1
    )  # and the item
    assert contents(reel.out) == before


def test_a_changed_parameter_redoes_exactly_what_depends_on_it(reel: Reel, media: Path) -> None:
    reel("run", media, extra=STUB)
    planned = json.loads(reel("plan", media, "--set", "diarize.num_speakers=3", "--json", extra=STUB).stdout)
    verdicts = {step["step"]: step["verdict"] for step in planned["data"]["items"][0]["steps"]}
    redone = {step for step, verdict in verdicts.items() if verdict == "redone"}
    assert redone == {"diarize", "attribute", "clean", "refine", "subtitle", "mux"}
    reasons = {step["step"]: step["reason"] for step in planned["data"]["items"][0]["steps"]}
    assert reasons["diarize"] == "parameter num_speakers is 3, was nothing"
    done = reel("run", media, "--set", "diarize.num_speakers=3", extra=STUB)
    started = {line.split()[0] for line in done.stderr.splitlines() if " started " in line}
    # The stub gives the same bytes whatever the parameters are, so what takes only those bytes is found again.
    assert started == {"diarize"}


def test_an_explained_plan_names_each_ingredient_with_its_old_and_new_value(reel: Reel, media: Path) -> None:
    reel("run", media, extra=STUB)
    lines = reel("plan", media, "--set", "diarize.num_speakers=3", "--explain", extra=STUB).stdout.splitlines()
    at = lines.index("diarize  stub  redone")
    assert lines[at + 1] == "  params.num_speakers  nothing -> 3"
    assert "  its result" in lines[lines.index("demux  stub  reused") + 1]
    with open(media, "ab") as stream:
        stream.write(b"more")
    assert "  it has not run for this file yet" in reel("plan", media, "--explain", extra=STUB).stdout


def test_the_same_content_under_another_name_is_not_done_again(reel: Reel, media: Path, tmp_path: Path) -> None:
    reel("run", media, extra=STUB)
    twin = tmp_path / "twin.mp4"
    shutil.copyfile(media, twin)
    done = reel("run", twin, "--json", extra=STUB)
    assert _items(done.stdout)[0]["steps_run"] == 0
    assert (reel.out / "twin" / "twin.en.srt").exists()


def test_a_plan_writes_nothing(reel: Reel, media: Path) -> None:
    reel("plan", media, extra=STUB)
    assert not reel.results.exists()
    assert not reel.out.exists()


def test_a_plan_of_a_folder_tells_of_a_bad_file_and_goes_on(reel: Reel, media: Path) -> None:
    (media.parent / "empty.mp4").touch()
    told = reel("plan", media.parent, "--json", extra=STUB, expect=3)
    assert {str(item["name"]): item.get("error") for item in _items(told.stdout)} == {
        "empty.mp4": "media.empty",
        "film.mp4": None,
    }
    assert [error["code"] for error in json.loads(told.stdout)["errors"]] == ["media.empty"]
    reel("plan", media.parent / "empty.mp4", extra=STUB, expect=4)


@pytest.mark.parametrize(("media", "code"), [("gone.mp4", 4), ("film.mp4", 0)])
def test_a_closed_pipe_causes_no_traceback_and_keeps_the_exit_code(media: str, code: int, tmp_path: Path) -> None:
    shutil.copyfile(DEMO, tmp_path / "film.mp4")
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "plan", tmp_path / media, "--json"], stdout=stdout,
            stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False,
            env={**os.environ, **STUB, "REEL_RESULTS_DIR": str(tmp_path / "results")},
        )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_two_files_of_one_name_get_a_folder_each(reel: Reel, media: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "film.mp4"
    other.parent.mkdir()
    other.write_bytes(media.read_bytes() + b"\0")
    done = reel("run", media, other, "--json", extra=STUB)
    folders = {item["folder"] for item in _items(done.stdout)}
    assert len(folders) == 2
    assert reel("run", media, other, "--json", extra=STUB).stdout.count('"steps_run": 0') == 2
    assert {item["folder"] for item in _items(done.stdout)} == folders


def test_one_bad_item_does_not_stop_the_others(reel: Reel, media: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    done = reel("run", empty, tmp_path / "missing.mkv", media, "--json", extra=STUB, expect=3)
    document = json.loads(done.stdout)
    assert [item["state"] for item in document["data"]["items"]] == ["failed", "failed", "done"]
    assert [error["code"] for error in document["errors"]] == ["media.empty", "media.missing"]
    assert document["status"] == "failed"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "missing.mkv"], 4, "missing.mkv is not there"),
        (["run", "none-*.mp4"], 2, "no media file matches none-*.mp4"),
        (["run", "film.mp4", "--recipe", "x"], 2, "there is no recipe `x`"),
        (["run", "film.mp4", "--set", "asr.beam=1"], 2, "the parameters of asr are"),
        (["run", "film.mp4", "--profile", "x"], 2, "there is no profile `x`"),
        (["stage", "arse", "film.mp4", "-o", "x"], 2, "there is no stage `arse`"),
        (["runs", "show", "x"], 2, "there is no run `x`"),
        (["envs", "ensure", "x"], 2, "there is no environment `x`"),
        (["models", "fetch", "x"], 2, "there is no model `x`"),
    ],
)
def test_a_mistake_is_one_clear_sentence(reel: Reel, media: Path, arguments: list[str], code: int, says: str) -> None:
    done = reel(*arguments, extra=STUB, expect=code)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_edited_file_is_kept(reel: Reel, media: Path) -> None:
    reel("run", media, extra=STUB)
    subtitles = reel.out / "film" / "film.en.srt"
    subtitles.write_text("my own words", encoding="utf-8")
    done = reel("run", media, extra=STUB)
    assert subtitles.read_text(encoding="utf-8") == "my own words"
    assert "film.en.srt was edited since it was published, so it is kept" in done.stderr


def test_a_damaged_object_is_not_published(reel: Reel, media: Path) -> None:
    reel("run", media, extra=STUB)
    subtitles = reel.out / "film" / "film.en.srt"
    good = subtitles.read_bytes()
    stored = next(path for path in (reel.results / "objects").glob("*/*") if path.read_bytes() == good)
    stored.chmod(0o644)
    stored.write_bytes(good.replace(b"1", b"2"))
    shutil.rmtree(reel.out)
    reel("run", media, extra=STUB, expect=None)
    assert not subtitles.exists() or subtitles.read_bytes() == good


def test_files_that_only_an_earlier_job_made_are_removed(reel: Reel, media: Path) -> None:
    reel("run", media, "--to", "pt", extra=STUB)
    mine = reel.out / "film" / "notes.txt"
    mine.write_text("mine", encoding="utf-8")
    reel("run", media, extra=STUB)
    assert not (reel.out / "film" / "film.pt.srt").exists()
    assert mine.exists()


def test_a_second_run_at_the_same_time_is_refused(reel: Reel, media: Path) -> None:
    with reel.start("run", media, extra=STUB) as first:
        until = time.monotonic() + 20
        while not (reel.results / "owner.json").exists() and time.monotonic() < until:
            time.sleep(0.005)
        done = reel("run", media, extra=STUB, expect=None)
        assert first.wait(60) == 0
    assert done.returncode in {0, 6}  # the first may have finished by then
    if done.returncode == 6:
        assert "another process is using the result store" in done.stderr


def test_an_output_folder_below_a_file_is_refused_before_the_first_step(
    reel: Reel, media: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for command in ("plan", "run"):
        done = reel(command, media, "-o", tmp_path / "file" / "out", extra=STUB, expect=2)
        assert f"{tmp_path / 'file'} is not a folder [settings.value]" in done.stderr
        assert " started " not in done.stderr


def test_a_film_in_the_layout_of_a_library_stays_as_it_is(reel: Reel, media: Path, tmp_path: Path) -> None:
    film = tmp_path / "Movies" / "Film (2020)" / "Film (2020).mkv"
    film.parent.mkdir(parents=True)
    shutil.copyfile(media, film)
    mine = film.with_suffix(".en.srt")
    mine.write_text("mine", encoding="utf-8")
    for recipe in (("--replace",), (), ("--recipe", "transcribe"), ("--replace",)):
        done = reel("run", "Movies", "-o", "Movies", *recipe, extra=STUB)
        assert film.read_bytes() == media.read_bytes()
        if recipe == ("--replace",):
            assert mine.read_text(encoding="utf-8") != "mine"
            mine.write_text("mine", encoding="utf-8")
            (film.parent / "job.json").unlink()
        elif not recipe:
            assert mine.read_text(encoding="utf-8") == "mine"
            assert (film.parent / "Film (2020).reel.en.srt").exists()
            assert "kept, because reel did not write them: Film (2020).en.srt" in done.stderr
            assert "`--replace`" in done.stderr
        else:
            assert mine.read_text(encoding="utf-8") == "mine"
            assert not (film.parent / "Film (2020).reel.en.srt").exists(), "of the run before, and not of this one"


def test_an_invalid_record_affects_its_folder_and_not_the_batch(reel: Reel, media: Path, tmp_path: Path) -> None:
    other = shutil.copyfile(media, tmp_path / "other.mp4")
    damaged = reel.out / "film" / "job.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\xff\xfe{")
    done = reel("run", media, other, "--json", extra=STUB)
    items = _items(done.stdout)
    assert [item["state"] for item in items] == ["done", "reused"]
    assert str(items[0]["folder"]).startswith(f"{reel.out}/film-")
    assert "out/film/job.json is not a record of reel's" in done.stderr
    assert damaged.read_bytes() == b"\xff\xfe{"
    other_folder = Path(str(items[0]["folder"]))
    assert f"to go back, move that file away and delete out/{other_folder.name}" in done.stderr
    damaged.unlink()
    shutil.rmtree(other_folder)
    mine, link = damaged.with_name("film.en.srt"), damaged.with_name("film.en.vtt")
    mine.write_text("mine", encoding="utf-8")
    link.symlink_to(mine)
    done = reel("run", media, extra=STUB)
    assert "reel did not write them: film.en.srt, film.en.vtt; written beside them" in done.stderr
    assert "`--replace` overwrites film.en.srt\n" in done.stderr, "a link is never replaced"
    assert mine.read_text(encoding="utf-8") == "mine"


def test_names_that_look_like_something_else_are_only_names(reel: Reel, media: Path, tmp_path: Path) -> None:
    for name in (
        "-dash.mp4",
        "con:colon %d {name} 'quote\".mp4",
        "line\nend.mp4",
        "\U0001f3ac\u0939\u093f\u0928\u094d\u0926\u0940.mp4",
    ):
        odd = tmp_path / name
        shutil.copyfile(media, odd)
        reel("run", f"./{name}" if name.startswith("-") else odd, extra=STUB)
        stem = odd.stem
        assert (reel.out / stem / f"{stem}.en.srt").exists()


def test_an_interrupt_ends_everything_and_the_next_run_goes_on(reel: Reel, media: Path) -> None:
    with reel.start("run", media, "--progress", "json", extra=STUB) as process:
        hears(process.stderr, "StepStarted")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode in {130, 0}
    reel("run", media, extra=STUB)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize(("module", "said"), [("argparse", ""), ("pydantic", "interrupted; what was finished is kept")])
def test_an_interrupt_while_the_program_is_being_loaded_leaves_without_a_traceback(
    reel: Reel, media: Path, tmp_path: Path, module: str, said: str, number: signal.Signals
) -> None:
    slow = tmp_path / "slow"
    slow.mkdir()
    # Inside a text that is executed, as dataclasses do it, where Python remembers an interrupt for its own exit code.
    (slow / f"{module}.py").write_text(
        "import time\nexec(\"print('loading', flush=True); time.sleep(60)\")\n", encoding="utf-8"
    )
    with reel.start("run", media, extra={"PYTHONPATH": f"{slow}{os.pathsep}{ROOT}"}) as process:
        hears(process.stdout, "loading")
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said in err if said else err == ""
    assert "Traceback" not in err


def test_progress_as_json_is_one_object_a_line(reel: Reel, media: Path) -> None:
    done = reel("run", media, "--progress", "json", extra=STUB)
    kinds = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert kinds[:2] == ["RunStarted", "ItemStarted"]
    assert [kind for kind in kinds if not kind.startswith("Worker")][-1] == "ItemFinished"
    assert kinds.count("WorkerStarted") == kinds.count("WorkerEnded") >= 1
    (job,) = reel.out.rglob("job.json")
    assert kinds.count("StepDone") + kinds.count("StepReused") == len(
        json.loads(job.read_text(encoding="utf-8"))["steps"]
    )
    assert reel("run", media, "--progress", "none", extra=STUB).stderr == ""


def test_config_show_names_the_origin_of_every_value(reel: Reel) -> None:
    shown = json.loads(reel("config", "show", "--json", "--set", "asr.beam_size=2", extra=STUB).stdout)["data"][
        "settings"
    ]
    assert shown["stub"] == {"value": True, "origin": "variable REEL_STUB"}
    assert shown["stages.asr.beam_size"] == {"value": 2, "origin": "flag stages.asr.beam_size"}
    assert shown["stages.vad.threshold"]["origin"] == "stage vad"
    assert shown["stages.subtitle.reading_speeds"]["origin"] == "guide netflix"
    assert shown["stages.subtitle.reading_speeds"]["value"]["hi"] == 22.0
    assert "um" in shown["stages.clean.filler_words"]["value"]["en"]
    assert "variable REEL_STUB" in reel("config", "show", "--origin", extra=STUB).stdout


def test_the_doctor_looks_and_changes_nothing(reel: Reel) -> None:
    checks = json.loads(reel("doctor", "--json", expect=None).stdout)["data"]["checks"]
    assert {"system", "python", "ffmpeg", "disk", "profile"} <= {check["what"] for check in checks}
    assert not reel.results.exists()


def test_one_stage_alone_takes_plain_files(reel: Reel, tmp_path: Path, media: Path) -> None:
    done = reel("stage", "demux", media, "-o", tmp_path / "alone", "--json", extra=STUB)
    outputs = json.loads(done.stdout)["data"]["outputs"]
    assert Path(outputs["speech"]).parent == tmp_path / "alone"
    speech = reel("stage", "vad", outputs["speech"], "-o", tmp_path / "alone", "--json", extra=STUB)
    regions = json.loads(speech.stdout)["data"]["outputs"]["speech"]
    reel("stage", "asr", f"speech={regions}", outputs["speech"], "-o", tmp_path / "alone", extra=STUB)
    assert (tmp_path / "alone" / "transcript.json").exists()
    assert (
        "needs the input `transcript`"
        in reel("stage", "attribute", f"turns={regions}", "-o", tmp_path / "x", extra=STUB, expect=2).stderr
    )
