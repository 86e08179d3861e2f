"""Finds speakers whom a user renamed throughout, and renames them in a text that may have other labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shared.documents.cue import Cue
from shared.documents.transcript import Segment, Transcript
from stages.correct.changes import Change
from stages.correct.documents import DocumentChange, document_cues
from stages.correct.stretches import Stretches

Renames = Mapping[str, tuple[str, Sequence[Cue]]]
"""By old name: the new one, and the cues that were the old one's."""


def renames(found: Iterable[Change | DocumentChange], base: Sequence[Cue], edited: Sequence[Cue]) -> Renames:
    """Return the speakers who have another name in each cue of theirs."""
    given: dict[str, set[str]] = {}
    for change in found:
        pair = (
            (change.before, change.after) if isinstance(change, Change)
            else (document_cues(change.before), document_cues(change.after))
        )  # fmt: skip
        for old, new in zip(*pair, strict=False):
            if old.speaker and new.speaker and old.speaker != new.speaker:
                given.setdefault(old.speaker, set()).add(new.speaker)
    left = {cue.speaker for cue in edited}
    return {
        old: (names.pop(), [cue for cue in base if cue.speaker == old])
        for old, names in given.items()
        if len(names) == 1 and old not in left
    }


def renamed(transcript: Transcript, names: Renames) -> tuple[Transcript, dict[str, str]]:
    """Return the transcript with the new names, and the labels that got them: those that speak most in the cues of
    the renamed speaker."""
    labels: dict[str, str] = {}
    for name, cues in names.values():
        if (label := _label(transcript, cues)) is not None:
            labels[label] = name
    if not labels:
        return transcript, {}
    return transcript.model_copy(
        update={"segments": tuple(_renamed(one, labels) for one in transcript.segments)}
    ), labels


def _label(transcript: Transcript, cues: Sequence[Cue]) -> str | None:
    heard: Counter[str] = Counter()
    segments = Stretches(transcript.segments)
    for cue in cues:
        for segment in segments.overlapping(cue):
            shared_ms = min(segment.end_ms, cue.end_ms) - max(segment.start_ms, cue.start_ms)
            if segment.speaker and shared_ms > 0:
                heard[segment.speaker] += shared_ms
    return max(heard, key=lambda one: (heard[one], one)) if heard else None


def _renamed(segment: Segment, labels: Mapping[str, str]) -> Segment:
    words = tuple(
        word.model_copy(update={"speaker": labels.get(word.speaker, word.speaker)}) if word.speaker else word
        for word in segment.words
    )
    speaker = labels.get(segment.speaker, segment.speaker) if segment.speaker else None
    return segment.model_copy(update={"speaker": speaker, "words": words})
