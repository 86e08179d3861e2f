"""The memory booked for a measured worker: at least as much as it used, and not much more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.worker_stats import Measurements, PoolMeasurements

MEMORY_MB = st.floats(1, 1e6)


@given(st.lists(st.tuples(MEMORY_MB, st.none() | MEMORY_MB), min_size=1, max_size=6))
def test_a_worker_is_booked_with_its_peak_memory_and_a_little_more(jobs: list[tuple[float, float | None]]) -> None:
    measurements = Measurements(Path("/nowhere"))
    for memory_mb, gpu_mb in jobs:
        measurements.record_job("asr", 1.0, memory_mb, gpu_mb)
    measured = measurements.of("asr")
    most = max(memory_mb for memory_mb, _ in jobs)
    assert measured.memory_mb is not None
    assert most < measured.memory_mb <= most * 1.25
    on_card = [gpu_mb for _, gpu_mb in jobs if gpu_mb is not None]
    if not on_card:
        assert measured.gpu_mb is None
        return
    assert measured.gpu_mb is not None
    assert max(on_card) < measured.gpu_mb <= max(on_card) * 1.25


def test_amounts_that_the_system_does_not_report_stay_unknown() -> None:
    measurements = Measurements(Path("/nowhere"))
    measurements.record_job("asr", 4.0, None, None)
    assert measurements.of("asr") == PoolMeasurements(job_s=4.0)


@given(st.floats(0.1, 1e4), st.floats(0.1, 1e4))
def test_the_time_of_a_job_follows_the_newest_without_forgetting_the_others(first_s: float, then_s: float) -> None:
    measurements = Measurements(Path("/nowhere"))
    measurements.record_job("asr", first_s, None, None)
    for _ in range(20):
        before = measurements.of("asr").job_s
        measurements.record_job("asr", then_s, None, None)
        after = measurements.of("asr").job_s
        assert before is not None
        assert after is not None
        least, most = sorted((before, then_s))
        assert least * (1 - 1e-9) <= after <= most * (1 + 1e-9)
    assert after == pytest.approx(then_s, abs=abs(first_s - then_s) * 0.01 + 1e-6)


def test_the_next_run_knows_the_measurements_of_this_one(tmp_path: Path) -> None:
    measurements = Measurements(tmp_path)
    measurements.record_load("asr", 2.0)
    measurements.record_job("asr", 4.0, 100.0, None)
    measurements.save()
    assert Measurements(tmp_path).of("asr") == measurements.of("asr")
    assert Measurements(tmp_path / "elsewhere").of("asr") == PoolMeasurements()
