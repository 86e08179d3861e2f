"""Where one speaker ends and the next begins, to the word: never inside a clause of a word or two.

Who speaks is known to a few tenths of a second. A speaker does not go on with a sentence that another has just begun,
and does not begin with the last word of another's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.text.sentence_end import ends_sentence

_COMMAS = (",", "،", "、", "，")
_LATE_WORDS = 2  # after so many, a change of speaker may still be meant for the sentence's beginning


def settled(texts: Sequence[str], speakers: Sequence[str | None], joining: Collection[str]) -> list[str | None]:
    """Return the speaker of each word, with each change of speaker moved to the edge of a sentence that is near it.

    `joining` are the words, in lower case, that no sentence ends with."""
    found = list(speakers)
    for index in range(1, len(texts)):
        before, after = found[index - 1], found[index]
        if before == after or before is None or after is None:
            continue
        if texts[index - 1].endswith(_COMMAS) and _sentence_start(texts, found, index) == index - 1:
            found[index - 1] = after  # `Oh,` belongs to what is said after it
        if not texts[index - 1][-1:].isalnum():
            continue
        begins_small = not texts[index][:1].isupper()
        if begins_small and ends_sentence(texts[index]):
            found[index] = before
        elif begins_small or texts[index - 1].lower() in joining:
            start = _sentence_start(texts, found, index)
            found[start:index] = [after] * (index - start)
    return found


def _sentence_start(texts: Sequence[str], speakers: Sequence[str | None], index: int) -> int:
    """Return where the sentence begins that the speaker before `index` has said a word or two of; else `index`. It may
    be the first that this speaker says after another."""
    for start in range(index - 1, max(index - 1 - _LATE_WORDS, -1), -1):
        if start == 0 or ends_sentence(texts[start - 1]):
            return start
        if speakers[start - 1] != speakers[index - 1]:
            break
    return index
