"""Print the words that an aligner finds, without and with the next group processed ahead of the search, as on a card:
`align_beside.py MODEL AUDIO TRANSCRIPT`."""

from __future__ import annotations

import sys
from pathlib import Path

from shared.documents.transcript import Transcript
from shared.stage import Device
from stages.align.whisperx import WhisperXAligner, load


def main(model: Path, audio: Path, transcript: Path) -> None:
    aligners = load({"hi": model}, Device())._aligners
    said = Transcript.read(transcript)
    for beside in (False, True):
        print(list(WhisperXAligner(aligners, ahead_of_search=beside).align(audio, said)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
