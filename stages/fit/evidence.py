"""The engine of stage `fit`: see `stages.toolkit.sync.judge`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shared.documents.cue import CueSheet
from shared.documents.speech import Region, SpeechRegions
from shared.documents.transcript import Transcript
from shared.stage import Device
from stages.fit.stage import Judged
from stages.toolkit.sync.judge import Evidence, as_document, confirms, judge
from stages.toolkit.sync.placing import place
from stages.toolkit.sync.speech_offsets import find_by_speech

_FEWEST_WORDS = 40
_MOST = 0.8  # of the speech: then the stretches are the film
_TOO_SHORT = "it has too few words to be judged by a few stretches, so the whole film is recognised"


class EvidenceEngine:
    """Needs no model and no audio."""

    def judge(self, sheet: CueSheet, heard: Transcript, speech: SpeechRegions) -> Judged:
        """Return the verdict. The times are proven where the whole film confirms what the stretches say."""
        found = judge(sheet, heard, speech)
        if found.verdict == "refused" and _says_little(found, heard, speech):
            found = replace(found, verdict="moved", reason=_TOO_SHORT)
        fit = as_document(found, sheet, heard, speech)
        if not _is_proven(found, speech):
            return Judged(fit, None)
        placed = place(found.cues, found.heard.cues, found.pieces)
        shown = sorted(
            (Region(start_ms=one.start_ms, end_ms=one.end_ms) for one in placed), key=lambda one: one.start_ms
        )
        return Judged(fit, tuple(shown))


def load(models: Mapping[str, Path], device: Device) -> EvidenceEngine:
    """Do nothing: this backend has no model."""
    return EvidenceEngine()


def _says_little(found: Evidence, heard: Transcript, speech: SpeechRegions) -> bool:
    """Tell whether so few words of the subtitle are expected in the stretches that their absence proves nothing."""
    if found.by_speech or not heard.segments:
        return False
    heard_ms = sum(segment.end_ms - segment.start_ms for segment in heard.segments)
    return found.heard.text_words * heard_ms < _FEWEST_WORDS * speech.speech_ms and heard_ms < _MOST * speech.speech_ms


def _is_proven(found: Evidence, speech: SpeechRegions) -> bool:
    if found.verdict in {"fits", "other-language"}:
        return True
    if found.verdict == "refused" or not found.is_one_line:
        return False
    by_speech = find_by_speech(found.cues, speech.regions, speech.duration_ms)
    return confirms(by_speech, found.pieces[0], found.cues)
