"""What is booked for a worker that was seen before: at least what it took, and not much more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.worker_stats import Observed, Seen

MEMORY_MB = st.floats(1, 1e6)


@given(st.lists(st.tuples(MEMORY_MB, st.none() | MEMORY_MB), min_size=1, max_size=6))
def test_a_worker_is_booked_with_all_that_it_took_and_a_little_more(jobs: list[tuple[float, float | None]]) -> None:
    observed = Observed(Path("/nowhere"))
    for memory_mb, gpu_mb in jobs:
        observed.ran("asr", 1.0, memory_mb, gpu_mb)
    seen = observed.of("asr")
    most = max(memory_mb for memory_mb, _ in jobs)
    assert seen.memory_mb is not None
    assert most < seen.memory_mb <= most * 1.25
    on_card = [gpu_mb for _, gpu_mb in jobs if gpu_mb is not None]
    if not on_card:
        assert seen.gpu_mb is None
        return
    assert seen.gpu_mb is not None
    assert max(on_card) < seen.gpu_mb <= max(on_card) * 1.25


def test_what_the_system_does_not_tell_stays_unknown() -> None:
    observed = Observed(Path("/nowhere"))
    observed.ran("asr", 4.0, None, None)
    assert observed.of("asr") == Seen(job_s=4.0)


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_the_time_of_a_job_follows_the_newest_without_forgetting_the_others(first_s: float, then_s: float) -> None:
    observed = Observed(Path("/nowhere"))
    observed.ran("asr", first_s, None, None)
    for _ in range(20):
        before = observed.of("asr").job_s
        observed.ran("asr", then_s, None, None)
        after = observed.of("asr").job_s
        assert before is not None
        assert after is not None
        least, most = sorted((before, then_s))
        assert least * (1 - 1e-9) <= after <= most * (1 + 1e-9)
    assert after == pytest.approx(then_s, abs=abs(first_s - then_s) * 0.01 + 1e-6)


def test_the_next_run_knows_what_this_one_saw(tmp_path: Path) -> None:
    observed = Observed(tmp_path)
    observed.loaded("asr", 2.0)
    observed.ran("asr", 4.0, 100.0, None)
    observed.save()
    assert Observed(tmp_path).of("asr") == observed.of("asr")
    assert Observed(tmp_path / "elsewhere").of("asr") == Seen()
