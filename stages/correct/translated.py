"""Convert a translation to a transcript and back, so that corrections are applied to both in the same way."""

from __future__ import annotations

from collections.abc import Sequence, Set

from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from stages.correct.tokens import Token


def as_transcript(translation: Translation, transcript: Transcript) -> Transcript:
    """Return the translation as a transcript with the segments' times and without word times."""
    texts = {segment.id: segment.text for segment in translation.segments}
    segments = tuple(
        segment.model_copy(update={"text": texts.get(segment.id, ""), "words": ()}) for segment in transcript.segments
    )
    return transcript.model_copy(update={"language": translation.target, "segments": segments})


def as_translation(translation: Translation, tokens: Sequence[Token], touched: Set[int]) -> Translation:
    """Return the translation with the text of the tokens. A token without a segment goes to the segment of the token
    before it, or of the first token that has one."""
    texts: dict[int, str] = {}
    number = next((token.segment for token in tokens if token.segment is not None), 0)
    changed = set(touched)
    for token in tokens:
        if token.segment is not None:
            number = token.segment
        else:
            changed.add(number)
        texts[number] = texts.get(number, "") + ("" if token.joined else " ") + token.text
    segments = tuple(
        segment.model_copy(update={"text": texts.get(place, "").strip()}) if place in changed else segment
        for place, segment in enumerate(translation.segments)
    )
    return translation.model_copy(update={"segments": segments})
