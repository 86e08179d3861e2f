"""The main job on real speech: what the README promises, measured."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import jiwer
import pysubs2
import pytest
import webvtt

from shared.documents.quality_report import QualityReport
from shared.documents.transcript import Transcript
from tests.conftest import ROOT, Reel
from tests.processes import contents
from tests.real.conftest import Stages

DEMO = ROOT / "samples" / "demo.mp4"
LIBRIVOX = ROOT / "tests" / "data" / "librivox"


def _normalised(text: str) -> str:
    """Return lower case, letters only; the one abbreviation in the references is spelled as Whisper spells it."""
    words = re.sub(r"[^a-z' ]+", " ", text.lower()).split()
    return " ".join("mr" if word == "mister" else word for word in words)


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Reel:
    """Return the sample, through the whole recipe, once."""
    reel = Reel(tmp_path_factory.mktemp("demo"), home)
    reel("run", DEMO, "--profile", "starter")
    return reel


def test_the_sample_becomes_what_the_readme_lists(demo_run: Reel) -> None:
    folder = demo_run.out / "demo"
    names = [
        "demo.en.quality.json",
        "demo.en.srt",
        "demo.en.vtt",
        "demo.mkv",
        "job.json",
        "removed.json",
        "report.html",
        "speakers.rttm",
        "transcript.json",
    ]
    assert sorted(path.name for path in folder.iterdir()) == names
    transcript = Transcript.read(folder / "transcript.json")
    spoken = " ".join(
        line.partition(": ")[2] for line in (ROOT / "samples" / "demo.txt").read_text(encoding="utf-8").splitlines()
    )
    assert jiwer.wer(_normalised(spoken), _normalised(transcript.text)) <= 0.05
    assert {word.speaker for segment in transcript.segments for word in segment.words} == {"SPEAKER_00", "SPEAKER_01"}
    assert "MIT" in json.loads((folder / "job.json").read_text(encoding="utf-8"))["licences"].values()


def test_the_report_shows_the_sound_the_speakers_and_what_was_used_and_is_written_again_with_the_same_bytes(
    demo_run: Reel,
) -> None:
    folder = demo_run.out / "demo"
    page = (folder / "report.html").read_text(encoding="utf-8")
    lanes = re.findall(r'aria-label="(\w+): ([^"]*)"', page[page.index('id="timeline"') : page.index('id="doubts"')])
    assert {"Sound", "Speech", "SPEAKER_00", "SPEAKER_01"} <= dict(lanes).keys()
    assert dict(lanes)["Sound"].startswith("peak ")
    lock = json.loads((ROOT / "config" / "models.lock.json").read_text(encoding="utf-8"))["models"][
        "faster-whisper-base"
    ]
    assert lock["revision"] in page
    assert "Good evening," in page
    assert len(page.encode()) < 200_000
    again = demo_run("runs", "report", folder, "-o", folder / "again.html")
    assert again.stdout.strip().endswith("again.html")
    assert (folder / "again.html").read_text(encoding="utf-8") == page
    (folder / "again.html").unlink()


def test_the_limits_of_the_guide_that_was_chosen_are_those_that_are_told(demo_run: Reel) -> None:
    narrow = ("--guide", "bbc", "--set", "subtitle.reading_speed=9")
    done = demo_run("run", DEMO, "--profile", "starter", *narrow, "-o", "narrow", "--json", "--progress", "plain")
    (checked,) = json.loads(done.stdout)["data"]["items"][0]["checked"]
    report = QualityReport.read(demo_run.folder / "narrow" / "demo" / "demo.en.quality.json")
    rules = {broken.rule: broken for broken in report.broken}
    assert rules["reading-speed"].limit == 9
    assert len(rules["reading-speed"].worst) == rules["reading-speed"].count == checked["rules"]["reading-speed"] > 0
    assert all(offender.reason for offender in rules["reading-speed"].worst)
    assert f"{report.cues} cues in en, {report.over_limits} over the limits: reading-speed " in done.stderr
    lines = (demo_run.folder / "narrow" / "demo" / "demo.en.srt").read_text(encoding="utf-8").splitlines()
    assert max(map(len, lines)) <= 37


def test_independent_readers_agree_on_the_subtitles(demo_run: Reel) -> None:
    folder = demo_run.out / "demo"
    srt = pysubs2.load(str(folder / "demo.en.srt"))
    vtt = webvtt.read(str(folder / "demo.en.vtt"))
    again = webvtt.from_srt(str(folder / "demo.en.srt"))
    assert len(srt) == len(vtt.captions) == len(again.captions) > 8
    for one, other, third in zip(srt, vtt.captions, again.captions, strict=True):
        assert one.plaintext == other.text == third.text
        assert other.start == third.start
        assert all(len(line) <= 42 for line in one.plaintext.splitlines())
        assert len(one.plaintext.splitlines()) <= 2
        assert 300 <= one.end - one.start <= 7000
    assert all(one.end <= following.start for one, following in pairwise(srt))


def test_the_video_carries_the_track_beside_all_it_had(demo_run: Reel, run_stage: Stages) -> None:
    probed = run_stage("demux", {"media": demo_run.out / "demo" / "demo.mkv"}).file("media")
    tracks = json.loads(probed.read_text(encoding="utf-8"))["tracks"]
    assert [(track["kind"], track["language"]) for track in tracks if track["kind"] == "subtitle"] == [
        ("subtitle", "en")
    ]
    assert {"video", "audio", "subtitle"} <= {track["kind"] for track in tracks}


def test_a_second_run_runs_no_step(demo_run: Reel) -> None:
    before = contents(demo_run.out)
    done = demo_run("run", DEMO, "--profile", "starter", "--json")
    assert json.loads(done.stdout)["data"]["items"][0]["steps_run"] == 0
    assert contents(demo_run.out) == before


def test_a_target_language_adds_its_subtitles_and_redoes_nothing_before_them(demo_run: Reel) -> None:
    done = demo_run("run", DEMO, "--profile", "starter", "--to", "pt", "-o", demo_run.folder / "translated")
    started = {line.split()[0] for line in done.stderr.splitlines() if " started " in line}
    assert started == {"translate:pt", "refine-translated:pt", "subtitle-translated:pt", "mux"}
    text = (demo_run.folder / "translated" / "demo" / "demo.pt.srt").read_text(encoding="utf-8")
    assert "filme" in text


def test_clean_english_of_others_has_at_most_5_percent_of_word_errors(run_stage: Stages) -> None:
    references, heard = [], []
    for line in (LIBRIVOX / "transcription.tsv").read_text(encoding="utf-8").splitlines():
        name, reference = line.split("\t")
        speech = run_stage("demux", {"media": LIBRIVOX / f"{name}.flac"}).file("speech")
        regions = run_stage("vad", {"audio": speech}).file("speech")
        done = run_stage("asr", {"audio": speech, "speech": regions})
        assert done.facts["language"] == "en"
        references.append(_normalised(reference))
        heard.append(_normalised(Transcript.read(done.file("transcript")).text))
    error = jiwer.wer(references, heard)
    print(f"word error rate {error:.3f} on {sum(len(text.split()) for text in references)} words")
    assert error <= 0.05
