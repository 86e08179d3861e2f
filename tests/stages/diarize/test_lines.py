"""Lines of a recording, from made-up spectra: what counts is how a piece is coloured, not how loud it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages.diarize.lines import LEAST_LINE_MS, lines_of
from tests.conftest import examples

BANDS = 40
Floats = NDArray[np.float32]
STUDIO: Floats = np.linspace(1.5, -1.5, BANDS, dtype=np.float32)
TELEPHONE: Floats = np.where(np.arange(BANDS) % 30 < 5, STUDIO - 3, STUDIO + 0.5).astype(np.float32)


def pieces(lines: list[Floats], seed: int) -> Floats:
    """Return a spectrum for each piece: its line's, with sounds of its own and any level."""
    random = np.random.default_rng(seed)
    sounds = random.normal(scale=0.2, size=(len(lines), BANDS)) + random.normal(scale=2, size=(len(lines), 1))
    spectra: Floats = (np.stack(lines) + sounds).astype(np.float32)
    return spectra


def lengths(count: int) -> NDArray[np.int64]:
    return np.full(count, 4_000, dtype=np.int64)


@examples(0.4)
@given(st.lists(st.booleans(), min_size=2, max_size=40), st.integers(0, 99))
def test_a_telephone_is_a_line_of_its_own_wherever_it_is_heard(calls: list[bool], seed: int) -> None:
    calls = [*calls, *[True, False] * 3]
    found = lines_of(pieces([TELEPHONE if call else STUDIO for call in calls], seed), lengths(len(calls)))
    assert found.tolist() == [int(call != calls[0]) for call in calls]


@examples(0.4)
@given(st.integers(1, 60), st.integers(0, 99))
def test_one_microphone_is_one_line(count: int, seed: int) -> None:
    assert not lines_of(pieces([STUDIO] * count, seed), lengths(count)).any()


def test_a_few_seconds_are_no_line() -> None:
    short = np.array([4_000] * 6 + [LEAST_LINE_MS - 1], dtype=np.int64)
    assert not lines_of(pieces([STUDIO] * 6 + [TELEPHONE], 1), short).any()
    assert lines_of(pieces([STUDIO] * 6 + [TELEPHONE], 1), short + 1).tolist() == [0] * 6 + [1]
