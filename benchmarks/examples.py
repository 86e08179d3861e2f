"""Measures the example sentences of `config/languages`: what the recogniser writes with and without them.

    .venvs/test/bin/python benchmarks/examples.py [--languages pl hi]

An example shows the recogniser the punctuation and the script of a language. For each language with clips at hand, the
table gives the errors in words (in characters for languages without spaces), how many of them were written without
being said, and the punctuation marks. Numbers to ten count as right in figures too. An entry is good if marks grow and
errors do not. Environments and models of the starter profile must be installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import jiwer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from benchmarks import material
from benchmarks.material import ROOT, Clip
from benchmarks.quality import print_row, transcript
from shared.text.text_width import is_spaceless

_MARKS = re.compile(r"[.,?!¿¡。、，？！।]")
# From one to ten, as the clips write them.
_NUMBERS = {
    "en": "one two three four five six seven eight nine ten",
    "es": "uno dos tres cuatro cinco seis siete ocho nueve diez",
    "fr": "un deux trois quatre cinq six sept huit neuf dix",
    "hi": "एक दो तीन चार पांच छह सात आठ नौ दस",
    "it": "uno due tre quattro cinque sei sette otto nove dieci",
    "ja": "一 二 三 四 五 六 七 八 九 十",
    "pl": "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć",
    "pt": "um dois três quatro cinco seis sete oito nove dez",
    "zh": "一 二 三 四 五 六 七 八 九 十",
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="*", help="by default all that have clips")
    wanted = parser.parse_args().languages
    clips = [clip for clip in (*material.english_clips(), *material.foreign_clips()) if clip.text]
    print_row(["", *(f"{what} {how}" for what in ("errors", "inventions", "marks") for how in ("without", "with"))])
    print_row(["---"] * 7)
    for language in wanted or sorted({clip.language for clip in clips}):
        own = [clip for clip in clips if clip.language == language]
        with tempfile.TemporaryDirectory() as name:
            bare, shown = heard(own, Path(name), []), heard(own, Path(name), None)
        counted = [_counted([clip.text for clip in own], texts, language) for texts in (bare, shown)]
        rates, inventions = [f"{errors:.0%}" for errors, _ in counted], [str(invented) for _, invented in counted]
        marks = [str(len(_MARKS.findall(" ".join(texts)))) for texts in (bare, shown)]
        print_row([language, *rates, *inventions, *marks])
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


def _counted(references: Sequence[str], texts: Sequence[str], language: str) -> tuple[float, int]:
    """Return the error rate, and how many words or characters were written without being said."""
    expected, found = [[plain(text, language) for text in side] for side in (references, texts)]
    if any(map(is_spaceless, "".join(references))):
        characters = jiwer.process_characters(
            ["".join(text.split()) for text in expected], ["".join(text.split()) for text in found]
        )
        return float(characters.cer), characters.insertions
    words = jiwer.process_words(expected, found)
    return float(words.wer), words.insertions


def plain(text: str, language: str) -> str:
    """Return the words without case and punctuation, numbers to ten in letters."""
    words = "".join(one if _is_written(one) else " " for one in text.lower()).split()
    names = _NUMBERS.get(language, "").split()
    return " ".join(
        names[int(word) - 1] if word.isdecimal() and 0 < int(word) <= len(names) else word for word in words
    )


def _is_written(character: str) -> bool:
    """Tell whether a character is a letter, a figure, a vowel sign or a space, and not a mark."""
    return unicodedata.category(character)[0] in "LMN" or character.isspace()


if __name__ == "__main__":
    sys.exit(main())
