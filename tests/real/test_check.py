"""`reel check` as a user runs it: what it prints, and what it exits with."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from shared.documents.cue import Cue, CueSheet
from stages.toolkit.formats.writer import render
from tests.conftest import ROOT, Reel

GOOD = "1\n00:00:01,000 --> 00:00:03,000\nAll is well.\n"
FAST = GOOD + "\n2\n00:00:03,100 --> 00:00:04,100\nThis is far too much for a second.\n"


def a_file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return name


def test_a_file_within_the_limits_passes_and_one_over_them_fails(reel: Reel) -> None:
    good, fast = a_file(reel.folder, "good.en.srt", GOOD), a_file(reel.folder, "fast.en.srt", FAST)
    assert reel("check", good).stdout == "good.en.srt: 1 cue, 0 over the limits of netflix (en)\n"
    failed = reel("check", good, fast, expect=1).stdout
    assert "fast.en.srt: 2 cues, 1 over the limits of netflix (en)\n  reading-speed: 1 (places a second; " in failed
    assert "    00:00:03,100  2  34  This is far too much for a second." in failed
    assert "over the limits of plain" in reel("check", fast, "--guide", "plain", expect=1).stdout


def test_a_program_gets_every_rule_and_a_file_that_cannot_be_read_stops_no_other(reel: Reel) -> None:
    names = [a_file(reel.folder, "bad.srt", "no subtitles"), a_file(reel.folder, "fast.srt", FAST)]
    document = json.loads(reel("check", *names, "--language", "en", "--json", expect=4).stdout)
    bad, fast = document["data"]["files"]
    assert (bad["error"], document["errors"][0]["code"]) == ("check.format", "check.format")
    assert (fast["cues"], fast["over_limits"], fast["language"]) == (2, 1, "en")
    assert [broken["rule"] for broken in fast["broken"]] == ["reading-speed", "chain"]


def test_with_the_media_a_cue_after_its_end_is_found(reel: Reel) -> None:
    late = a_file(reel.folder, "late.en.srt", GOOD.replace("00:00:0", "00:10:0"))
    reel("check", late)
    assert "  end: 1 " in reel("check", late, "--media", ROOT / "samples" / "demo.mp4", expect=1).stdout
    reel("check", late, "--media", "gone.mp4", expect=4)


REFERENCE = CueSheet(
    language="en",
    cues=tuple(
        Cue(start_ms=n * 4000, end_ms=n * 4000 + 3000, lines=(f"Al{n} be{n} ga{n}", f"de{n} and ep{n}."))
        for n in range(1, 31)
    ),
)
TOKENS = sum(len(cue.lines[0].split()) + len(cue.lines[1].split()) + 2 for cue in REFERENCE.cues)  # 2 breaks a cue


def spoilt(seed: int) -> tuple[CueSheet, int]:
    """Return the reference with some words replaced by new ones, and how many: no shift of words can undo that in
    less."""
    chance, edits, cues = random.Random(seed), 0, []
    for cue in REFERENCE.cues:
        lines = []
        for line in cue.lines:
            words = line.split()
            for place in range(len(words)):
                if chance.random() < 0.2:
                    edits += 1
                    words[place] = f"new{edits}"
            lines.append(" ".join(words))
        cues.append(cue.model_copy(update={"lines": tuple(lines)}))
    return REFERENCE.model_copy(update={"cues": tuple(cues)}), edits


def compared(reel: Reel, sheet: CueSheet, name: str = "film.en.vtt") -> dict[str, float]:
    a_file(reel.folder, name, render(sheet, name.rpartition(".")[2]))
    a_file(reel.folder, "right.srt", render(REFERENCE, "srt"))
    document = json.loads(reel("check", name, "--reference", "right.srt", "--json").stdout)
    found: dict[str, float] = document["data"]["files"][0]["reference"]
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_the_edit_rate_against_a_reference_is_what_can_be_counted(reel: Reel, seed: int) -> None:
    sheet, edits = spoilt(seed)
    assert edits > 10
    assert compared(reel, sheet)["suber"] == pytest.approx(edits / TOKENS * 100, abs=0.001)


def test_case_punctuation_and_breaks_count_as_the_metric_says(reel: Reel) -> None:
    assert compared(reel, REFERENCE) == {"reference_cues": 30, "suber": 0.0, "suber_cased": 0.0}
    lower = [c.model_copy(update={"lines": tuple(line.lower().strip(".") for line in c.lines)}) for c in REFERENCE.cues]
    found = compared(reel, REFERENCE.model_copy(update={"cues": tuple(lower)}))
    assert found["suber"] == 0.0
    cased = TOKENS + len(REFERENCE.cues)  # full stops are words then
    assert found["suber_cased"] == pytest.approx(2 * len(REFERENCE.cues) / cased * 100, abs=0.001)
    joined = [c.model_copy(update={"lines": (" ".join(c.lines),)}) for c in REFERENCE.cues]
    found = compared(reel, REFERENCE.model_copy(update={"cues": tuple(joined)}))
    assert found["suber"] == pytest.approx(len(REFERENCE.cues) / TOKENS * 100, abs=0.001)


def test_the_authors_own_program_gives_the_same_rate(reel: Reel, real_project: Project) -> None:
    moved = [c.model_copy(update={"start_ms": c.start_ms - 2500, "end_ms": c.end_ms - 2500}) for c in spoilt(3)[0].cues]
    sheet = REFERENCE.model_copy(update={"cues": tuple(moved)})
    found = compared(reel, sheet, "film.en.srt")
    python = real_project.installed.environments.python("suber")
    files = ("-H", str(reel.folder / "film.en.srt"), "-R", str(reel.folder / "right.srt"))
    told = subprocess.run(
        [python, "-m", "suber", *files, "-m", "SubER", "SubER-cased"], check=True, capture_output=True, text=True
    )
    rates = {name: float(rate) for name, rate in re.findall(r'"([\w-]+)": ([\d.]+)', told.stdout)}
    assert rates == {"SubER": found["suber"], "SubER-cased": found["suber_cased"]}
    assert found["suber"] > 10


def test_a_language_whose_words_nobody_cuts_here_is_told(reel: Reel) -> None:
    a_file(reel.folder, "film.ja.srt", GOOD)
    failed = reel("check", "film.ja.srt", "--reference", "film.ja.srt", expect=4)
    assert "compare.language" in failed.stdout
    reel("check", "film.ja.srt", "--reference", "gone.srt", expect=4)
