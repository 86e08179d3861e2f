"""A worker's log keeps to a size limit, and still holds the text that errors point to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import StageRaised
from pipeline.store.history import Runs
from pipeline.store.results import ResultStore, StoredResult
from pipeline.workers.worker_log import CAP_BYTES, shorten
from tests.pipeline.conftest import Bench

CAP = 10_000
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 7\nLookupError: gone\n'


def left_out(content: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"\[reel left out (\d+) bytes here[^\n]*\]", content)]


def lines(first: int, count: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(first, first + count))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def test_a_log_below_the_cap_stays_as_it_is(log: Path) -> None:
    log.write_bytes(lines(0, 100))
    assert not shorten(log, cap=CAP)
    assert log.read_bytes() == lines(0, 100)
    assert not shorten(log.with_name("none.log"), cap=CAP)


def test_the_beginning_and_the_end_stay_and_the_middle_is_counted(log: Path) -> None:
    written = lines(0, 5_000)
    log.write_bytes(written)
    assert shorten(log, cap=CAP)
    content = log.read_bytes()
    before, _, after = content.partition(b"[reel left out")
    after = after.partition(b"\n")[2]
    assert written.startswith(before)
    assert written.endswith(after)
    assert len(before) > CAP / 20
    assert len(after) > CAP / 3
    assert left_out(content) == [len(written) - len(before) - len(after)]


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=8), st.booleans())
def test_a_log_that_is_shortened_often_keeps_to_its_cap_and_counts_all_removed_bytes(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int], without_line_ends: bool
) -> None:
    log, written = tmp_path_factory.mktemp("log") / "worker.log", b""
    for count in parts:
        part = lines(len(written), count)
        part = part.replace(b"\n", b" ") if without_line_ends else part
        written += part
        with open(log, "ab") as stream:
            stream.write(part)
        shorten(log, cap=CAP)
        assert log.stat().st_size <= CAP
    content = log.read_bytes()
    gone = left_out(content)
    assert len(gone) == (len(written) > CAP)
    mark = re.search(rb"\n?\[reel left out [^\n]*\]\n", content)
    kept = content if mark is None else content.replace(mark[0], b"" if without_line_ends else mark[0][:-1] and b"")
    assert written.startswith(content[: mark.start() if mark else None])
    assert written.endswith(content[mark.end() if mark else 0 :])
    assert abs(len(kept) + sum(gone) - len(written)) <= len(b"\n") * len(parts)


def test_text_that_an_error_points_to_stays_wherever_it_stood(log: Path) -> None:
    log.write_bytes(lines(0, 2_000) + TRACEBACK.encode() + lines(2_000, 2_000))
    for _ in range(3):
        shorten(log, (TRACEBACK, "Traceback: at the end\n"), cap=CAP)
        assert log.read_bytes().count(TRACEBACK.encode()) == 1
        with open(log, "ab") as stream:
            stream.write(lines(0, 2_000))
    log.write_bytes(lines(0, 2_000) + TRACEBACK.encode())
    shorten(log, (TRACEBACK,), cap=CAP)
    assert log.read_bytes().count(TRACEBACK.encode()) == 1  # it stands at the end, and is not said twice


def test_a_worker_that_floods_its_log_leaves_a_short_log_and_goes_on(bench: Bench) -> None:
    flooded, failed, after = bench.run(bench.step("flood", 15), bench.step("flood", 15, path="x"), bench.step("well"))
    assert isinstance(flooded, StoredResult)
    assert isinstance(after, StoredResult)
    assert isinstance(failed, StageRaised)
    assert failed.log is not None
    content = failed.log.read_bytes()
    assert len(content) <= CAP_BYTES
    assert content.startswith(b"loaded\n")
    assert b"LookupError: the last straw" in content
    assert sum(left_out(content)) > 15_000_000


def test_the_logs_of_all_runs_together_keep_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.history._KEPT_LOG_BYTES", 3_000)
    names = [f"20260101-00000{number}-abcd" for number in range(6)]
    logs = {name: tmp_path / "runs" / name / "worker.log" for name in names}

    def write(name: str, size: int) -> None:
        logs[name].parent.mkdir(parents=True, exist_ok=True)
        logs[name].write_bytes(b"x" * size)

    for name in names:
        write(name, 9_000 if name == names[5] else 1_000)
    runs = Runs(ResultStore(tmp_path), tmp_path / "runs")
    runs.sweep_logs()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == names[5:]  # the newest, large as it is
    for name in names:
        write(name, 1_000)
    runs.sweep_logs()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == names[3:]
