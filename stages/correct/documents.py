"""Compares two versions of a transcript: the segments that a user changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.documents.cue import Cue
from shared.documents.transcript import Segment, Transcript
from stages.correct.changes import ID_LENGTH, differences
from stages.correct.tokens import in_order, joined, with_words
from stages.toolkit.text.word_times import rewritten


@dataclass(frozen=True)
class DocumentChange:
    """Segments that became other segments at about the same time; one side may be empty."""

    before: tuple[Segment, ...]
    after: tuple[Segment, ...]

    @property
    def id(self) -> str:
        """Return a name of the change, made from its content."""
        content = repr([[_content(one) for one in some] for some in (self.before, self.after)])
        return hashlib.sha256(content.encode()).hexdigest()[:ID_LENGTH]

    @property
    def keeps_times(self) -> bool:
        """Tell whether the user left the times as they were, so that those of another model are as good."""
        times = [[(one.start_ms, one.end_ms) for one in some] for some in (self.before, self.after)]
        known = {(word.start_ms, word.end_ms, word.text) for one in self.before for word in one.words}
        same = [word for one in self.after for word in one.words if word.probability < 1]
        return times[0] == times[1] and all((word.start_ms, word.end_ms, word.text) in known for word in same)

    @property
    def has_speakers(self) -> bool:
        """Tell whether the user gave something to another speaker."""
        return [_speakers(one) for one in self.before] != [_speakers(one) for one in self.after]


def document_changes(before: Transcript, after: Transcript) -> list[DocumentChange]:
    """Return the places where the segments differ, in order of time."""
    return [DocumentChange(*pair) for pair in differences(before.segments, after.segments, _content)]


def document_cues(segments: Transcript | Iterable[Segment]) -> tuple[Cue, ...]:
    """Return segments as cues of one line."""
    some = segments.segments if isinstance(segments, Transcript) else segments
    return tuple(
        Cue(start_ms=one.start_ms, end_ms=one.end_ms, lines=(one.text.strip(),), speaker=one.speaker) for one in some
    )


def adopted(base: Transcript, document: Transcript) -> Transcript:
    """Return the corrected document. Where a segment's text was changed and its words were not, they follow the
    text."""
    before = {segment.id: segment for segment in base.segments}
    segments = []
    for segment in document.segments:
        old = before.get(segment.id)
        text = joined(segment.words)
        if segment.words and text != segment.text.strip():
            if old is not None and old.words == segment.words:
                before_it = segment.model_copy(update={"text": text})
                segment = with_words(segment, rewritten(before_it, segment.text, probability=1.0).words)
            else:
                segment = segment.model_copy(update={"text": text})
        segments.append(segment)
    return document.model_copy(update={"segments": in_order(segments)})


def _content(segment: Segment) -> tuple[object, ...]:
    """Return what a user can change in a segment."""
    words: Sequence[object] = [(word.text, word.start_ms, word.end_ms, word.speaker) for word in segment.words]
    return segment.start_ms, segment.end_ms, segment.text.strip(), segment.speaker, segment.language, tuple(words)


def _speakers(segment: Segment) -> tuple[str | None, ...]:
    return segment.speaker, *dict.fromkeys(word.speaker for word in segment.words)
