"""Tokens and stretches are found by time as a look at all of them finds them, in any order and after any change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import Region
from stages.correct.interval_index import IntervalIndex
from stages.correct.timeline import Timeline
from stages.correct.tokens import Token

TIMES = st.integers(0, 60)
TOKENS = st.lists(
    st.builds(lambda start_ms, length: Token("x", start_ms, start_ms + length), TIMES, TIMES), max_size=12
)
CHANGES = st.lists(st.tuples(TIMES, TIMES, TOKENS), max_size=6)


@given(TOKENS, CHANGES, TIMES, TIMES)
def test_tokens_are_found_by_time_after_any_change(
    tokens: list[Token], changes: list[tuple[int, int, list[Token]]], start_ms: int, end_ms: int
) -> None:
    timeline, expected = Timeline(tokens), list(tokens)
    for first, count, made in changes:
        first = min(first, len(expected))
        last = min(first + count, len(expected))
        timeline.replace(first, last, made)
        expected[first:last] = made
        assert timeline.tokens == expected
        assert timeline.inside(start_ms, end_ms) == [
            place for place, token in enumerate(expected) if start_ms <= token.middle_ms < end_ms
        ]
        late = [place for place, token in enumerate(expected) if token.start_ms >= start_ms]
        assert timeline.first_from(start_ms) == (late[0] if late else len(expected))


@given(TOKENS, TIMES, TIMES)
def test_overlapping_stretches_are_found(tokens: list[Token], start_ms: int, length: int) -> None:
    wanted = Region(start_ms=start_ms, end_ms=start_ms + length)
    found = IntervalIndex(tokens).overlapping(wanted)
    expected = [token for token in tokens if token.start_ms < wanted.end_ms and token.end_ms > start_ms]
    assert sorted(map(_times, found)) == sorted(map(_times, expected))


def _times(token: Token) -> tuple[int, int]:
    return token.start_ms, token.end_ms
