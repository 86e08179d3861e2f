"""Make the next value while the last one is used, for a card that would wait for the processor otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Value = TypeVar("Value")


def ahead(values: Iterable[Value]) -> Iterator[Value]:
    """Yield the values in their order. A thread makes the next one meanwhile, and never more than that one.

    An exception of `values` is raised where its value would be.
    """
    iterator, end = iter(values), object()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, iterator, end)
        while (value := coming.result()) is not end:
            coming = thread.submit(next, iterator, end)
            yield value  # type: ignore[misc]  # it is not `end`
