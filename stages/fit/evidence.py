"""Judge a subtitle with `stages.toolkit.sync`, and tell whether a few stretches prove its times: the engine of stage
`fit`."""

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

_FEWEST_WORDS = 40  # expected in the stretches: if fewer are, their absence proves nothing
_COMPLETE_SHARE = 0.8  # of the speech: a transcript of so much counts as one of the whole film
_TOO_SHORT = "it has too few words to be judged by a few stretches, so the whole film is recognised"


class EvidenceEngine:
    """An engine without a model. It reads no audio."""

    def judge(self, sheet: CueSheet, transcript: Transcript, speech: SpeechRegions) -> Judged:
        """Return the verdict, and the cues' times if the speech of the whole film confirms what the stretches say."""
        evidence = judge(sheet, transcript, speech)
        is_complete = _length_ms(transcript) >= _COMPLETE_SHARE * speech.speech_ms
        if evidence.verdict == "refused" and not is_complete:
            if evidence.by_speech and evidence.by_speech.may_be_proven:
                evidence = replace(evidence, verdict="other-language")
            elif not evidence.by_speech and _has_too_few_words(evidence, transcript, speech):
                evidence = replace(evidence, verdict="moved", reason=_TOO_SHORT)
        fit = as_document(evidence, sheet, transcript, speech)
        if not _is_proven(evidence, speech, is_complete=is_complete):
            return Judged(fit, None)
        placed = place(evidence.cues, evidence.match.cues, evidence.pieces, evidence.doubtful)
        shown = sorted(
            (Region(start_ms=cue.start_ms, end_ms=cue.end_ms) for cue in placed), key=lambda region: region.start_ms
        )
        return Judged(fit, tuple(shown))


def load(models: Mapping[str, Path], device: Device) -> EvidenceEngine:
    """Return the engine; there is no model to load."""
    return EvidenceEngine()


def _length_ms(transcript: Transcript) -> int:
    return sum(segment.end_ms - segment.start_ms for segment in transcript.segments)


def _has_too_few_words(evidence: Evidence, transcript: Transcript, speech: SpeechRegions) -> bool:
    """Tell whether so few words of the subtitle are expected in the stretches that their absence proves nothing."""
    expected = evidence.match.text_words * _length_ms(transcript) / max(1, speech.speech_ms)
    return bool(transcript.segments) and expected < _FEWEST_WORDS


def _is_proven(evidence: Evidence, speech: SpeechRegions, *, is_complete: bool) -> bool:
    """Tell whether a transcript of the whole film would give the same times.

    In another language, the starts and lengths of sentences are known only for the transcribed stretches, and a
    subtitle of several pieces cannot be proven without them.
    """
    if evidence.verdict == "fits":
        return True
    if evidence.verdict == "refused":
        return False
    if evidence.by_speech:
        return is_complete or (evidence.by_speech.is_proven and evidence.is_linear and not evidence.doubtful)
    if not evidence.is_linear:
        return False
    by_speech = find_by_speech(evidence.cues, speech.regions, speech.duration_ms)
    return confirms(by_speech, evidence.pieces[0], evidence.cues)
