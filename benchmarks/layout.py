"""Measures the layout of ten hours of words and of five: its time must not grow faster than the length.

    .venvs/core/bin/python benchmarks/layout.py [--hours 10]

The words are made up, with the lengths and the pauses of talk, in English and in Japanese cut into single characters.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from shared.documents.transcript import Segment, Transcript, Word
from shared.text.guide_limits import GuideParams
from stages.subtitle.cue_sheet import make_cues
from stages.subtitle.stage import LayoutOptions

LIMIT_S = 10.0
_HOUR_MS = 3_600_000
_SHOT_MS = 4_000
_NUMBERS = ("", "one", "two", "three")
_ENGLISH = ("a", "the", "of", "and", "to", "in", "that", "with", "this", "word", "have", "never", "because", "morning")
_JAPANESE = "のにはをたがでてとしれさあいるかなら人日本大学年中国会見行時分後前"


def main() -> int:
    """Measure, print a table, and exit with 1 when the limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=10.0)
    hours = parser.parse_args().hours
    slowest = 0.0
    for language in ("en", "ja"):
        for part in (hours / 2, hours):
            seconds, words, cues = measure(language, part)
            slowest = max(slowest, seconds)
            print(f"{language}  {part:5.1f} h  {words:7d} words  {cues:6d} cues  {seconds:6.2f} s")
    print(f"limit {LIMIT_S:.0f} s for 10 h")
    return int(hours == 10 and slowest > LIMIT_S)


def measure(language: str, hours: float) -> tuple[float, int, int]:
    """Seconds of one core, words and cues."""
    transcript = make_transcript(language, hours)
    limits = GuideParams(line_lengths={"ja": 26}, reading_speeds={"ja": 8.0, "en": 20.0}).limits(language)
    started = time.process_time()
    shots = range(0, transcript.duration_ms, _SHOT_MS)
    cues = make_cues(transcript, None, limits, LayoutOptions(changes_ms=shots, numbers=_NUMBERS))
    return time.process_time() - started, sum(len(segment.words) for segment in transcript.segments), len(cues)


def make_transcript(language: str, hours: float) -> Transcript:
    """Talk of that length, the same in every call."""
    chance = random.Random(7)
    words = list(_words(language, hours, chance))
    segments = tuple(
        Segment(id=index, text="", start_ms=part[0].start_ms, end_ms=part[-1].end_ms, words=tuple(part))
        for index, part in enumerate(words[at : at + 12] for at in range(0, len(words), 12))
    )
    return Transcript(
        language=language, language_probability=1.0, duration_ms=words[-1].end_ms + 1000, segments=segments
    )


def _words(language: str, hours: float, chance: random.Random) -> Iterator[Word]:
    at_ms, spoken, left = 0, 0, 12
    while at_ms < hours * _HOUR_MS:
        left -= 1
        wide = language == "ja"
        text = chance.choice(_JAPANESE) if wide else chance.choice(_ENGLISH)
        mark = "" if left and chance.random() > 0.08 else ("。" if wide else ".") if not left else "、" if wide else ","
        length = 140 if wide else 90 + 60 * len(text)
        speaker = f"SPEAKER_{spoken % 2:02d}"
        yield Word(
            text=text + mark, start_ms=at_ms, end_ms=at_ms + length, probability=1.0, joined=wide, speaker=speaker
        )
        at_ms += length + (chance.randint(0, 900) if mark else chance.randint(0, 30))
        if not left:
            left, spoken = chance.randint(3, 25), spoken + int(chance.random() < 0.2)


if __name__ == "__main__":
    sys.exit(main())
