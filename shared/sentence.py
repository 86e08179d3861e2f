"""Where a sentence ends, as far as its punctuation says, in any script."""

from __future__ import annotations

SENTENCE_ENDS = frozenset(".!?…。！？｡．।॥؟۔")
CLOSERS = "\"'”’»)]」』）】》〉"


def ends_sentence(text: str) -> bool:
    """Whether a word stands at the end of a sentence."""
    return text.rstrip(CLOSERS).endswith(tuple(SENTENCE_ENDS))
