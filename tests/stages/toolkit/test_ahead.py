"""The next value is made while the last one is used, in order, and one at most."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.toolkit.ahead import ahead


@given(st.lists(st.none() | st.integers()))
def test_the_values_are_the_same_in_the_same_order(values: list[int | None]) -> None:
    assert list(ahead(values)) == values


def test_the_next_value_is_made_while_the_last_one_is_used_and_no_more_than_that() -> None:
    made: list[int] = []
    second = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    coming = ahead(numbers())
    assert next(coming) == 0
    assert second.wait(60), "the second value is made without being asked for"
    assert next(coming) == 1
    assert len(made) <= 3
    assert list(coming) == [2, 3]


def test_an_exception_stands_where_its_value_would() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise RuntimeError("the card failed")

    coming = ahead(broken())
    assert next(coming) == 1
    with pytest.raises(RuntimeError, match="the card failed"):
        next(coming)


def test_who_stops_early_leaves_no_thread() -> None:
    before = threading.active_count()
    coming = ahead(range(10))
    next(coming)
    coming.close()  # type: ignore[attr-defined]  # a generator
    assert threading.active_count() == before
