"""Keeps the newest events for those who follow them, and tells a follower where it missed some."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

KEPT = 1000
PING_S = 15.0
"""A proxy ends a connection that is silent for long."""


@dataclass(frozen=True)
class LoggedEvent:
    """Event with its id, `start.number`: `start` names this start of the server, and numbers count from 1."""

    id: str
    kind: str
    data: dict[str, Any]

    def as_sse(self) -> str:
        """Return the event in the form of server-sent events."""
        return f"id: {self.id}\nevent: {self.kind}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n"


class EventLog:
    """The newest `kept` events of this start of the server. All methods belong to one event loop."""

    def __init__(self, kept: int = KEPT) -> None:
        self._start = secrets.token_hex(4)
        self._events: deque[LoggedEvent] = deque(maxlen=kept)
        self._number = 0  # of the newest
        self._followers: set[asyncio.Event] = set()

    @property
    def newest_id(self) -> str:
        """Return the id of the newest event, for a follower that begins here."""
        return f"{self._start}.{self._number}"

    def add(self, kind: str, data: dict[str, Any]) -> None:
        """Add an event, and wake all followers."""
        self._number += 1
        self._events.append(LoggedEvent(f"{self._start}.{self._number}", kind, data))
        for follower in self._followers:
            follower.set()

    async def follow(self, last_id: str | None = None, ping_s: float = PING_S) -> AsyncIterator[LoggedEvent | None]:
        """Yield the events after `last_id`, or those from now on, for ever; None where nothing came for `ping_s`.

        Where events after `last_id` are not kept any more, an event `reset` comes first.
        """
        seen, missed = self._number, False
        if last_id:
            start, _, number = last_id.partition(".")
            is_ours = start == self._start and number.isascii() and number.isdigit() and int(number) <= self._number
            seen = int(number) if is_ours else self._oldest - 1
            missed = not is_ours
        woken = asyncio.Event()
        self._followers.add(woken)
        try:
            while True:
                if missed or seen < self._oldest - 1:
                    seen, missed = max(seen, self._oldest - 1), False
                    yield LoggedEvent(f"{self._start}.{seen}", "reset", {})
                while seen < self._number and seen >= self._oldest - 1:
                    event = self._events[seen - self._oldest + 1]
                    seen += 1
                    yield event
                woken.clear()
                if seen < self._number:
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ping_s):
                        await woken.wait()
                if not woken.is_set():
                    yield None
        finally:
            self._followers.discard(woken)

    @property
    def _oldest(self) -> int:
        return self._number - len(self._events) + 1
