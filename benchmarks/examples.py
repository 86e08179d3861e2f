"""Measures the example sentences of `config/languages`: what the recogniser writes with and without them.

    .venvs/test/bin/python benchmarks/examples.py [--languages pl hi]

An example shows the recogniser the punctuation and the script of a language. For each language with clips at hand, the
table gives the errors in words (in characters for languages without spaces), and the punctuation marks. An entry is
good if marks grow and errors do not. Environments and models of the starter profile must be installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jiwer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from benchmarks import material
from benchmarks.material import ROOT, Clip
from benchmarks.quality import print_row, transcript
from shared.text.text_width import is_spaceless

_MARKS = re.compile(r"[.,?!¿¡。、，？！।]")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="*", help="by default all that have clips")
    wanted = parser.parse_args().languages
    clips = [clip for clip in (*material.english_clips(), *material.foreign_clips()) if clip.text]
    print_row(["", "errors without", "errors with", "marks without", "marks with"])
    print_row(["---"] * 5)
    for language in wanted or sorted({clip.language for clip in clips}):
        own = [clip for clip in clips if clip.language == language]
        with tempfile.TemporaryDirectory() as name:
            bare, shown = heard(own, Path(name), []), heard(own, Path(name), None)
        errors = [f"{_errors([clip.text for clip in own], texts):.0%}" for texts in (bare, shown)]
        print_row([language, *errors, *(str(len(_MARKS.findall(" ".join(texts)))) for texts in (bare, shown))])
    return 0


def heard(clips: Sequence[Clip], folder: Path, example: list[str] | None) -> list[str]:
    """Return what reel hears in each clip, with the language's own example or without any."""
    out = folder / ("shown" if example is None else "bare")
    out.mkdir()
    media = [out / f"{clip.name}.wav" for clip in clips]
    for clip, path in zip(clips, media, strict=True):
        material.write(clip.samples, path)
    words = [ROOT / "reel", "run", *media, "--recipe", "transcribe", "--language", clips[0].language, "-o", out]
    words += ["--set", f"results_dir={folder / 'results'}", "--profile", "starter", "--progress", "none"]
    if example is not None:
        words += ["--set", "asr.example_text={}"]
    subprocess.run([*map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return [" ".join(word for word, _, _ in transcript(out / path.stem / "transcript.json")) for path in media]


def _errors(references: Sequence[str], texts: Sequence[str]) -> float:
    expected, found = [[plain(text) for text in side] for side in (references, texts)]
    if any(map(is_spaceless, "".join(references))):
        return float(jiwer.cer([text.replace(" ", "") for text in expected], [text.replace(" ", "") for text in found]))
    return float(jiwer.wer(expected, found))


def plain(text: str) -> str:
    """Return the words without case and punctuation."""
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())


if __name__ == "__main__":
    sys.exit(main())
