"""Measure the memory and processor time of other processes, as the system reports them."""

from __future__ import annotations

import psutil


def resident_mb(pid: int) -> float | None:
    """Return the resident memory of a process in 10^6 bytes; None if it has ended or belongs to another user."""
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return None


def resident_and_cpu(pid: int) -> tuple[float, float] | None:
    """Return the resident memory of a process in 10^6 bytes and the processor time that it has taken in seconds; None
    if it has ended or belongs to another user."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return float(process.memory_info().rss) / 1e6, times.user + times.system
    except psutil.Error:
        return None
