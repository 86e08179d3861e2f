"""Measures subtitles, and what they are made of beside the bare engine's: words, punctuation, and the first word after
each pause.

    .venvs/test/bin/python benchmarks/quality.py [--rounds 3] [--seed 1]

Builds its material with `material.py`: English clips joined at random pauses, with truth known at each joint. The bare
engine is faster-whisper with the same weights, precision and beam, once with its own speech filter and once without.
Environments and models of the starter profile must be installed. Prints one table; figures are counts and shares, so
that the load of the machine does not matter. A second table is about reel alone: who speaks, cues over the limits of
the guide as they are and shortened by rules, and when translated sentences begin (English to Portuguese).

`marks kept` counts punctuation against the same clips transcribed alone by the same program. A first word is `early` or
`late` if it begins more than 0.3 s before or after the first sound of its clip.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import jiwer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from benchmarks import material
from benchmarks.material import PYTHON, ROOT, Placed
from benchmarks.subtitle_figures import diarization_error, subtitle_figures

SNAPSHOTS = ROOT / ".cache/huggingface/hub/models--Systran--faster-whisper-base/snapshots"
_TOLERANCE_MS = 300
_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_MARKS = re.compile(r"[.,?!]")
BARE = """
import json, sys
from faster_whisper import WhisperModel
folder, vad, *media = sys.argv[1:]
model = WhisperModel(folder, device="cpu", compute_type="int8", local_files_only=True)
for one in media:
    segments, _ = model.transcribe(one, language="en", beam_size=5, vad_filter=vad == "vad", word_timestamps=True)
    words = [word for segment in segments for word in segment.words]
    print(json.dumps([[word.word.strip(), round(word.start * 1000), round(word.end * 1000)] for word in words]))
"""

Spoken = tuple[str, int, int]
"""A recognised word, and its times in milliseconds."""
Program = Callable[[Sequence[Path]], list[list[Spoken]]]


@dataclass(frozen=True)
class Result:
    """Figures of one program for one file."""

    words: int
    errors: float
    errors_of_call: float  # transcribed alone
    marks: int
    marks_alone: int
    offsets_ms: tuple[int, ...]  # by joint: how much too early the first word begins

    @property
    def row(self) -> list[str]:
        offsets = self.offsets_ms
        early = [one for one in offsets if one > _TOLERANCE_MS]
        return [
            f"{self.errors:.1%}",
            f"{self.errors_of_call:.1%}",
            f"{self.marks / max(self.marks_alone, 1):.0%} of {self.marks_alone}",
            f"{len(early)} of {len(offsets)}",
            f"{max(offsets, default=0) / 1000:.1f} s",
            f"{sum(one < -_TOLERANCE_MS for one in offsets)}",
            f"{median(offsets) / 1000:+.2f} s",
        ]


HEADER = ["", "WER", "WER of the call alone", "marks kept", "early", "earliest", "late", "median"]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each clip occurs in the long file")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the clips and the lengths of the pauses")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips = material.english_clips()
        placed = material.join(clips, arguments.rounds, arguments.seed, folder / "long.wav")
        alone = [folder / f"{clip.name}.wav" for clip in clips]
        for clip, path in zip(clips, alone, strict=True):
            material.write(clip.samples, path)
        print(f"{len(placed)} clips, {placed[-1].start_ms + placed[-1].clip.duration_ms:,} ms, seed {arguments.seed}\n")
        print_row(HEADER)
        print_row(["---"] * len(HEADER))
        for title, program in programs(folder / "out").items():
            long, *single = program([folder / "long.wav", *alone])
            by_clip = dict(zip((clip.name for clip in clips), single, strict=True))
            print_row([title, *measured(placed, long, by_clip).row])
        call = next(clip for clip in clips if clip.turns)
        alone_error = diarization_error(folder / "out" / call.name, [Placed(call, 0)])
        print()
        print_row(["diarization error of the call alone", f"{alone_error:.1%}"])
        for row in subtitle_figures(folder / "out" / "long", placed).rows():
            print_row(row)
        run_reel([folder / "long.wav"], folder / "short", "--set", "condense.backend=rules")
        for language, (over, number) in subtitle_figures(folder / "short" / "long", placed).cues.items():
            print_row([f"cues over a limit, {language}, shortened by rules", f"{over} of {number}"])
    return 0


def programs(out: Path) -> dict[str, Program]:
    """Return what is compared: each turns sound files into words. reel publishes into `out`."""

    def reel(media: Sequence[Path]) -> list[list[Spoken]]:
        run_reel(media, out)
        return [transcript(out / one.stem / "transcript.json") for one in media]

    def bare(vad: str) -> Program:
        model = next(SNAPSHOTS.iterdir())

        def program(media: Sequence[Path]) -> list[list[Spoken]]:
            command = [str(part) for part in (PYTHON, "-c", BARE, model, vad, *media)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
            return [json.loads(line) for line in done.stdout.splitlines()]

        return program

    return {"reel": reel, "bare engine, its speech filter": bare("vad"), "bare engine": bare("none")}


def run_reel(media: Sequence[Path], out: Path, *more: str) -> None:
    """Publish subtitles in English and Portuguese into `out`; results are kept beside it."""
    places = ["--set", f"results_dir={out.with_name('results')}", "-o", str(out), "--profile", "starter"]
    wanted = ["--language", "en", "--to", "pt", "--formats", "srt,json", "--no-film", "--progress", "none"]
    words = [ROOT / "reel", "run", *media, *wanted, *places, *more]
    subprocess.run([*map(str, words)], check=True, stdout=subprocess.DEVNULL)


def transcript(path: Path) -> list[Spoken]:
    """Return the words of a transcript that reel published."""
    segments = json.loads(path.read_text(encoding="utf-8"))["segments"]
    return [(word["text"], word["start_ms"], word["end_ms"]) for segment in segments for word in segment["words"]]


def measured(placed: Sequence[Placed], long: Sequence[Spoken], alone: dict[str, list[Spoken]]) -> Result:
    """Return the figures for the long file. A clip whose text is not known counts as what was heard of it alone; its
    words then count neither as errors nor as right."""
    heard_alone = {name: " ".join(word for word, _, _ in said) for name, said in alone.items()}
    texts = [plain(one.clip.text or heard_alone[one.clip.name]) for one in placed]
    reference = [(number, word) for number, text in enumerate(texts) for word in text]
    heard = [(index, part) for index, (word, _, _) in enumerate(long) for part in plain(word)]
    aligned = jiwer.process_words(" ".join(word for _, word in reference), " ".join(word for _, word in heard))
    first: dict[int, int] = {}
    errors = counted = 0
    for chunk in aligned.alignments[0]:
        own = [reference[at][0] for at in range(chunk.ref_start_idx, chunk.ref_end_idx)]
        if chunk.type in {"equal", "substitute"}:
            for number, at in zip(own, range(chunk.hyp_start_idx, chunk.hyp_end_idx), strict=True):
                first.setdefault(number, heard[at][0])
        known = sum(bool(placed[number].clip.text) for number in own)
        counted += known
        errors += known if chunk.type in {"substitute", "delete"} else 0
        errors += chunk.hyp_end_idx - chunk.hyp_start_idx if chunk.type == "insert" else 0
    call = next(one.clip for one in placed if one.clip.turns)
    return Result(
        words=len(long),
        errors=errors / counted,
        errors_of_call=jiwer.wer(" ".join(plain(call.text)), " ".join(plain(heard_alone[call.name]))),
        marks=marks(long),
        marks_alone=sum(marks(alone[one.clip.name]) for one in placed),
        offsets_ms=tuple(
            one.onset_ms - long[first[number]][1] for number, one in enumerate(placed) if number and number in first
        ),
    )


def marks(words: Sequence[Spoken]) -> int:
    """Count the punctuation."""
    return sum(len(_MARKS.findall(word)) for word, _, _ in words)


def plain(text: str) -> list[str]:
    """Return the words without case and punctuation, numbers to ten in letters."""
    words = (word.strip("'") for word in re.findall(r"[\w']+", text.lower().replace("’", "'")))
    return [_NUMBERS[int(word) - 1] if word in map(str, range(1, 11)) else word for word in words if word]


def print_row(cells: Sequence[str]) -> None:
    """Print a row of a table in Markdown."""
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
