"""The engine of stage `sync`: see `stages.toolkit.sync`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.cue import CueSheet
from shared.documents.speech import SpeechRegions
from shared.documents.transcript import Transcript
from shared.stage import Device
from stages.sync.stage import Placed, Synchronised
from stages.toolkit.formats.retimer import retimed
from stages.toolkit.formats.writer import render
from stages.toolkit.sync.judge import as_document, judge
from stages.toolkit.sync.placing import place

_MOST_BYTES = 64 << 20  # no subtitle file is larger; a film may be, whose track was read
_WRITTEN = frozenset({"ttml", "scc"})  # formats that are laid out again, if they cannot be rewritten in place


class WordsEngine:
    """Needs no model and no audio."""

    def synchronise(self, sheet: CueSheet, heard: Transcript, speech: SpeechRegions) -> Synchronised:
        """Return the verdict and the cues' times; those of a subtitle that fits stay."""
        found = judge(sheet, heard, speech)
        fit = as_document(found, sheet, heard, speech)
        if found.verdict == "refused":
            return Synchronised(fit, ())
        shares = {one.cue: len(one.words) / one.size for one in found.heard.cues}
        by_words = found.heard.cues if found.by_speech is None else ()
        placed = place(found.cues, by_words, found.pieces, found.doubtful)
        return Synchronised(
            fit, tuple(Placed(one.start_ms, one.end_ms, one.basis, shares.get(number, 0.0))
                       for number, one in enumerate(placed)),
        )  # fmt: skip

    def rewrite(self, subtitles: Path, before: CueSheet, after: Sequence[Placed]) -> tuple[str, bytes]:
        """Return the file with other times, or the cues in the nearest format that can be written."""
        moved = [
            ((cue.start_ms, cue.end_ms), (placed.start_ms, placed.end_ms))
            for cue, placed in zip(before.cues, after, strict=True)
        ]
        suffix = subtitles.suffix.lower().lstrip(".")
        if subtitles.stat().st_size <= _MOST_BYTES and (found := retimed(subtitles.read_bytes(), moved)):
            return found
        cues = [
            cue.model_copy(update={"start_ms": start, "end_ms": end})
            for cue, (_, (start, end)) in zip(before.cues, moved, strict=True)
        ]
        sheet = before.model_copy(update={"cues": tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))})
        kind = suffix if suffix in _WRITTEN else "srt"
        return kind, render(sheet, kind).encode()


def load(models: Mapping[str, Path], device: Device) -> WordsEngine:
    """Do nothing: this backend has no model."""
    return WordsEngine()
