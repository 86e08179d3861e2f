"""Move changes of speaker to the edges of sentences near them.

The time of a change is known to a few tenths of a second, so a word or two may have the wrong speaker. A speaker does
not continue a sentence that another one has just begun, and does not begin with the last word of another's sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.text.sentence_end import ends_sentence

_COMMAS = (",", "،", "、", "，")
_LATE_WORDS = 2  # a change of speaker so many words after the beginning of a sentence is moved to it


def move_to_sentence_edges(
    texts: Sequence[str], speakers: Sequence[str | None], joining: Collection[str]
) -> list[str | None]:
    """Return the speaker of each word, with each change of speaker moved to the edge of a sentence near it.

    `texts` are the words, `speakers` their speakers by time, `joining` words in lower case with which no sentence ends.
    """
    found = list(speakers)
    for index in range(1, len(texts)):
        before, after = found[index - 1], found[index]
        if before == after or before is None or after is None:
            continue
        if texts[index - 1].endswith(_COMMAS) and _sentence_start(texts, found, index) == index - 1:
            found[index - 1] = after  # `Oh,` belongs to the words after it
        if not texts[index - 1][-1:].isalnum():
            continue
        is_lower_case = not texts[index][:1].isupper()
        if is_lower_case and ends_sentence(texts[index]):
            found[index] = before
        elif is_lower_case or texts[index - 1].lower() in joining:
            start = _sentence_start(texts, found, index)
            found[start:index] = [after] * (index - start)
    return found


def _sentence_start(texts: Sequence[str], speakers: Sequence[str | None], index: int) -> int:
    """Return where the sentence of the word before `index` begins, if its speaker has spoken at most `_LATE_WORDS` of
    it; else `index`."""
    for start in range(index - 1, max(index - 1 - _LATE_WORDS, -1), -1):
        if start == 0 or ends_sentence(texts[start - 1]):
            return start
        if speakers[start - 1] != speakers[index - 1]:
            break
    return index
