"""A follower that comes back gets every event once, or is told that some are gone."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pipeline.web.event_log import EventLog, LoggedEvent


async def _take(log: EventLog, last_id: str | None, count: int) -> list[LoggedEvent]:
    found: list[LoggedEvent] = []
    async for event in log.follow(last_id, ping_s=0.01):
        if event is None:
            break
        found.append(event)
        if len(found) == count:
            break
    return found


@given(total=st.integers(0, 30), seen=st.integers(0, 30), kept=st.integers(1, 12))
def test_a_follower_gets_all_that_is_kept_after_its_last_event_and_a_reset_where_some_are_gone(
    total: int, seen: int, kept: int
) -> None:
    async def check() -> None:
        log = EventLog(kept)
        ids = []
        for number in range(1, total + 1):
            log.add("Test", {"number": number})
        everything = await _take(log, "another.1", 99)
        ids = [event.id for event in everything if event.kind != "reset"]
        assert everything[0].kind == "reset"
        assert [event.data["number"] for event in everything[1:]] == list(range(max(total - kept, 0) + 1, total + 1))
        start = everything[0].id.partition(".")[0]
        got = await _take(log, f"{start}.{seen}", 99)
        numbers = [event.data.get("number") for event in got]
        if seen > total:
            assert got[0].kind == "reset", "an event that never was"
        elif seen < total - kept:
            assert numbers == [None, *range(total - kept + 1, total + 1)]
        else:
            assert numbers == list(range(seen + 1, total + 1))
        assert len(ids) == len(set(ids))

    asyncio.run(check())


def test_a_follower_sees_what_comes_while_it_waits_and_nothing_of_before() -> None:
    async def check() -> None:
        log = EventLog()
        log.add("Old", {})
        taking = asyncio.create_task(_take_first(log))
        await asyncio.sleep(0)
        log.add("New", {})
        assert (await taking).kind == "New"

    async def _take_first(log: EventLog) -> LoggedEvent:
        async for event in log.follow():
            if event:
                return event
        raise AssertionError

    asyncio.run(check())
