"""The lock: what is not known is marked, found out from the hub, written the same way each time, never overwritten."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Event, Notice
from pipeline.base.project import CONFIG
from pipeline.base.secret_file import Token
from pipeline.cli.commands import models_lock
from pipeline.cli.main import main
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.retry_policy import RetryPolicy
from pipeline.model_cache.lock_models import locked_paths, resolve_model
from pipeline.model_cache.manifest import (
    UNKNOWN,
    HubSource,
    LockedFile,
    LockedModel,
    Model,
    ModelLock,
    Source,
    UnknownFile,
    UrlSource,
    load_manifest,
    lock_text,
)
from pipeline.model_cache.selection import select_models
from tests.fakes.hub import Fault, Hub, serve
from tests.fakes.verified import wrong_files

OLD, NEW = "a" * 40, "b" * 40
FILES = {
    "config.json": b"{}",
    "deep/vocabulary.txt": b"a\nb\n",
    "model.safetensors": b"w" * 5000,
    "pytorch_model.bin": b"w" * 6000,
    "README.md": b"# hello",
}
SOURCE = HubSource(kind="hub", allow=("*.json", "*.txt", "*.safetensors", "*.md"), ignore=("README*",))
TAKEN = {"config.json", "deep/vocabulary.txt", "model.safetensors"}


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {f"org/tiny/resolve/{OLD}/{name}": content for name, content in FILES.items()}
    files |= {f"org/tiny/resolve/{NEW}/{name}": content + b" " for name, content in FILES.items()}
    with serve(files) as hub:
        hub.main["org/tiny"] = NEW
        hub.page_size = 2
        yield hub


def a_cache(folder: Path, hub: Hub, locked: LockedModel, source: Source = SOURCE) -> ModelCache:
    model = Model(summary="tiny", licence="MIT", commercial_use=True, sources=(source,))
    policy = RetryPolicy(tries=2, back_off_s=0.01)
    return ModelCache(folder, {"tiny": model}, {"tiny": locked}, hub.address, lambda: Token("hf_x", "a test"), policy)


def unlocked(revision: str = UNKNOWN, **files: UnknownFile) -> LockedModel:
    return LockedModel(repo="org/tiny", revision=revision, files={}, unknown=files)


def resolve(cache: ModelCache, revision: str | None = None) -> LockedModel:
    events: list[Event] = []
    return resolve_model("tiny", revision, cache, events.append)


def test_main_becomes_a_commit_and_every_file_that_is_wanted_a_size_and_a_sha256(hub: Hub, tmp_path: Path) -> None:
    hub.users = {"hf_x": "alice"}
    found = resolve(a_cache(tmp_path, hub, unlocked()))
    assert found.revision == NEW
    assert found.resolved
    assert {name: (file.size, file.sha256) for name, file in found.files.items()} == {
        name: (len(FILES[name]) + 1, hashlib.sha256(FILES[name] + b" ").hexdigest()) for name in TAKEN
    }
    assert not any("safetensors" in path for path, _ in hub.requests), "the hub states what a large file hashes to"


def test_a_locked_revision_is_kept_although_main_has_moved_unless_another_is_asked_for(
    hub: Hub, tmp_path: Path
) -> None:
    hub.users = {"hf_x": "alice"}
    cache = a_cache(tmp_path, hub, unlocked(OLD))
    assert resolve(cache).revision == OLD
    assert resolve(cache, "main").revision == NEW
    with pytest.raises(Missing) as caught:
        resolve(cache, "c" * 40)
    assert caught.value.code == "hub.no-revision"


def test_what_was_resolved_can_be_fetched_and_a_guessed_name_is_dropped(hub: Hub, tmp_path: Path) -> None:
    hub.users = {"hf_x": "alice"}
    cache = a_cache(tmp_path, hub, unlocked(OLD, **{"vocabulary.json": UnknownFile()}))
    cache.locked = {"tiny": resolve(cache)}
    cache.fetch("tiny", lambda event: None)
    assert wrong_files(cache, "tiny") == []
    assert {path.name for path in cache.snapshot("tiny").rglob("*") if path.is_file()} == {
        name.rpartition("/")[2] for name in TAKEN
    }


def test_of_the_same_weights_in_two_forms_one_is_taken() -> None:
    source = HubSource(kind="hub", allow=("model.*", "*.bin"), one_of=("model.safetensors", "pytorch_model.bin"))
    assert locked_paths(source, list(FILES)) == {"model.safetensors"}
    assert locked_paths(source, ["pytorch_model.bin", "other.bin"]) == {"pytorch_model.bin", "other.bin"}


def test_a_fact_of_the_lock_is_never_replaced_by_another(hub: Hub, tmp_path: Path) -> None:
    hub.users = {"hf_x": "alice"}
    for wrong in (UnknownFile(size=4999), UnknownFile(sha256="0" * 64)):
        with pytest.raises(Missing) as caught:
            resolve(a_cache(tmp_path, hub, unlocked(OLD, **{"model.safetensors": wrong})))
        assert caught.value.code == "model.moved"
        assert "model.safetensors of tiny has 5000 bytes" in caught.value.message


def test_a_small_file_whose_bytes_differ_from_the_hubs_own_digest_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.users = {"hf_x": "alice"}
    hub.wrong = b"[]"
    with pytest.raises(Missing) as caught:
        resolve(a_cache(tmp_path, hub, unlocked(OLD)))
    assert caught.value.code == "model.wrong-bytes"


def test_a_busy_hub_is_waited_for_and_a_wrong_token_stops_no_open_model(hub: Hub, tmp_path: Path) -> None:
    cache = a_cache(tmp_path, hub, unlocked())
    events: list[Event] = []
    assert resolve_model("tiny", None, cache, events.append).resolved
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "the hub does not know the token from a test; continuing without"
    ]
    cache.models = {"tiny": cache.models["tiny"].model_copy(update={"gated": True})}
    with pytest.raises(Missing) as caught:
        resolve(cache)
    assert caught.value.code == "hub.bad-token"
    hub.users = {"hf_x": "alice"}
    hub.faults.append(Fault(status=429, headers={"Retry-After": "0"}))
    assert resolve(cache).resolved


def test_an_address_is_read_once_to_know_its_bytes(hub: Hub, tmp_path: Path) -> None:
    address = f"{hub.address}/org/tiny/resolve/{OLD}/pytorch_model.bin"
    locked = LockedModel(revision="1", files={}, unknown={"weights.bin": UnknownFile(size=6000)})
    cache = a_cache(tmp_path, hub, locked, UrlSource(kind="url", files={"weights.bin": address}))
    file = resolve(cache).files["weights.bin"]
    assert (file.size, file.sha256) == (6000, hashlib.sha256(FILES["pytorch_model.bin"]).hexdigest())
    assert hub.authorised == [], "no token is shown to an address that is not the hub's"


def test_the_projects_lock_is_written_as_it_would_be_written_again() -> None:
    text = (CONFIG / "models.lock.json").read_text(encoding="utf-8")
    assert lock_text(ModelLock.model_validate_json(text).models) == text


def test_what_nobody_knows_is_marked_and_makes_a_model_unresolved() -> None:
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    assert locked
    for name, entry in locked.items():
        complete = entry.revision != UNKNOWN and bool(entry.files) and not entry.unknown
        assert entry.resolved == complete, name
        assert all(file.sure_sha256 is None or file.sure_size is None for file in entry.unknown.values())
        assert entry.resolved or entry.size or models[name].estimate_mb, f"nobody knows how big {name} is"


def test_names_and_patterns_choose_models_and_what_those_need() -> None:
    models, _ = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    assert len(select_models(["indictrans2-*"], models)) == 6
    needed = select_models(["pyannote-diarization-3-1"], models)
    assert len(needed) == 4
    assert sum(models[name].gated for name in needed) == 3, "three sets of terms have to be accepted"
    assert select_models(["canary-qwen"], models) == ["canary-qwen", "canary-qwen-tokenizer"]
    with pytest.raises(UsageError, match="there is no model `nothing-\\*`"):
        select_models(["nothing-*"], models)


def test_the_quick_check_of_a_whole_full_cache_takes_no_time_that_anybody_notices(tmp_path: Path) -> None:
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    whole: dict[str, LockedModel] = {}
    for name, entry in locked.items():
        files = {file: LockedFile(size=1, sha256="0" * 64) for file in {**entry.unknown, **entry.files}}
        files = files or {"model.bin": LockedFile(size=1, sha256="0" * 64)}
        revision = OLD if entry.revision == UNKNOWN else entry.revision
        whole[name] = LockedModel(repo=entry.repo, revision=revision, files=files)
    cache = ModelCache(tmp_path, models, whole, "")
    for name, entry in whole.items():
        for file in entry.files:
            place = cache.snapshot(name) / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"x")
    took = []
    for _ in range(5):
        started = time.perf_counter()
        assert cache.incomplete(cache.models) == {}
        took.append(time.perf_counter() - started)
    print(f"{len(whole)} models: {min(took) * 1000:.1f} ms")
    assert min(took) <= 0.05


def test_the_command_changes_the_entry_that_it_resolved_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(CONFIG / "models.lock.json", tmp_path)
    monkeypatch.setattr(models_lock, "CONFIG", tmp_path)
    monkeypatch.setenv("REEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REEL_OWN_MODELS_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("HF_TOKEN", "HF_HOME", "HF_TOKEN_PATH"):
        monkeypatch.delenv(variable, raising=False)
    before = json.loads((CONFIG / "models.lock.json").read_text(encoding="utf-8"))["models"]
    repo = before["align-hi"]["repo"]
    with serve({f"{repo}/resolve/{NEW}/{name}": content for name, content in FILES.items()}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        assert main(["models", "lock", "align-hi", "--shipped", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["data"]["models"]
        assert main(["models", "lock", "align-*", "--shipped"]) == 5, "of the others the hub knows nothing"
    assert told == [{"name": "align-hi", "revision": NEW, "bytes": 5002, "files": 2}]
    text = (tmp_path / "models.lock.json").read_text(encoding="utf-8")
    after = json.loads(text)["models"]
    assert after.pop("align-hi")["revision"] == NEW
    before.pop("align-hi")
    assert after == before
    assert lock_text(ModelLock.model_validate_json(text).models) == text
