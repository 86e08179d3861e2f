"""Counts what `quality.py` prints of reel's subtitles: who speaks, cues over the limits, and times of a translation.

    .venvs/test/bin/python benchmarks/subtitle_figures.py FOLDER [--rounds 3] [--seed 1]

FOLDER is what reel published of the `long.wav` that `material.py` makes with these rounds and this seed, with
`--language en --to pt --formats srt,json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the project is not a package

from benchmarks.material import Placed, english_clips, join
from shared.documents.cue import CueSheet
from shared.documents.diarization import Turn, from_rttm
from shared.documents.transcript import Transcript
from shared.text.sentence_end import ends_sentence

_COLLAR_S = 0.25  # on each side
_IN_TIME_MS = 250


@dataclass(frozen=True)
class SubtitleFigures:
    """Figures of one published folder. `starts` are those of translated sentences, and how many of them are in time."""

    calls_error: float
    cues: Mapping[str, tuple[int, int]]  # by language: over a limit, and all
    starts: tuple[int, int]

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows of a table."""
        yield ["diarization error of the call inside the long file", f"{self.calls_error:.1%}"]
        for language, (over, number) in self.cues.items():
            yield [f"cues over a limit, {language}", f"{over} of {number}"]
        yield [
            "translated sentences that begin within 0.25 s of the spoken ones",
            f"{self.starts[0]} of {self.starts[1]}",
        ]


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="how often each clip occurs in the long file")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the clips and the lengths of the pauses")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        placed = join(english_clips(), arguments.rounds, arguments.seed, Path(name) / "long.wav")
    for row in subtitle_figures(arguments.folder, placed).rows():
        print(f"| {' | '.join(row)} |")
    return 0


def subtitle_figures(folder: Path, placed: Sequence[Placed]) -> SubtitleFigures:
    """Return the figures of a folder that holds English and Portuguese subtitles, both as cue sheets too."""
    sheets = {language: _sheet(folder, language) for language in ("en", "pt")}
    reports = {
        language: json.loads(next(folder.glob(f"*.{language}.quality.json")).read_text("utf-8")) for language in sheets
    }
    return SubtitleFigures(
        diarization_error(folder, placed),
        {language: (reports[language]["over_limits"], len(sheet.cues)) for language, sheet in sheets.items()},
        _starts(Transcript.read(folder / "transcript.json"), sheets["pt"]),
    )


def diarization_error(folder: Path, placed: Sequence[Placed]) -> float:
    """Return the error rate inside the clips with known turns. A speaker has one name in the whole file."""
    clips = [each for each in placed if each.clip.turns]
    spans = Timeline([Segment(each.start_ms / 1000, (each.start_ms + each.clip.duration_ms) / 1000) for each in clips])
    truth = [
        Turn(start_ms=turn.start_ms + each.start_ms, end_ms=turn.end_ms + each.start_ms, speaker=turn.speaker)
        for each in clips for turn in each.clip.turns
    ]  # fmt: skip
    found = from_rttm((folder / "speakers.rttm").read_text(encoding="utf-8"))
    metric = DiarizationErrorRate(collar=2 * _COLLAR_S)  # it takes the whole width
    return float(metric(_annotation(truth), _annotation(found), uem=spans))


def _annotation(turns: Sequence[Turn]) -> Annotation:
    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start_ms / 1000, turn.end_ms / 1000), number] = turn.speaker
    return annotation


def _sheet(folder: Path, language: str) -> CueSheet:
    return CueSheet.read(next(folder.glob(f"*.{language}.json")))


def _starts(transcript: Transcript, translated: CueSheet) -> tuple[int, int]:
    """Return how many translated cues that begin a sentence begin with a spoken one, and how many begin one."""
    spoken, begins = [], True
    for word in (word for segment in transcript.segments for word in segment.words):
        if begins:
            spoken.append(word.start_ms)
        begins = ends_sentence(word.text)
    starts, begins = [], True
    for cue in translated.cues:
        if begins:
            starts.append(cue.start_ms)
        begins = ends_sentence(cue.lines[-1])
    return sum(min(abs(start_ms - other) for other in spoken) <= _IN_TIME_MS for start_ms in starts), len(starts)


if __name__ == "__main__":
    sys.exit(main())
