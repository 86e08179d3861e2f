"""`reel check` as a user runs it: what it prints, and what it exits with."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import ROOT, Reel

GOOD = "1\n00:00:01,000 --> 00:00:03,000\nAll is well.\n"
FAST = GOOD + "\n2\n00:00:03,100 --> 00:00:04,100\nThis is far too much for a second.\n"


def a_file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


def test_a_file_within_the_limits_passes_and_one_over_them_fails(reel: Reel) -> None:
    good, fast = a_file(reel.folder, "good.en.srt", GOOD), a_file(reel.folder, "fast.en.srt", FAST)
    assert reel("check", good).stdout == "good.en.srt: 1 cues, 0 over the limits of netflix (en)\n"
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
