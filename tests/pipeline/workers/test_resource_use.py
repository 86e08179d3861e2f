"""Claims about what other processes hold and use. The same library asks every system."""

from __future__ import annotations

import subprocess
import sys

from pipeline.workers.resource_use import resident_and_cpu, resident_mb

_HOLD = "held = bytearray(60_000_000); print('ready', flush=True); input()"


def test_the_memory_of_a_process_is_measured_until_it_ends() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    held = resident_mb(process.pid)
    both = resident_and_cpu(process.pid)
    process.communicate("\n")

    assert held is not None
    assert 60 <= held < 600
    assert both is not None
    assert both[0] >= 60
    assert both[1] >= 0
    assert resident_mb(process.pid) is None
    assert resident_and_cpu(process.pid) is None
