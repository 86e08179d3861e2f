"""One large file over several connections: when, how many, and that no byte is lost or fetched twice."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import Missing
from pipeline.base.events import Event, Notice
from pipeline.base.secret_file import Token
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch import parallel
from pipeline.model_cache.fetch.pieces import drop_pieces, fetched_bytes, gaps, piece_at, pieces_of, ready
from pipeline.model_cache.fetch.width import Width
from pipeline.model_cache.manifest import HubSource, LockedFile, LockedModel, Model, lock_text
from tests.conftest import ROOT, examples
from tests.fakes.fetch_one import WIDE
from tests.fakes.hub import Fault, Hub, serve
from tests.fakes.verified import wrong_files

REVISION = "0123456789abcdef0123456789abcdef01234567"
CONTENT = random.Random(4).randbytes(5_500_000)
SECRET = "hf_" + "s3cr3t" * 4
SLOW = 5_000_000  # bytes a second of each connection: the single one does not come to its end before it is measured
LOCKED = LockedModel(
    repo="org/tiny",
    revision=REVISION,
    files={"model.bin": LockedFile(size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())},
)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve({f"org/tiny/resolve/{REVISION}/model.bin": CONTENT}) as hub:
        hub.users = {SECRET: "alice"}
        hub.faults = [Fault(match="model.bin", bytes_per_s=SLOW, times=999)]
        yield hub


def a_cache(folder: Path, hub: Hub, *, gated: bool = False) -> ModelCache:
    model = Model(
        summary="tiny", licence="MIT", commercial_use=True, gated=gated, sources=(HubSource(kind="hub"),)
    )  # fmt: skip
    token = Token(SECRET, "a test") if gated else None
    return ModelCache(folder, {"tiny": model}, {"tiny": LOCKED}, hub.address, lambda: token, WIDE)


def fetched(cache: ModelCache) -> str:
    """Fetch, check, and return the notices."""
    events: list[Event] = []
    cache.fetch("tiny", events.append)
    assert wrong_files(cache, "tiny") == []
    blobs = cache.snapshot("tiny").parent.parent / "blobs"
    assert [path.name for path in blobs.iterdir()] == [LOCKED.files["model.bin"].sha256], "no piece is left over"
    return "\n".join(event.text for event in events if isinstance(event, Notice))


def ranges_of(hub: Hub) -> list[tuple[int, int]]:
    """Return the ranges with an end that were asked for, in order of their place."""
    asked = [str(wanted).removeprefix("bytes=").split("-") for _, wanted in hub.requests if wanted]
    return sorted((int(start), int(end) + 1) for start, end in asked if end)


def test_a_large_file_comes_in_ranges_that_do_not_overlap(hub: Hub, tmp_path: Path) -> None:
    assert fetched(a_cache(tmp_path, hub)) == ""
    asked = ranges_of(hub)
    assert len(asked) > 2
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(asked))
    assert asked[-1][1] == len(CONTENT)
    assert len(hub.requests) == len(asked) + 1, "one connection brought the beginning"


def test_a_server_without_ranges_is_asked_over_one_connection(hub: Hub, tmp_path: Path) -> None:
    hub.honours_ranges = False
    fetched(a_cache(tmp_path, hub))
    assert len(hub.requests) == 1


def test_ranges_are_asked_for_where_the_hub_has_led_and_the_token_is_not_shown_there(hub: Hub, tmp_path: Path) -> None:
    hub.redirects, hub.gated = True, {"org/tiny": {"alice"}}
    fetched(a_cache(tmp_path, hub, gated=True))
    assert ranges_of(hub)
    assert len(hub.authorised) == 1, "the hub itself was asked once"
    assert {origin for origin, _ in hub.authorised} == {hub.address}


def test_ranges_of_the_hub_itself_are_asked_for_with_the_token(hub: Hub, tmp_path: Path) -> None:
    hub.gated = {"org/tiny": {"alice"}}
    fetched(a_cache(tmp_path, hub, gated=True))
    assert len(hub.authorised) == len(hub.requests) == len(ranges_of(hub)) + 1


@pytest.mark.parametrize("status", [429, 403, 503])
@pytest.mark.parametrize("times", [2, 999])
def test_a_server_that_refuses_connections_gets_fewer_and_the_file_comes(
    hub: Hub, tmp_path: Path, status: int, times: int
) -> None:
    hub.faults.insert(0, Fault(status=status, times=times, of_ranges=True, headers={"Retry-After": "0"}))
    told = fetched(a_cache(tmp_path, hub))
    assert f"the server answered {status}; continuing with one connection" in told


def test_ranges_that_are_cut_go_on_where_they_ended(hub: Hub, tmp_path: Path) -> None:
    hub.faults.insert(0, Fault(cut_after=300_000, times=3, of_ranges=True))
    assert "ended before byte" in fetched(a_cache(tmp_path, hub))
    asked = [start for start, _ in ranges_of(hub)]
    assert len(asked) == len(set(asked)), "no range is begun twice"


def test_a_hub_that_wants_to_be_left_alone_for_long_is_not_stormed(hub: Hub, tmp_path: Path) -> None:
    hub.faults.insert(0, Fault(status=429, times=999, of_ranges=True, headers={"Retry-After": "9000"}))
    fetched(a_cache(tmp_path, hub))
    assert len(ranges_of(hub)) <= 2 * 3, "two connections are tried three times"


def test_pieces_with_wrong_bytes_are_noticed_and_everything_comes_again(hub: Hub, tmp_path: Path) -> None:
    cache = a_cache(tmp_path, hub)
    blobs = cache.snapshot("tiny").parent.parent / "blobs"
    blobs.mkdir(parents=True)
    piece_at(blobs / f"{LOCKED.files['model.bin'].sha256}.part", 2_000_000).write_bytes(b"zeros of a power cut")
    assert "starting over" in fetched(cache)


def test_what_lies_in_pieces_is_not_asked_for_again_and_counts_as_there(hub: Hub, tmp_path: Path) -> None:
    cache = a_cache(tmp_path, hub)
    cache.policy = WIDE.__class__(connections=1)
    blobs = cache.snapshot("tiny").parent.parent / "blobs"
    blobs.mkdir(parents=True)
    partial = blobs / f"{LOCKED.files['model.bin'].sha256}.part"
    partial.write_bytes(CONTENT[:1_000_000])
    piece_at(partial, 1_000_000).write_bytes(CONTENT[1_000_000:3_000_000])
    piece_at(partial, 3_400_000).write_bytes(CONTENT[3_400_000:])
    assert cache.missing_bytes(["tiny"]) == 400_000
    fetched(cache)
    assert [wanted for _, wanted in hub.requests] == ["bytes=3000000-"]


@pytest.mark.slow
def test_a_fetch_in_ranges_killed_ten_times_ends_right_and_loses_little(hub: Hub, tmp_path: Path) -> None:
    chance = random.Random(21)
    hub.chunk_bytes = 1 << 14
    hub.faults = [Fault(match="model.bin", bytes_per_s=1 << 20, times=999)]
    lock, kills = tmp_path / "lock.json", 0
    lock.write_text(lock_text({"tiny": LOCKED}), encoding="utf-8")

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "tests.fakes.fetch_one", str(tmp_path / "c"), hub.address, str(lock)]
        return subprocess.Popen(
            [*command, "wide"], env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    while kills < 10:
        with start() as process:
            aim, deadline = hub.bytes_sent + chance.randrange(200_000, 500_000), time.monotonic() + 20
            while hub.bytes_sent < aim and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            assert process.poll() is None, process.communicate()[0]
            process.kill()
        kills += 1
    with start() as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert wrong_files(a_cache(tmp_path / "c", hub), "tiny") == []
    assert ranges_of(hub)
    assert hub.bytes_sent - len(CONTENT) <= kills * (1 << 20)


def test_a_disk_that_refuses_a_piece_ends_the_fetch_by_name(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "piece_at", lambda partial, start: partial / "below-a-file")
    with pytest.raises(Missing) as caught:
        a_cache(tmp_path, hub).fetch("tiny", lambda event: None)
    assert caught.value.code == "model.unwritable"


@given(
    line=st.floats(1, 64), each=st.floats(1, 64), most=st.sampled_from([1, 2, 4, 8]), worth=st.floats(1.01, 1.9)
)  # fmt: skip
def test_connections_are_added_while_they_pay_and_never_more_than_allowed(
    line: float, each: float, most: int, worth: float
) -> None:
    def rate(count: int) -> float:
        return min(line, count * each)

    width = Width(rate(1), most, worth)
    for _ in range(5):
        width.measured(rate(width.count))
    assert width.settled
    assert 1 <= width.count <= most
    assert width.count == 1 or rate(width.count) >= worth * rate(width.count // 2), "the last doubling paid"
    if width.count * 2 <= most:
        assert rate(width.count * 2) < worth * rate(width.count), "another would not have"


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_refusals_only_take_connections_away(refused: list[bool]) -> None:
    width = Width(1.0, 8, 1.2)
    for told in refused:
        before = width.count
        if told:
            width.refused()
            assert width.count == max(1, before // 2)
        else:
            width.measured(width.count * 1.0)
        assert width.count <= 8
    width.refused(for_long=True)
    assert width.count == 1


@examples(0.6)
@given(data=st.data(), size=st.integers(1, 4000), reached=st.integers(0, 4000))
def test_beginning_pieces_and_gaps_are_together_every_byte_once(data: st.DataObject, size: int, reached: int) -> None:
    content, reached = random.Random(size).randbytes(size), min(reached, size)
    with tempfile.TemporaryDirectory() as folder:
        partial = Path(folder) / ("f" * 64 + ".part")
        partial.write_bytes(content[:reached])
        assert gaps(partial, reached, size) == ([(reached, size)] if reached < size else [])
        for _ in range(data.draw(st.integers(1, 4))):  # processes, each of which is killed at some byte
            for start, end in gaps(partial, reached, size):
                there = data.draw(st.integers(start, end))
                piece_at(partial, start).write_bytes(content[start:there])
            before = fetched_bytes(partial)
            got = b"".join(ready(partial, reached))
            with open(partial, "ab") as target:
                target.write(got)
            reached += len(got)
            assert partial.read_bytes() == content[:reached]
            assert (
                fetched_bytes(partial)
                == before
                == size - sum(end - start for start, end in gaps(partial, reached, size))
            )
        drop_pieces(partial)
        assert pieces_of(partial) == {}
