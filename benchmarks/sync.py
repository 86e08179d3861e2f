"""Damages subtitles on purpose and measures how many of their cues come back into step: by reel, by ffsubsync, and by
alass where `alass-cli` is installed.

    .venvs/test/bin/python benchmarks/sync.py [--seed 3]

The film is made of clips with known text (see `material.py`), joined at random pauses; the truth are cues of these
texts with the times of a recognition of each clip alone. In a second table the words are of no language, so that only
times are left. `episode` is a film of the other clips, whose subtitle has to be refused. ffsubsync is installed into a
folder of its own in the cache. alass is a program in Rust, which no package on PyPI or npm ships: `cargo install
alass-cli`.
Environments and models of the starter profile must be installed. Figures are shares, so that load does not matter.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from benchmarks import material
from benchmarks.material import ROOT, Clip, Placed
from benchmarks.quality import plain, print_row
from shared.documents.transcript import Transcript, Word
from shared.text.timecode import timecode
from stages.toolkit.formats.reader import read
from tests.fakes.spoken_film import DAMAGES, Film, Subtitled, in_order, translated

_FFSUBSYNC = "ffsubsync==0.5.1"
_CORE = ROOT / ".venvs" / "core" / "bin" / "python"
_MOST_WORDS, _FEWEST = 8, 2  # of a cue
_SAME_MS, _OTHER_MS = 200, 500
_REACH_S = 120  # ffsubsync looks one minute far by default
_FAILED = "failed"

Times = list[int] | None
"""When the cues of a file begin, in its order; None where the program refused it or failed."""
Program = Callable[[Path, Path, Path], Times]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=3, help="of the order of the clips and the lengths of the pauses")
    arguments = parser.parse_args()
    clips = (*material.english_clips(), *material.read_aloud())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        placed = {
            film: material.join(some, 2, arguments.seed + number, folder / f"{film}.wav")
            for number, (film, some) in enumerate((("film", clips[::2]), ("episode", clips[1::2])))
        }
        alone = transcribed([clip for clip in clips if clip.text], folder)
        truth = {film: Film(cues_of(some, alone), _NOTHING, _words(some)) for film, some in placed.items()}
        programs = {"reel": reel(folder), "ffsubsync": ffsubsync(folder)}
        if found := shutil.which("alass-cli") or shutil.which("alass"):
            programs["alass"] = alass(found)
        for title, limit_ms, in_another in (("the same language", _SAME_MS, False), ("another", _OTHER_MS, True)):
            print(f"\ncues within {limit_ms / 1000:g} s of the truth, {title}\n")
            print_row(["damage", *programs])
            print_row(["---"] * (1 + len(programs)))
            for damage, shown in damaged(truth, in_another=in_another).items():
                shares = [run(program, shown, limit_ms, folder) for program in programs.values()]
                print_row([damage, *shares])
    return 0


_NOTHING = Transcript(language="en", language_probability=1.0, duration_ms=0, segments=())


def _words(placed: Sequence[Placed]) -> tuple[str, ...]:
    return tuple(word for one in placed for word in one.clip.text.split())


@dataclass(frozen=True)
class Damaged:
    """A damaged subtitle in order of time; its language is in its name."""

    cues: Sequence[Subtitled]
    name: str


def damaged(truth: Mapping[str, Film], *, in_another: bool) -> dict[str, Damaged]:
    """Return the subtitles to mend by what was done to them; that of the other episode has no truth."""
    found = {damage: list(do(truth["film"])) for damage, do in DAMAGES.items()}
    other = truth["episode"].cues
    found["of another episode"] = [Subtitled(cue.start_ms, cue.end_ms, cue.text, None) for cue in other]
    language = "pt" if in_another else "en"
    return {
        damage: Damaged(in_order(translated(cues) if in_another else cues), f"film.{language}.srt")
        for damage, cues in found.items()
    }


def run(program: Program, shown: Damaged, limit_ms: int, folder: Path) -> str:
    """Return the share of cues within the limit; of a subtitle without truth, whether it was refused."""
    given, made = folder / shown.name, folder / f"made-{shown.name}"
    made.unlink(missing_ok=True)
    given.write_text(
        "".join(
            f"{number}\n{_signed(cue.start_ms)} --> {_signed(cue.end_ms)}\n{cue.text}\n\n"
            for number, cue in enumerate(shown.cues, 1)
        ),
        encoding="utf-8",
    )
    times = program(folder / "film.wav", given, made)
    if all(cue.truth_ms is None for cue in shown.cues):
        return "refused" if times is None else "accepted"
    if times is None:
        return _FAILED
    if len(times) != len(shown.cues):
        return f"{len(times)} of {len(shown.cues)} cues left"
    off = [abs(at - cue.truth_ms) for at, cue in zip(times, shown.cues, strict=True) if cue.truth_ms is not None]
    return f"{sum(one <= limit_ms for one in off) / len(off):.1%}"


def _signed(at_ms: int) -> str:
    return timecode(at_ms) if at_ms >= 0 else f"-{timecode(-at_ms)}"


def reel(folder: Path) -> Program:
    """Return what reel does; the results of recognition are kept from one file to the next."""

    def program(film: Path, subtitle: Path, made: Path) -> Times:
        words = [ROOT / "reel", "sync", film, subtitle, "-o", folder / "out", "--profile", "starter", "--json"]
        words += ["--set", f"results_dir={folder / 'results'}", "--progress", "none"]
        done = subprocess.run([*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
        if done.returncode:
            return None
        report = json.loads(done.stdout)["data"]["report"]
        return [cue["film_ms"] for cue in report["placed"]]

    return program


def ffsubsync(folder: Path) -> Program:
    """Return what ffsubsync does, installed with what it needs."""
    place = ROOT / ".cache" / "benchmarks" / "ffsubsync"
    if not place.exists():
        words = [str(_CORE), "-m", "uv", "pip", "install", "--quiet", "--python", str(_CORE), "--target", str(place)]
        subprocess.run([*words, _FFSUBSYNC], check=True)
    tools = folder / "tools"
    tools.mkdir()
    bundled = (ROOT / ".venvs" / "ffmpeg").glob("lib/python3*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*")
    (tools / "ffmpeg").symlink_to(shutil.which("ffmpeg") or next(bundled))
    environment = {**os.environ, "PYTHONPATH": str(place), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}

    def program(film: Path, subtitle: Path, made: Path) -> Times:
        words = [_CORE, "-P", place / "bin" / "ffs", film, "-i", subtitle, "-o", made]
        words += ["--max-offset-seconds", _REACH_S, "--vad", "webrtc", "--ffmpeg-path", tools]
        return _written([*map(str, words)], made, environment)

    return program


def alass(installed: str) -> Program:
    """Return what alass does."""

    def program(film: Path, subtitle: Path, made: Path) -> Times:
        return _written([installed, str(film), str(subtitle), str(made)], made, os.environ)

    return program


def _written(words: Sequence[str], made: Path, environment: Mapping[str, str]) -> Times:
    done = subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [cue.start_ms for cue in read(made, negative=True).cues] if not done.returncode and made.is_file() else None


def transcribed(clips: Sequence[Clip], folder: Path) -> dict[str, list[Word]]:
    """Return the words that reel hears in each clip alone, by its name."""
    for clip in clips:
        material.write(clip.samples, folder / f"{clip.name}.wav")
    media = [folder / f"{clip.name}.wav" for clip in clips]
    words = [ROOT / "reel", "run", *media, "--recipe", "transcribe", "--language", "en", "--profile", "starter"]
    words += ["--set", f"results_dir={folder / 'alone'}", "-o", folder / "out", "--progress", "none"]
    subprocess.run([*map(str, words)], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for clip in clips:
        heard = Transcript.read(folder / "out" / clip.name / "transcript.json")
        found[clip.name] = [word for segment in heard.segments for word in segment.words]
    return found


def cues_of(placed: Sequence[Placed], alone: Mapping[str, Sequence[Word]]) -> tuple[Subtitled, ...]:
    """Return the subtitle of a film: the text of each clip in cues of a few words, at the times of these words."""
    made = []
    for one in placed:
        for start_ms, end_ms, text in _of_clip(one.clip.text, alone.get(one.clip.name, ())):
            start = one.start_ms + start_ms
            made.append(Subtitled(start, one.start_ms + end_ms, text, start))
    return tuple(made)


def _of_clip(text: str, heard: Sequence[Word]) -> list[tuple[int, int, str]]:
    told = text.split()
    times = _times(told, heard)
    cues, begin = [], 0
    for end in range(1, len(told) + 1):
        ends_sentence = told[end - 1][-1] in ".?!" and end - begin >= _FEWEST
        if end - begin < _MOST_WORDS and not ends_sentence and end < len(told):
            continue
        known = [times[place] for place in range(begin, end) if place in times]
        if known and begin in times:
            cues.append((known[0][0], known[-1][1], " ".join(told[begin:end])))
        begin = end
    return cues


def _times(told: Sequence[str], heard: Sequence[Word]) -> dict[int, tuple[int, int]]:
    """Return the times of the words of a text that were heard, by their places."""
    ours = [(place, part) for place, word in enumerate(told) for part in plain(word)]
    theirs = [(word, part) for word in heard for part in plain(word.text)]
    if not ours or not theirs:
        return {}
    aligned = jiwer.process_words(" ".join(part for _, part in ours), " ".join(part for _, part in theirs))
    found: dict[int, tuple[int, int]] = {}
    for chunk in aligned.alignments[0]:
        if chunk.type in {"equal", "substitute"}:
            for at, other in zip(
                range(chunk.ref_start_idx, chunk.ref_end_idx), range(chunk.hyp_start_idx, chunk.hyp_end_idx),
                strict=True,
            ):  # fmt: skip
                found.setdefault(ours[at][0], (theirs[other][0].start_ms, theirs[other][0].end_ms))
    return found


if __name__ == "__main__":
    sys.exit(main())
