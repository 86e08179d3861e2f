"""Compute the next value while the last one is used, so that a card does not wait for the processor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Value = TypeVar("Value")


def ahead(values: Iterable[Value]) -> Iterator[Value]:
    """Yield the values in order, while a thread computes the next one, and no more than that one.

    An exception of `values` is raised in place of its value.
    """
    iterator, end = iter(values), object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, iterator, end)
        while (value := coming.result()) is not end:
            coming = thread.submit(next, iterator, end)
            yield value  # type: ignore[misc]  # it is not `end`
