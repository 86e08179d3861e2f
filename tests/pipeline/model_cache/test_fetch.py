"""Fetch from a hub that is busy, slow, failing or gone; and what of it survives a killed process."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.base.errors import Missing
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.http_client import wait_of
from pipeline.model_cache.fetch_many import fetch_all, require
from pipeline.model_cache.manifest import (
    HubSource,
    LocalFolderSource,
    LockedModel,
    UnknownFile,
    UrlSource,
    lock_text,
)
from tests.conftest import ROOT
from tests.fakes.hub import Fault, Hub
from tests.fakes.tiny_models import (
    BYTES,
    FILES,
    REVISION,
    SECRET,
    a_cache,
    a_model,
    fetched,
    locked_model,
    notices,
    refused,
    tiny_hub,
)
from tests.fakes.verified import wrong_files


@pytest.fixture
def hub() -> Iterator[Hub]:
    with tiny_hub() as hub:
        yield hub


@pytest.mark.slow
def test_a_busy_hub_is_left_alone_for_as_long_as_it_asks_and_that_is_said(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(status=429, headers={"Retry-After": "1"}, times=2))
    started = time.monotonic()
    events = fetched(a_cache(tmp_path, hub))
    assert time.monotonic() - started >= 2
    assert notices(events).count("the server answered 429; waiting 1 s, as it asks, then continuing") == 2


def test_who_is_asked_to_wait_too_long_is_told_so_at_once(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(status=429, headers={"RateLimit": '"api";r=0;t=3000'}, times=9))
    error = refused(a_cache(tmp_path, hub))
    assert error.code == "hub.busy"
    assert len(hub.requests) == 1


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ratelimit": '"api";r=0;t=7', "retry-after": "99"}, 8),
        ({"retry-after": "12"}, 12),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_every_way_to_ask_for_patience_is_understood(headers: dict[str, str], expected: float | None) -> None:
    assert wait_of(headers) == expected


def test_a_failing_server_is_tried_again_and_then_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(status=502, times=2))
    assert "the server answered 502" in notices(fetched(a_cache(tmp_path / "a", hub)))
    hub.faults.append(Fault(status=503, times=99))
    assert refused(a_cache(tmp_path / "b", hub)).code == "hub.down"


def test_a_transfer_that_is_cut_and_moves_goes_on_and_fetches_no_byte_twice(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(match="model.bin", cut_after=100_000, times=8))
    events = fetched(a_cache(tmp_path, hub))
    assert notices(events).count("ended after") == 8
    assert hub.bytes_sent == BYTES


def test_a_trickle_is_reported_and_asked_for_anew_from_the_byte_reached(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(match="model.bin", bytes_per_s=4000, times=1))
    events = fetched(a_cache(tmp_path, hub))
    assert "model.bin has stalled: " in notices(events)
    assert hub.requests[-1][1] not in (None, "bytes=0-")
    assert hub.bytes_sent - BYTES < 4000, "what was under way when the connection was closed, and no more"


def test_a_trickle_that_does_not_end_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.faults.append(Fault(match="model.bin", bytes_per_s=2000, times=99))
    error = refused(a_cache(tmp_path, hub))
    assert error.code == "hub.down"
    assert "has stalled" in error.message


def test_a_server_that_always_begins_anew_and_ends_early_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.honours_ranges = False
    hub.faults.append(Fault(match="model.bin", cut_after=100_000, times=99))
    error = refused(a_cache(tmp_path, hub))
    assert error.code == "hub.down"
    assert "ended after 100000 of" in error.message
    assert hub.faults[0].times > 90


def test_a_page_in_the_place_of_a_file_is_refused_at_once(hub: Hub, tmp_path: Path) -> None:
    hub.wrong = b"<p>"
    cache = a_cache(tmp_path, hub)
    error = refused(cache)
    assert error.code == "model.wrong-bytes"
    assert f"has 3 bytes, expected {len(FILES['config.json'])}" in error.message
    assert "login page" in str(error.hint)
    assert len(hub.requests) == 1


@pytest.mark.parametrize("status", [302, 307, 400, 403, 451])
def test_an_answer_that_only_a_proxy_gives_is_not_called_a_busy_hub(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.faults.append(Fault(status=status, headers={"Location": f"{hub.address}/x"} if status < 400 else {}, times=99))
    error = refused(a_cache(tmp_path, hub))
    assert error.code == "hub.refused"
    assert f"answered {status} and does not deliver the file" in error.message
    assert "/org/tiny shows in a browser" in str(error.hint)


def test_a_part_that_does_not_fit_is_thrown_away_and_everything_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    cache = a_cache(tmp_path, hub)
    blobs = cache.snapshot("tiny").parent.parent / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{hashlib.sha256(FILES['model.bin']).hexdigest()}.part").write_bytes(b"zeros of a power cut")
    assert "starting over" in notices(fetched(cache))


def test_nobody_there_is_said_without_waiting(tmp_path: Path) -> None:
    started = time.monotonic()
    assert refused(a_cache(tmp_path, "http://127.0.0.1:9")).code == "hub.down"
    assert time.monotonic() - started < 1


def test_a_failure_of_one_does_not_stop_the_others(hub: Hub, tmp_path: Path) -> None:
    hub.disabled.add("org/tiny")
    cache = a_cache(tmp_path, hub, tiny=a_model(), open=a_model())
    assert {name: e.code for name, e in fetch_all(["tiny", "open"], cache, lambda event: None).items()} == {
        "tiny": "hub.disabled"
    }
    assert cache.problem("open") is None


def test_a_run_is_told_of_all_models_that_it_lacks_with_their_stages_places_and_one_command(
    hub: Hub, tmp_path: Path
) -> None:
    speaks = a_model().model_copy(update={"stages": ("asr", "translate")})
    cache = a_cache(tmp_path, hub, tiny=speaks, open=a_model(needs=("other",)), other=a_model())
    with pytest.raises(Missing) as caught:
        require(["tiny", "open"], cache, lambda event: None, offline=True)
    first, *told = caught.value.message.splitlines()
    assert first == "3 models are not complete:"
    assert told[0].startswith(f"  the model tiny for asr and translate is not complete: {cache.snapshot('tiny')}/")
    assert [line.split()[2] for line in told] == ["tiny", "open", "other"], "what a model needs is among them"
    assert caught.value.hint == "run `./reel models fetch tiny open other`"
    assert caught.value.code == "model.missing"
    with pytest.raises(Missing, match="the model tiny for asr and translate is not complete"):
        require(["tiny"], cache, lambda event: None, offline=True)
    require(["tiny", "open"], cache, lambda event: None)
    assert cache.incomplete(cache.models) == {}


def test_room_for_all_of_them_is_looked_for_before_anything_is_asked(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = a_cache(tmp_path, hub, tiny=a_model(), open=a_model())
    monkeypatch.setattr(ModelCache, "free_bytes", lambda self: int(BYTES * 1.5))
    with pytest.raises(Missing, match="2 MB are needed") as caught:
        fetch_all(["tiny", "open"], cache, lambda event: None)
    assert caught.value.code == "model.no-space"
    assert hub.requests == []


def test_what_the_lock_does_not_know_is_not_fetched(hub: Hub, tmp_path: Path) -> None:
    cache = a_cache(tmp_path, hub)
    unknown = {"model.bin": UnknownFile(size=None, sha256=None)}
    known = {"config.json": cache.locked["tiny"].files["config.json"]}
    cache.locked = {"tiny": LockedModel(repo="org/tiny", revision=REVISION, files=known, unknown=unknown)}
    error = refused(cache)
    assert error.code == "model.unresolved"
    assert "`./reel models lock tiny`" in str(error.hint)
    assert hub.requests == []


def test_files_at_addresses_of_their_own_are_resumed_and_verified_too(hub: Hub, tmp_path: Path) -> None:
    files = {name: f"{hub.address}/org/tiny/resolve/{REVISION}/{name}" for name in FILES}
    cache = a_cache(tmp_path, "http://127.0.0.1:9", SECRET, tiny=a_model(UrlSource(kind="url", files=files)))
    cache.locked = {"tiny": locked_model(repo=None)}
    hub.faults.append(Fault(match="model.bin", cut_after=1000))
    fetched(cache)
    assert hub.bytes_sent == BYTES
    assert hub.authorised == []
    assert cache.snapshot("tiny").is_relative_to(tmp_path / "models" / "tiny")


def test_a_folder_of_this_machine_is_a_source_and_wrong_bytes_in_it_lead_to_the_next(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    local = LocalFolderSource(kind="local-folder", path=str(folder))
    fetched(a_cache(tmp_path / "a", hub, tiny=a_model(local, HubSource(kind="hub"))))
    assert hub.requests == []
    (folder / "model.bin").write_bytes(b"x" * len(FILES["model.bin"]))
    fetched(a_cache(tmp_path / "b", hub, tiny=a_model(local, HubSource(kind="hub"))))
    assert [path.rpartition("/")[2] for path, _ in hub.requests] == ["model.bin"], "config.json was good"
    error = refused(a_cache(tmp_path / "c", hub, tiny=a_model(local)))
    assert error.code == "model.wrong-bytes"


def test_a_full_disk_is_named_and_the_fetch_goes_on_once_there_is_room(hub: Hub, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1100k", "tmpfs", str(small)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        (small / "ballast").write_bytes(b"x" * 600_000)
        cache = a_cache(small / "cache", hub)
        cache.check_space = lambda names: None  # type: ignore[method-assign]  # somebody else fills the disk later
        error = refused(cache)
        assert error.code == "model.no-space"
        assert list(small.rglob("*.part")), "already downloaded is kept"
        (small / "ballast").unlink()
        before = hub.bytes_sent
        fetched(cache)
        assert hub.bytes_sent - before < len(FILES["model.bin"])
    finally:
        subprocess.run(["umount", str(small)], check=True)


def start_fetching(folder: Path, hub: Hub, lock: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.fakes.fetch_one", str(folder), hub.address, str(lock)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.json"
    path.write_text(lock_text({"tiny": locked_model()}), encoding="utf-8")
    return path


@pytest.mark.slow
def test_two_fetches_at_once_share_one_transfer(hub: Hub, tmp_path: Path, lock: Path) -> None:
    hub.faults.append(Fault(match="model.bin", bytes_per_s=300_000, times=9))
    both = [start_fetching(tmp_path / "cache", hub, lock) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert hub.bytes_sent == BYTES
    assert wrong_files(a_cache(tmp_path / "cache", hub), "tiny") == []
    assert any("another process is fetching model tiny" in output for output in outputs)


@pytest.mark.slow
def test_a_fetch_killed_twenty_times_ends_right_and_fetches_no_byte_twice(hub: Hub, tmp_path: Path) -> None:
    chance = random.Random(20)
    content = chance.randbytes(12 << 20)
    hub.files = {f"org/tiny/resolve/{REVISION}/model.bin": content}
    hub.chunk_bytes = 1 << 14
    hub.faults.append(Fault(match="model.bin", bytes_per_s=4 << 20, times=99))
    lock = tmp_path / "lock.json"
    lock.write_text(lock_text({"tiny": locked_model(files={"model.bin": content})}), encoding="utf-8")
    folder, kills = tmp_path / "cache", 0
    while kills < 20:
        with start_fetching(folder, hub, lock) as process:
            before = hub.bytes_sent
            deadline = time.monotonic() + 20
            aim = before + chance.randrange(1, 500_000)
            while hub.bytes_sent < aim and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            assert process.poll() is None, process.communicate()[0]
            process.kill()
        kills += 1
    with start_fetching(folder, hub, lock) as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert (a_cache(folder, hub).snapshot("tiny") / "model.bin").read_bytes() == content
    twice = hub.bytes_sent - len(content)
    assert twice <= kills * (1 << 20), f"{twice} bytes were fetched twice in {kills} kills"
    print(f"{kills} kills, {twice} bytes of {len(content)} sent twice")


@pytest.mark.usefixtures("stage_environments")
def test_the_hubs_own_client_finds_what_was_fetched_offline_by_name_without_a_revision(
    hub: Hub, tmp_path: Path
) -> None:
    python = ROOT / ".venvs" / "lite" / "bin" / "python"  # it holds the hub's client
    assert python.exists(), "`./reel envs ensure` makes it"
    fetched(a_cache(tmp_path, hub))
    hub.requests.clear()
    code = (
        "import sys, huggingface_hub as h; c = sys.argv[1]; p = h.snapshot_download('org/tiny', cache_dir=c);"
        "print(p); print(h.hf_hub_download('org/tiny', 'model.bin', cache_dir=c)); print(h.__version__)"
    )
    folder = tmp_path / "huggingface" / "hub"
    done = subprocess.run(
        [python, "-I", "-c", code, str(folder)], capture_output=True, text=True, timeout=60,
        env={"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": hub.address, "HOME": str(tmp_path), "PATH": os.defpath},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    snapshot, weights, version = done.stdout.split()
    assert Path(snapshot) == folder / "models--org--tiny" / "snapshots" / REVISION
    assert Path(weights).read_bytes() == FILES["model.bin"]
    assert int(version.split(".")[0]) >= 1
    assert hub.requests == []


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "huggingface").write_text("a file where a folder must be", encoding="utf-8")
    assert refused(a_cache(tmp_path, hub)).code == "model.unwritable"
