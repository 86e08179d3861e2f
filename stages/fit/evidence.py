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
        is_all = _length_ms(heard) >= _MOST * speech.speech_ms
        if found.verdict == "refused" and not is_all:
            if found.by_speech and found.by_speech.may_be_proven:
                found = replace(found, verdict="other-language")
            elif not found.by_speech and _says_little(found, heard, speech):
                found = replace(found, verdict="moved", reason=_TOO_SHORT)
        fit = as_document(found, sheet, heard, speech)
        if not _is_proven(found, speech, is_all):
            return Judged(fit, None)
        placed = place(found.cues, found.heard.cues, found.pieces, found.doubtful)
        shown = sorted(
            (Region(start_ms=one.start_ms, end_ms=one.end_ms) for one in placed), key=lambda one: one.start_ms
        )
        return Judged(fit, tuple(shown))


def load(models: Mapping[str, Path], device: Device) -> EvidenceEngine:
    """Do nothing: this backend has no model."""
    return EvidenceEngine()


def _length_ms(heard: Transcript) -> int:
    return sum(segment.end_ms - segment.start_ms for segment in heard.segments)


def _says_little(found: Evidence, heard: Transcript, speech: SpeechRegions) -> bool:
    """Tell whether so few words of the subtitle are expected in the stretches that their absence proves nothing."""
    expected = found.heard.text_words * _length_ms(heard) / max(1, speech.speech_ms)
    return bool(heard.segments) and expected < _FEWEST_WORDS


def _is_proven(found: Evidence, speech: SpeechRegions, is_all: bool) -> bool:
    """Tell whether the whole film would say nothing else. In another language, where sentences begin and how long they
    are is known of what was heard alone, and several pieces need that."""
    if found.verdict == "fits":
        return True
    if found.verdict == "refused":
        return False
    if found.by_speech:
        return is_all or (found.by_speech.is_proven and found.is_one_line and not found.doubtful)
    if not found.is_one_line:
        return False
    by_speech = find_by_speech(found.cues, speech.regions, speech.duration_ms)
    return confirms(by_speech, found.pieces[0], found.cues)
