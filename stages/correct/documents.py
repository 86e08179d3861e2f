"""Compare two versions of a transcript, and find the segments that a user changed."""

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
        """Return the identifier of the change: a digest of its content."""
        content = repr([[_content(segment) for segment in side] for side in (self.before, self.after)])
        return hashlib.sha256(content.encode()).hexdigest()[:ID_LENGTH]

    @property
    def keeps_times(self) -> bool:
        """Tell whether the user left the times as they were, so that those of another model are as good."""
        before, after = ([(segment.start_ms, segment.end_ms) for segment in side] for side in (self.before, self.after))
        known = {(word.start_ms, word.end_ms, word.text) for segment in self.before for word in segment.words}
        recognised = [word for segment in self.after for word in segment.words if word.probability < 1]
        return before == after and all((word.start_ms, word.end_ms, word.text) in known for word in recognised)

    @property
    def has_speakers(self) -> bool:
        """Tell whether the user changed a speaker."""
        return [_speakers(segment) for segment in self.before] != [_speakers(segment) for segment in self.after]


def document_changes(before: Transcript, after: Transcript) -> list[DocumentChange]:
    """Return the places where the segments differ, in order of time."""
    return [DocumentChange(*pair) for pair in differences(before.segments, after.segments, _content)]


def document_cues(segments: Transcript | Iterable[Segment]) -> tuple[Cue, ...]:
    """Return segments as cues of one line."""
    listed = segments.segments if isinstance(segments, Transcript) else segments
    return tuple(
        Cue(
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            lines=(segment.text.strip(),),
            speaker=segment.speaker,
        )
        for segment in listed
    )


def with_matching_words(base: Transcript, document: Transcript) -> Transcript:
    """Return the corrected document with segments whose text and words agree.

    If a user changed only the text of a segment, its words follow the text; otherwise the text follows the words.
    """
    before = {segment.id: segment for segment in base.segments}
    segments = []
    for segment in document.segments:
        old = before.get(segment.id)
        text = joined(segment.words)
        if segment.words and text != segment.text.strip():
            with_own_text = segment.model_copy(update={"text": text})
            if old is not None and old.words == segment.words:
                segment = with_words(segment, rewritten(with_own_text, segment.text, probability=1.0).words)
            else:
                segment = with_own_text
        segments.append(segment)
    return document.model_copy(update={"segments": in_order(segments)})


def _content(segment: Segment) -> tuple[object, ...]:
    """Return what a user can change in a segment."""
    words: Sequence[object] = [(word.text, word.start_ms, word.end_ms, word.speaker) for word in segment.words]
    return segment.start_ms, segment.end_ms, segment.text.strip(), segment.speaker, segment.language, tuple(words)


def _speakers(segment: Segment) -> tuple[str | None, ...]:
    return segment.speaker, *dict.fromkeys(word.speaker for word in segment.words)
