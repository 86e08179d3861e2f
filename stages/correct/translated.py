"""Shows a translation as a transcript, so that corrections are carried into both in the same way."""

from __future__ import annotations

from collections.abc import Sequence, Set

from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from stages.correct.tokens import Token


def as_transcript(translation: Translation, transcript: Transcript) -> Transcript:
    """Return the translation with the segments' times. Its words have none of their own."""
    texts = {segment.id: segment.text for segment in translation.segments}
    segments = tuple(
        segment.model_copy(update={"text": texts.get(segment.id, ""), "words": ()}) for segment in transcript.segments
    )
    return transcript.model_copy(update={"language": translation.target, "segments": segments})


def as_translation(translation: Translation, tokens: Sequence[Token], touched: Set[int]) -> Translation:
    """Return the translation with the text of the tokens. New ones go to the segment before them, else the next."""
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
