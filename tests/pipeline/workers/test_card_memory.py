"""The memory of a card that may be booked: what is free, not what there is, and what workers really hold."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base import events
from pipeline.base.errors import OutOfMemory
from pipeline.base.hardware import Hardware
from pipeline.base.nvidia import Card, CardUse
from pipeline.store.worker_stats import Measurements
from pipeline.workers.capacity import Demand, FreeCapacity, Placement, clamp_to_largest_host
from pipeline.workers.card_memory import usable_mb
from pipeline.workers.dispatcher import Dispatcher, _Worker
from pipeline.workers.interfaces import WorkerHandle, WorkerKey
from pipeline.workers.local_host import LocalHost
from tests.fakes.nvidia import broken_tool, fake_card, fake_tool, uuid_of
from tests.pipeline.conftest import Bench

CARD = Card(name="made up", memory_mib=8192, uuid=uuid_of(0))
TOTAL_MB = 8192 * 2**20 / 1e6
MB = st.floats(0, TOTAL_MB)


@given(MB, st.dictionaries(st.integers(1, 9), st.floats(0, 2000), max_size=3))
def test_what_others_hold_is_never_booked_and_what_is_ours_always(free_mb: float, processes: dict[int, float]) -> None:
    use, own = CardUse(TOTAL_MB, free_mb, processes), {1, 2, 3}
    booked = usable_mb(CARD, use, own)
    ours = sum(mb for pid, mb in processes.items() if pid in own)
    assert 0 < booked <= TOTAL_MB * 0.95
    assert booked <= max(free_mb + ours, 1.0)
    assert usable_mb(CARD, use, {*own, *processes}) >= booked


def test_a_driver_that_tells_nothing_leaves_the_whole_card_less_a_reserve() -> None:
    assert usable_mb(CARD, None, ()) == pytest.approx(TOTAL_MB * 0.95)
    assert usable_mb(Card(name="unknown"), None, ()) < 4500, "one model at a time"


@pytest.fixture
def host(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalHost:
    """A machine with two cards, of which another program fills most of the first."""
    cards = [fake_card(mib=8192, free=2048), fake_card(mib=8192)]
    monkeypatch.setenv("PATH", fake_tool(tmp_path / "tool", cards), prepend=":")
    both = (CARD, CARD.model_copy(update={"uuid": uuid_of(1)}))
    machine = Hardware(system="Linux", machine="x86_64", cpus=2, memory_gib=8.0, cuda=both, mps=False, mlx=False)
    return LocalHost(replace(bench.project.installed, hardware=machine), bench.logs)


def test_a_run_books_what_is_free_at_its_start_and_takes_what_others_release(host: LocalHost, tmp_path: Path) -> None:
    full, empty = host.hosts[0].gpus
    assert full == pytest.approx(TOTAL_MB * 0.95 - 6144 * 2**20 / 1e6)
    assert empty == pytest.approx(TOTAL_MB * 0.95)
    cards = [fake_card(mib=8192, free=6144, busy="63"), fake_card(mib=8192, free=1024)]
    fake_tool(tmp_path / "tool", cards, processes=f"{uuid_of(0)}, 4711, 2048\n{uuid_of(1)}, 99, 7168")
    told: list[events.Event] = []
    assert asyncio.run(host.measure_cards([4711], told.append)) == {4711: pytest.approx(2048 * 2**20 / 1e6)}
    looks = [event for event in told if isinstance(event, events.CardMeasured)]
    assert [(look.card, look.name, look.busy) for look in looks] == [
        (uuid_of(0), "made up", 0.63),
        (uuid_of(1), "made up", None),
    ]
    assert [look.used_mb for look in looks] == [pytest.approx(mib * 2**20 / 1e6) for mib in (2048, 7168)]
    assert host.hosts[0].gpus[0] == pytest.approx(TOTAL_MB * 0.95)
    assert host.hosts[0].gpus[1] == empty, "a place that was promised stays"


def test_a_card_that_others_fill_whole_is_still_the_place_of_what_is_to_compute_there(
    bench: Bench, host: LocalHost
) -> None:
    full = replace(host.hosts[0], gpus=(usable_mb(CARD, CardUse(TOTAL_MB, 0.0, {}), ()),))
    demand = clamp_to_largest_host(Demand(cpus=1, gpu_mb=4000.0, gpus=1), [full])
    assert demand is not None
    assert FreeCapacity([full]).placement_for(demand, demand) == Placement("local", 0)


def test_where_the_driver_shows_no_process_ours_are_not_taken_for_those_of_others(
    host: LocalHost, tmp_path: Path
) -> None:
    before = host.hosts[0].gpus
    fake_tool(tmp_path / "tool", [fake_card(mib=8192, free=8000), fake_card(mib=8192)])
    assert asyncio.run(host.measure_cards([4711], lambda event: None)) == {}
    assert host.hosts[0].gpus == before


@pytest.mark.parametrize("own", [[], [4711]], ids=["no worker has started", "one works"])
def test_a_tool_that_fails_in_the_middle_of_a_run_leaves_what_is_booked(
    host: LocalHost, tmp_path: Path, own: list[int]
) -> None:
    before = host.hosts[0].gpus
    broken_tool(tmp_path / "tool", "#!/bin/sh\necho 'Unable to determine the device handle'\nexit 15\n")
    told: list[events.Event] = []
    assert asyncio.run(host.measure_cards(own, told.append)) == {}
    assert host.hosts[0].gpus == before
    assert told == []
    assert not asyncio.run(host.is_crowded(Placement("local", 0)))


def test_a_worker_is_given_its_card_by_uuid(host: LocalHost) -> None:
    key = WorkerKey("core", "asr", "x", (), (), "cuda", 1)
    made = host.make(key, Placement("local", 1), Demand(), "w1")
    assert made._launch.environment["CUDA_VISIBLE_DEVICES"] == uuid_of(1)


def test_a_worker_on_the_processor_sees_no_card(host: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    made = host.make(WorkerKey("core", "asr", "x", (), (), "cpu", 1), Placement("local"), Demand(), "w1")
    assert made._launch.environment["CUDA_VISIBLE_DEVICES"] == "-1"
    unknown = host.make(WorkerKey("core", "asr", "x", (), (), "cuda", 1), Placement("local"), Demand(), "w2")
    assert unknown._launch.environment["CUDA_VISIBLE_DEVICES"] == "0", "a card that the user names is tried"


class _Idle:
    """A worker that ends when it is told."""

    usable, pid, ended = True, None, False

    async def stop(self) -> None:
        self.ended = True

    def resource_use(self) -> None:
        """Tell nothing."""


def test_only_workers_on_the_card_that_was_full_make_room(bench: Bench, host: LocalHost, tmp_path: Path) -> None:
    dispatcher = Dispatcher(host, bench.project.settings, Measurements(tmp_path), lambda event: None)
    step = replace(bench.step("well"), models={"model": "made up"})
    pool = dispatcher._pools.pool_of(step, {})
    places = {
        "first card": Placement("local", 0),
        "second card": Placement("local", 1),
        "processor": Placement("local"),
    }
    idle = {name: _Idle() for name in places}
    for name, place in places.items():
        dispatcher._workers[name] = _Worker(name, pool.name, cast(WorkerHandle, idle[name]), place, state="idle")
    error = OutOfMemory("stage.out-of-memory", "CUDA out of memory")
    error.host, error.gpu = "local", 0
    assert asyncio.run(dispatcher.make_room(error))
    assert [name for name, worker in idle.items() if worker.ended] == ["first card"]
    assert not asyncio.run(dispatcher.make_room(error)), "nothing is left that could make room there"
