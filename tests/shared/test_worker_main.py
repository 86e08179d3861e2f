"""An idle worker gives back the card's memory that its torch keeps in reserve."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from shared import protocol, worker_main
from shared.process_memory import gpu_mb, release_card_memory


class _Cuda:
    """torch's interface to a card, as far as a worker asks it."""

    def __init__(self, *, is_used: bool = True) -> None:
        self.is_used, self.released = is_used, threading.Event()
        self.times = 0

    def is_initialized(self) -> bool:
        return self.is_used

    def max_memory_reserved(self) -> int:
        return 3_000_000_000

    def empty_cache(self) -> None:
        self.times += 1
        self.released.set()


def _use(monkeypatch: pytest.MonkeyPatch, cuda: _Cuda) -> _Cuda:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return cuda


def test_a_worker_without_work_releases_the_cards_memory_once_and_takes_the_next_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cuda = _use(monkeypatch, _Cuda())
    monkeypatch.setattr(worker_main, "_IDLE_S", 0.01)
    jobs = [protocol.Run(id=number, stage="", backend="", inputs={}, params={}, out_dir="") for number in (1, 2)]

    released: list[bool] = []

    def requests() -> Iterator[protocol.Request]:
        yield jobs[0]
        released.append(cuda.released.wait(60))
        yield jobs[1]
        yield protocol.Stop()

    assert list(worker_main._listen(requests(), set())) == jobs
    assert released == [True]


def test_jobs_that_follow_each_other_keep_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = _use(monkeypatch, _Cuda())
    monkeypatch.setattr(worker_main, "_IDLE_S", 600.0)
    job = protocol.Run(id=1, stage="", backend="", inputs={}, params={}, out_dir="")
    assert list(worker_main._listen(iter([job, job, protocol.Stop()]), set())) == [job, job]
    assert cuda.times == 0


def test_a_torch_that_uses_no_card_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = _use(monkeypatch, _Cuda(is_used=False))
    release_card_memory()
    assert (cuda.times, gpu_mb()) == (0, None)
    cuda.is_used = True
    release_card_memory()
    assert (cuda.times, gpu_mb()) == (1, 3000.0)
    monkeypatch.delitem(sys.modules, "torch")
    release_card_memory()
    assert gpu_mb() is None
