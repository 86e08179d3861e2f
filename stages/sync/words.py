"""Place the cues of a subtitle with `stages.toolkit.sync`, and rewrite its file: the engine of stage `sync`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.cue import CueSheet
from shared.documents.speech import SpeechRegions
from shared.documents.transcript import Transcript
from shared.stage import Device
from stages.sync.stage import Placed, Synchronised
from stages.toolkit.formats.retimer import retime
from stages.toolkit.formats.writer import render
from stages.toolkit.sync.judge import as_document, judge
from stages.toolkit.sync.placing import place

_MOST_BYTES = 64 << 20  # no subtitle file is larger; a larger file is a film whose track was read
_RENDERED = frozenset({"ttml", "scc"})  # formats that are written from the cues if they cannot be changed in place


class WordsEngine:
    """An engine without a model. It reads no audio."""

    def synchronise(self, sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> Synchronised:
        """Return the verdict and the cues' times. The cues of a subtitle that fits keep their times."""
        evidence = judge(sheet, transcript, speech)
        fit = as_document(evidence, sheet, transcript, speech)
        if evidence.verdict == "refused":
            return Synchronised(fit, ())
        shares = {matched.cue: len(matched.words) / matched.size for matched in evidence.match.cues}
        by_words = evidence.match.cues if evidence.by_speech is None else ()
        placed = place(evidence.cues, by_words, evidence.pieces, evidence.doubtful)
        return Synchronised(
            fit,
            tuple(
                Placed(cue.start_ms, cue.end_ms, cue.basis, shares.get(number, 0.0))
                for number, cue in enumerate(placed)
            ),
        )

    def rewrite(self, subtitles: Path, before: CueSheet, after: Sequence[Placed]) -> tuple[str, bytes]:
        """Return the file with other times. A file that cannot be changed in place is written from its cues: in its own
        format if `writer` has it, else as SRT."""
        moved = [
            ((cue.start_ms, cue.end_ms), (placed.start_ms, placed.end_ms))
            for cue, placed in zip(before.cues, after, strict=True)
        ]
        suffix = subtitles.suffix.lower().lstrip(".")
        if subtitles.stat().st_size <= _MOST_BYTES and (rewritten := retime(subtitles.read_bytes(), moved)):
            return rewritten
        cues = [
            cue.model_copy(update={"start_ms": start, "end_ms": end})
            for cue, (_, (start, end)) in zip(before.cues, moved, strict=True)
        ]
        sheet = before.model_copy(update={"cues": tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))})
        kind = suffix if suffix in _RENDERED else "srt"
        return kind, render(sheet, kind).encode()


def load(models: Mapping[str, Path], device: Device) -> WordsEngine:
    """Return the engine; there is no model to load."""
    return WordsEngine()
