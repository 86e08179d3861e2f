"""Tell whether a word ends a sentence, by its punctuation, in any script."""

from __future__ import annotations

SENTENCE_ENDS = frozenset(".!?…。！？｡．।॥؟۔")
CLOSERS = "\"'”’»)]」』）】》〉"
OPENERS = "\"'“‘«([「『（【《〈¿¡"
_SHORTENED = """
    mr mrs ms dr dra prof profa st sr sra srta sig dott avv mme mlle fr hr vs rev hon capt lt sgt cpl bzw ca vgl evtl
    ggf inkl nr núm pág г-н г-жа डॉ प्रो श्री
"""
SHORTENED = frozenset(_SHORTENED.split())
"""Abbreviations that never end a sentence: titles, and those before an example or a number."""


def ends_sentence(text: str) -> bool:
    """Tell whether a word ends a sentence. An initial, an abbreviation, and letters with stops between them (`e.g.`) do
    not: joining two sentences does less harm than cutting one in two."""
    if not text.rstrip(CLOSERS).endswith(tuple(SENTENCE_ENDS)):
        return False
    word = text.split()[-1].strip(OPENERS + CLOSERS)
    stem = word.removesuffix(".")
    if stem == word or stem.endswith("."):  # another mark, or dots that trail off
        return True
    initial = len(stem) == 1 and stem.isupper() and stem != "I"
    letters = "." in stem and all(len(part) <= 2 for part in stem.split("."))
    return not (initial or letters or stem.lower() in SHORTENED)
