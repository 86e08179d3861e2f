"""Tokens for a CTC aligner, and word times from its answer. Pure: no network, no audio.

The network knows letters, but not all of them. A digit, a spoken symbol or a letter of another script becomes a
wildcard, which matches any sound (as in WhisperX); an unspoken mark is left out. A word without any token left gets a
time between its neighbours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from shared.documents.transcript import Segment, Word

WILDCARD = -1
SEPARATOR = "|"  # how these networks write the end of a word
_SPOKEN = frozenset("%‰&@#§")  # punctuation by category, and read out
_LONGEST_MS = 30_000
_TOUCHING_MS = 300  # between two segments: the side on which the words lie is not known
_PAD_MS = 200
_UNPLACED_MS = 100  # for a word at the edge of what was found


class Token(NamedTuple):
    """A letter to find: its number in the network's alphabet, and its word; None for what stands between words."""

    code: int
    word: int | None


class Group(NamedTuple):
    """Segments to find together, and the stretch of audio that holds all of them."""

    segments: range
    start_ms: int
    end_ms: int


def groups_of(segments: Sequence[Segment], duration_ms: int) -> list[Group]:
    """Return segments that were heard in one window, and segments that touch, as far as `_LONGEST_MS` goes."""
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
    """Extend a stretch by a little of the pauses beside it; a window has its own."""
    group = groups[index]
    if segments[group.segments.start].window:
        return group
    before = groups[index - 1].end_ms if index else 0
    after = groups[index + 1].start_ms if index + 1 < len(groups) else duration_ms
    start = max(group.start_ms - _PAD_MS, min((before + group.start_ms) // 2, group.start_ms))
    return Group(group.segments, start, min(group.end_ms + _PAD_MS, max((group.end_ms + after) // 2, group.end_ms)))


def tokens_of(words: Sequence[Word], alphabet: Mapping[str, int]) -> list[Token]:
    """Return the letters of the words, in order; between two words with a space the separator, where the network has
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
    """Return the letter's number, `WILDCARD` for one that the network does not know, None for a silent character."""
    if letter in alphabet and letter != SEPARATOR:
        return alphabet[letter]
    is_spoken = letter in _SPOKEN or unicodedata.category(letter)[0] in "LNS"
    return WILDCARD if is_spoken else None


def place(
    words: Sequence[Word], tokens: Sequence[Token], spans: Sequence[tuple[int, int]], start_ms: int, end_ms: int
) -> list[Word]:
    """Return the words at the places of their letters. `spans` are the tokens' times in ms, `start_ms` and `end_ms` the
    stretch that was searched."""
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
    """Return the spans, with what is missing laid evenly between its neighbours. Expects one span at least."""
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
