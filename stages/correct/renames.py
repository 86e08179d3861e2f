"""Find speakers whom a user renamed in every cue, and rename them in a transcript that may have other labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.documents.cue import Cue
from shared.documents.transcript import Segment, Transcript
from stages.correct.changes import Change
from stages.correct.documents import DocumentChange, document_cues
from stages.correct.interval_index import IntervalIndex


@dataclass(frozen=True)
class Rename:
    """A speaker's new name, and the cues in which the speaker had the old one."""

    name: str
    cues: tuple[Cue, ...]


def find_renames(
    found: Iterable[Change | DocumentChange], base: Sequence[Cue], edited: Sequence[Cue]
) -> tuple[Rename, ...]:
    """Return a rename for each speaker who has the same new name in all of the changed cues and the old one in none."""
    new_names: dict[str, set[str]] = {}
    for change in found:
        pair = (
            (change.before, change.after) if isinstance(change, Change)
            else (document_cues(change.before), document_cues(change.after))
        )  # fmt: skip
        for old, new in zip(*pair, strict=False):
            if old.speaker and new.speaker and old.speaker != new.speaker:
                new_names.setdefault(old.speaker, set()).add(new.speaker)
    remaining = {cue.speaker for cue in edited}
    return tuple(
        Rename(names.pop(), tuple(cue for cue in base if cue.speaker == old))
        for old, names in new_names.items()
        if len(names) == 1 and old not in remaining
    )


def rename_speakers(transcript: Transcript, renames: Iterable[Rename]) -> tuple[Transcript, dict[str, str]]:
    """Return the transcript with the new names, and the new name of each label that got one.

    A new name goes to the label that speaks most in the cues of the renamed speaker.
    """
    labels: dict[str, str] = {}
    for rename in renames:
        if (label := _label(transcript, rename.cues)) is not None:
            labels[label] = rename.name
    if not labels:
        return transcript, {}
    segments = tuple(_renamed(segment, labels) for segment in transcript.segments)
    return transcript.model_copy(update={"segments": segments}), labels


def _label(transcript: Transcript, cues: Sequence[Cue]) -> str | None:
    """Return the speaker who speaks longest in these cues, by the transcript; None without one."""
    spoken_ms: Counter[str] = Counter()
    segments = IntervalIndex(transcript.segments)
    for cue in cues:
        for segment in segments.overlapping(cue):
            shared_ms = min(segment.end_ms, cue.end_ms) - max(segment.start_ms, cue.start_ms)
            if segment.speaker and shared_ms > 0:
                spoken_ms[segment.speaker] += shared_ms
    return max(spoken_ms, key=lambda label: (spoken_ms[label], label)) if spoken_ms else None


def _renamed(segment: Segment, labels: Mapping[str, str]) -> Segment:
    words = tuple(
        word.model_copy(update={"speaker": labels.get(word.speaker, word.speaker)}) if word.speaker else word
        for word in segment.words
    )
    speaker = labels.get(segment.speaker, segment.speaker) if segment.speaker else None
    return segment.model_copy(update={"speaker": speaker, "words": words})
