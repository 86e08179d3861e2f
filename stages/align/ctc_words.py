"""Make the tokens for a CTC aligner, and word times from the times of its tokens. Pure: no network, no audio.

The network does not have all letters. A digit, a spoken symbol or a letter of another script becomes a wildcard, which
matches any sound (as in WhisperX); a mark that is not spoken is left out. A word without any token gets a time between
its neighbours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from shared.documents.transcript import Segment, Word

WILDCARD = -1
SEPARATOR = "|"  # the end of a word in the alphabets of these networks
_SPOKEN = frozenset("%‰&@#§")  # punctuation by category, but read out
_LONGEST_MS = 30_000  # of a group of segments without a window
_TOUCHING_MS = 300  # segments with a shorter pause are one group: their words may lie on either side of it
_PAD_MS = 200
_UNPLACED_MS = 100  # of a word without tokens before the first or after the last word with some


class Token(NamedTuple):
    """A letter to find: its number in the network's alphabet, and the number of its word, None for a separator."""

    code: int
    word: int | None


class Group(NamedTuple):
    """Segments that are aligned together, by number, and the stretch of audio that holds all of them."""

    segments: range
    start_ms: int
    end_ms: int


def groups_of(segments: Sequence[Segment], duration_ms: int) -> list[Group]:
    """Return the segments in groups: those of one window together, and those that touch, up to `_LONGEST_MS`."""
    found: list[Group] = []
    for window, numbers in groupby(range(len(segments)), key=lambda number: segments[number].window):
        members = list(numbers)
        if window:
            found.append(Group(range(members[0], members[-1] + 1), window.start_ms, window.end_ms))
        else:
            found += _touching(segments, members)
    return [_padded(found, index, segments, duration_ms) for index in range(len(found))]


def _touching(segments: Sequence[Segment], members: Sequence[int]) -> list[Group]:
    found: list[Group] = []
    for number in members:
        segment = segments[number]
        last = found[-1] if found else None
        near = last is not None and segment.start_ms - last.end_ms <= _TOUCHING_MS
        if last and near and segment.end_ms - last.start_ms <= _LONGEST_MS:
            found[-1] = Group(range(last.segments.start, number + 1), last.start_ms, max(last.end_ms, segment.end_ms))
        else:
            found.append(Group(range(number, number + 1), segment.start_ms, segment.end_ms))
    return found


def _padded(groups: Sequence[Group], index: int, segments: Sequence[Segment], duration_ms: int) -> Group:
    """Return the group with a part of the pauses beside it. A window has pauses already."""
    group = groups[index]
    if segments[group.segments.start].window:
        return group
    before = groups[index - 1].end_ms if index else 0
    after = groups[index + 1].start_ms if index + 1 < len(groups) else duration_ms
    start = max(group.start_ms - _PAD_MS, min((before + group.start_ms) // 2, group.start_ms))
    return Group(group.segments, start, min(group.end_ms + _PAD_MS, max((group.end_ms + after) // 2, group.end_ms)))


def tokens_of(words: Sequence[Word], alphabet: Mapping[str, int]) -> list[Token]:
    """Return the letters of the words, in order, with a separator between two words with a space, if the alphabet has
    one."""
    tokens: list[Token] = []
    for number, word in enumerate(words):
        codes = [code for letter in _letters(word.text) if (code := _code(letter, alphabet)) is not None]
        if codes and tokens and not word.joined and SEPARATOR in alphabet:
            tokens.append(Token(alphabet[SEPARATOR], None))
        tokens += [Token(code, number) for code in codes]
    return tokens


def _letters(text: str) -> str:
    return unicodedata.normalize("NFC", text).lower()


def _code(letter: str, alphabet: Mapping[str, int]) -> int | None:
    """Return the number of a letter, `WILDCARD` for one that is not in the alphabet, None for a silent character."""
    if letter in alphabet and letter != SEPARATOR:
        return alphabet[letter]
    is_spoken = letter in _SPOKEN or unicodedata.category(letter)[0] in "LNS"
    return WILDCARD if is_spoken else None


def place_words(
    words: Sequence[Word], tokens: Sequence[Token], spans: Sequence[tuple[int, int]], start_ms: int, end_ms: int
) -> list[Word]:
    """Return the words with the times of their letters. `spans` are the times of the tokens in ms; `start_ms` and
    `end_ms` are the stretch that was aligned."""
    found: list[tuple[int, int] | None] = [None] * len(words)
    for token, (start, end) in zip(tokens, spans, strict=True):
        if token.word is not None:
            before = found[token.word]
            found[token.word] = (before[0], end) if before else (start, end)
    measured = [span is not None for span in found]
    times = interpolate(found, start_ms, end_ms)
    return [
        word.model_copy(update={"start_ms": start, "end_ms": end, "interpolated": not known})
        for word, (start, end), known in zip(words, times, measured, strict=True)
    ]


def interpolate(spans: Sequence[tuple[int, int] | None], start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return the spans, with the missing ones spread evenly between their neighbours. There must be one span at
    least."""
    filled: list[tuple[int, int]] = []
    for known, run in groupby(range(len(spans)), key=lambda index: spans[index] is not None):
        numbers = list(run)
        if known:
            filled += [span for number in numbers if (span := spans[number])]
            continue
        after = next((span[0] for span in spans[numbers[-1] + 1 :] if span), None)
        room = _UNPLACED_MS * len(numbers)
        low = filled[-1][1] if filled else max(start_ms, (after or 0) - room)
        high = after if after is not None else min(end_ms, low + room)
        high = max(low, high)
        edges = [low + (high - low) * step // len(numbers) for step in range(len(numbers) + 1)]
        filled += list(pairwise(edges))
    return filled
