"""First use: a model that no lock knows is locked by this machine, once, into a file that is its own; a machine that
may not, an unaccepted piece of code, and a later lock that says something else each end in one clear error."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import Missing
from pipeline.base.events import Event, Notice, SetupProgress
from pipeline.base.project import CONFIG
from pipeline.base.secret_file import Token
from pipeline.cli.arguments import project_of
from pipeline.cli.commands import models_lock
from pipeline.cli.main import main
from pipeline.cli.options.models import LockModels
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.retry_policy import RetryPolicy
from pipeline.model_cache.fetch_many import fetch_all, obstacles
from pipeline.model_cache.first_use import look_up
from pipeline.model_cache.manifest import (
    UNKNOWN,
    HubSource,
    LockedFile,
    LockedModel,
    Model,
    ModelLock,
    UnknownFile,
    load_manifest,
    lock_text,
)
from pipeline.model_cache.overlay import FILE, LocalEntry, Overlay, apply_overlay, read_overlay, update_overlay
from tests.fakes.hub import Hub, serve
from tests.fakes.verified import wrong_files

REVISION, LATER = "a" * 40, "b" * 40
FILES = {"config.json": b"{}", "vocab.txt": b"a\nb\n", "model.safetensors": b"w" * 5000}
CODE = {**FILES, "modeling.py": b"raise SystemExit\n"}
PLAIN, CODED, LOCKED_ONE = "org/plain", "org/coded", "org/gated"
REPOS = {"plain": PLAIN, "coded": CODED, "gated": LOCKED_ONE}
Say = Callable[[Event], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {f"{PLAIN}/resolve/{REVISION}/{name}": content for name, content in FILES.items()}
    files |= {f"{PLAIN}/resolve/{LATER}/{name}": content + b" " for name, content in FILES.items()}
    files |= {f"{CODED}/resolve/{REVISION}/{name}": content for name, content in CODE.items()}
    files |= {f"{LOCKED_ONE}/resolve/{REVISION}/{name}": content for name, content in FILES.items()}
    with serve(files) as hub:
        hub.redirects = True
        hub.gated = {LOCKED_ONE: {"alice"}}
        hub.users = {"hf_alice": "alice", "hf_bob": "bob"}
        yield hub


@pytest.fixture
def said() -> list[Event]:
    return []


def a_cache(
    folder: Path, hub: Hub, token: str = "hf_alice", locked: dict[str, LockedModel] | None = None, **overlay: object
) -> ModelCache:
    """The three models of the hub, none of them locked, in a cache with an overlay of its own."""
    shipped = {name: LockedModel(repo=repo, revision=REVISION, files={}) for name, repo in REPOS.items()}
    shipped |= locked or {}
    models = {
        name: Model(summary=name, licence="MIT", gated=name == "gated", sources=(HubSource(kind="hub"),))
        for name in shipped
    }
    laid, names, conflicts = apply_overlay(shipped, read_overlay(folder / "own"))
    cache = ModelCache(
        folder / "cache", models, laid, hub.address, lambda: Token(token, "a test") if token else None,
        RetryPolicy(tries=2, back_off_s=0.01),
    )  # fmt: skip
    cache.overlay = replace(Overlay(folder / "own", shipped, names, conflicts), **overlay)  # type: ignore[arg-type]
    return cache


def notices(said: list[Event]) -> list[str]:
    return [event.text for event in said if isinstance(event, Notice)]


def test_first_use_locks_and_fetches_and_says_so_in_one_line(hub: Hub, tmp_path: Path, said: list[Event]) -> None:
    cache = a_cache(tmp_path, hub)
    assert fetch_all(["plain", "gated"], cache, said.append) == {}
    host = hub.address.removeprefix("http://")
    assert notices(said) == [
        f"model {name} locked at first use: 3 files at {REVISION[:12]}, as {host} states them"
        for name in ("plain", "gated")
    ]
    assert SetupProgress("the facts of 2 models", 2, 2) in said
    assert wrong_files(cache, "plain") == wrong_files(cache, "gated") == []
    asked = len(hub.requests)
    again = a_cache(tmp_path, hub)
    assert again.incomplete(["plain", "gated"]) == {}
    assert again.overlay.origin("plain") == "here"
    assert fetch_all(["plain", "gated"], again, said.append) == {}
    assert len(hub.requests) == asked, "from then on these are the bytes"


def test_a_model_without_a_revision_takes_main_and_stays_with_it(hub: Hub, tmp_path: Path, said: list[Event]) -> None:
    unpinned = {"plain": LockedModel(repo=PLAIN, revision=UNKNOWN, files={})}
    hub.main[PLAIN] = REVISION
    assert fetch_all(["plain"], a_cache(tmp_path, hub, locked=unpinned), said.append) == {}
    assert notices(said)[0].endswith("states them, the commit of `main` today")
    hub.main[PLAIN] = LATER
    again = a_cache(tmp_path, hub, locked=unpinned)
    assert again.locked["plain"].revision == REVISION
    assert again.problem("plain") is None


def test_what_the_hub_states_is_compared_with_every_known_fact(hub: Hub, tmp_path: Path, said: list[Event]) -> None:
    for fact in (UnknownFile(size=4999), UnknownFile(sha256="0" * 64)):
        known = {"plain": LockedModel(repo=PLAIN, revision=REVISION, files={}, unknown={"model.safetensors": fact})}
        failed = fetch_all(["plain"], a_cache(tmp_path, hub, locked=known), said.append)
        assert failed["plain"].code == "model.moved"
    hub.wrong = b"[]"
    assert fetch_all(["plain"], a_cache(tmp_path, hub), said.append)["plain"].code == "model.wrong-bytes"
    assert not (tmp_path / "own" / FILE).exists(), "nothing that was doubted is written"


def test_a_machine_that_may_not_lock_asks_nobody_and_says_how_it_may(
    hub: Hub, tmp_path: Path, said: list[Event]
) -> None:
    cache = a_cache(tmp_path, hub, refused="the setting `locked` forbids locking it here")
    for failed in (
        fetch_all(["plain"], cache, said.append),
        obstacles(["plain"], cache, said.append, offline=False),
        fetch_all(["plain"], a_cache(tmp_path, hub), said.append, offline=True),
    ):
        assert failed["plain"].code == "model.unresolved"
    assert hub.requests == []


def test_foreign_code_is_refused_file_by_file_until_it_is_accepted(hub: Hub, tmp_path: Path, said: list[Event]) -> None:
    failed = fetch_all(["coded", "plain"], a_cache(tmp_path, hub), said.append)
    assert failed.keys() == {"coded"}
    assert failed["coded"].code == "model.code-unaccepted"
    assert "(modeling.py)" in failed["coded"].message
    assert "coded" not in read_overlay(tmp_path / "own")
    assert fetch_all(["coded"], a_cache(tmp_path, hub, accepts_code=("cod*",)), said.append) == {}
    assert fetch_all(["coded"], a_cache(tmp_path, hub), said.append) == {}, "once locked it is not asked about again"


@pytest.mark.parametrize(("token", "code"), [("", "hub.no-token"), ("hf_no", "hub.bad-token"), ("hf_bob", "hub.terms")])
def test_looking_up_is_as_careful_as_fetching(
    hub: Hub, tmp_path: Path, said: list[Event], token: str, code: str
) -> None:
    locked = {name: LockedModel(repo=repo, revision=REVISION, files=as_locked(FILES)) for name, repo in REPOS.items()}
    known = fetch_all(["gated"], a_cache(tmp_path / "known", hub, token, locked), said.append)["gated"]
    looked_up = look_up(["plain", "gated"], a_cache(tmp_path, hub, token), said.append)
    assert looked_up.found.keys() == {"plain"}, "a bad token stops no open model"
    refused = looked_up.failed["gated"]
    assert (refused.code, refused.message, refused.hint) == (code, known.message, known.hint)
    assert hub.elsewhere not in {origin for origin, _ in hub.authorised}, "the other origin gets no token"


def as_locked(files: dict[str, bytes]) -> dict[str, LockedFile]:
    return {name: LockedFile(size=len(content), sha256=sha256(content)) for name, content in files.items()}


def here(files: dict[str, bytes], revision: str = REVISION, instead_of: str | None = None) -> LocalEntry:
    return LocalEntry(hub="a.hub", repo=PLAIN, revision=revision, files=as_locked(files), instead_of=instead_of)


def shipped(files: dict[str, bytes], revision: str = REVISION) -> dict[str, LockedModel]:
    return {"plain": LockedModel(repo=PLAIN, revision=revision, files=as_locked(files))}


def test_a_later_shipped_lock_takes_over_what_it_agrees_with() -> None:
    locked, names, conflicts = apply_overlay(shipped(FILES), {"plain": here(FILES)})
    assert (locked, names, conflicts) == (shipped(FILES), frozenset(), {})
    partly = {"plain": LockedModel(repo=PLAIN, revision=REVISION, files={}, unknown={"new.txt": UnknownFile(size=3)})}
    assert apply_overlay(partly, {"plain": here(FILES)}) == (partly, frozenset(), {}), "it does not know the new file"


@pytest.mark.parametrize(
    ("later", "says"),
    [
        (shipped({**FILES, "config.json": b"[]"}), f"sha256 {sha256(b'[]')}"),
        (shipped(FILES, LATER), f"at the revision {LATER}"),
    ],
)
def test_a_later_shipped_lock_that_says_something_else_is_an_error_naming_both(
    hub: Hub, tmp_path: Path, said: list[Event], later: dict[str, LockedModel], says: str
) -> None:
    assert fetch_all(["plain"], a_cache(tmp_path, hub), said.append) == {}
    cache = a_cache(tmp_path, hub, locked=later)
    failed = fetch_all(["plain"], cache, said.append)["plain"]
    assert failed.code == "model.lock-conflict"
    assert says in failed.message
    assert f"as {hub.address.removeprefix('http://')} stated it" in failed.message
    assert (cache.problem("plain") or "-") in failed.message, "no stage is given such a model"
    assert failed.hint is not None
    assert "`./reel models lock plain --drop`" in failed.hint
    update_overlay(tmp_path / "own", {"plain": None})
    assert a_cache(tmp_path, hub, locked=later).overlay.conflicts == {}


def test_a_revision_that_the_user_chose_holds_until_the_shipped_one_moves() -> None:
    chosen = {"plain": here(FILES, LATER, instead_of=REVISION)}
    locked, names, conflicts = apply_overlay(shipped(FILES), chosen)
    assert (locked["plain"].revision, names, conflicts) == (LATER, frozenset({"plain"}), {})
    assert apply_overlay(shipped(FILES, "c" * 40), chosen)[2].keys() == {"plain"}


def test_two_that_lock_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        update_overlay(tmp_path, {f"model-{number}": here(FILES)})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(24)))
    assert read_overlay(tmp_path).keys() == {f"model-{number}" for number in range(24)}


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's commands with a cache and an overlay of their own, without a token, as outside CI."""
    for variable in ("HF_TOKEN", "HF_HOME", "HF_TOKEN_PATH", "CI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("REEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REEL_OWN_MODELS_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


WIKI = "wikineural"


@pytest.fixture
def wiki_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[1][WIKI]
    with serve({f"{locked.repo}/resolve/{locked.revision}/{name}": content for name, content in FILES.items()}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


def test_fetch_locks_at_first_use_beside_the_users_own_models_and_the_list_shows_it(
    at_home: Path, wiki_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (CONFIG / "models.lock.json").read_bytes()
    assert main(["models", "fetch", WIKI]) == 0
    assert f"note: model {WIKI} locked at first use: 3 files at " in capsys.readouterr().err
    assert (CONFIG / "models.lock.json").read_bytes() == before, "the tracked lock is not this machine's to write"
    assert main(["models", "list", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)["data"]["models"]}
    assert (listed[WIKI]["locked"], listed[WIKI]["complete"]) == ("here", True)
    assert (listed["faster-whisper-base"]["locked"], listed["align-hi"]["locked"]) == ("shipped", None)
    assert main(["models", "list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(WIKI))
    assert "locked here" in line


@pytest.mark.parametrize("how", [{"CI": "true"}, {"REEL_LOCKED": "true"}])
def test_where_ci_is_true_or_with_locked_only_the_shipped_lock_counts_and_the_hint_helps(
    at_home: Path,
    wiki_hub: Hub,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, str],
) -> None:
    for variable, value in how.items():
        monkeypatch.setenv(variable, value)
    assert main(["models", "fetch", WIKI]) == 5
    shown = capsys.readouterr().out
    assert "[model.unresolved]" in shown
    assert wiki_hub.requests == []
    hint = shown.partition("hint: `./reel ")[2].partition("`")[0]
    assert main(hint.split()) == 0
    monkeypatch.setenv("REEL_LOCKED", "true")
    assert main(["models", "fetch", WIKI]) == 0, "what is locked already needs no first use"


def test_lock_writes_the_overlay_and_drop_forgets_it(
    at_home: Path, wiki_hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "lock", WIKI]) == 0
    assert read_overlay(at_home / "own").keys() == {WIKI}
    assert main(["models", "lock", WIKI, "--drop"]) == 0
    assert "the shipped lock counts again for: wikineural" in capsys.readouterr().out
    assert read_overlay(at_home / "own") == {}


def test_a_dispute_is_listed_and_its_hint_settles_it(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "faster-whisper-base"
    repo = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[1][name].repo
    update_overlay(at_home / "own", {name: LocalEntry(hub="a.hub", repo=repo, revision=LATER, files=as_locked(FILES))})
    assert main(["models", "list"]) == 0
    assert "disputed by the shipped lock and the one of this machine" in capsys.readouterr().out
    assert main(["models", "fetch", name, "--offline"]) == 5
    shown = capsys.readouterr().out
    assert "[model.lock-conflict]" in shown
    assert main(shown.partition("hint: `./reel ")[2].partition("`")[0].split()) == 0
    assert main(["models", "list"]) == 0
    assert "disputed" not in capsys.readouterr().out.partition("faster-whisper-base")[2].partition("\n")[0]
    assert main(["models", "fetch", name, "--offline"]) == 5
    assert "[model.missing]" in capsys.readouterr().out


def test_two_maintainers_commands_at_once_lose_nothing(
    at_home: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(CONFIG / "models.lock.json", at_home)
    monkeypatch.setattr(models_lock, "CONFIG", at_home)
    one, other = (json.loads(lock_text(shipped(FILES, revision)))["models"]["plain"] for revision in (REVISION, LATER))
    for name, entry in (("align-hi", one), ("align-pt", other)):
        held: dict[str, JsonValue] = {**entry, "repo": "theirs/of-them"}
        found = {name: LockedModel.model_validate(held)}
        installed = project_of(LockModels()).installed
        models_lock._write_shipped(found, installed)  # each had read the lock before the other wrote it
    after = ModelLock.model_validate_json((at_home / "models.lock.json").read_bytes()).models
    assert {after["align-hi"].revision, after["align-pt"].revision} == {REVISION, LATER}


def test_an_overlay_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(Exception, match="cannot be read") as caught:
        read_overlay(tmp_path)
    assert str(tmp_path / FILE) in str(getattr(caught.value, "hint", ""))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(Missing) as refused:
        update_overlay(tmp_path / "file" / "own", {})
    assert refused.value.code == "models.unwritable"


def test_adopt_and_an_archive_bring_a_model_that_no_lock_knows_without_a_network(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    name, content = "pyannote-diarization-3-1", b"pipeline: {}\n"
    locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[1][name]
    root = at_home / "other" / "hub" / f"models--{str(locked.repo).replace('/', '--')}"
    blob = root / "blobs" / hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    link = root / "snapshots" / locked.revision / "config.yaml"
    for place in (blob, link):
        place.parent.mkdir(parents=True)
    blob.write_bytes(content)
    link.symlink_to(blob)
    assert main(["models", "adopt", str(at_home / "other"), "--locked"]) == 0
    assert read_overlay(at_home / "own") == {}, "this machine may not lock it"
    assert main(["models", "adopt", str(at_home / "other")]) == 0
    told = f"model {name} locked at first use: 1 file at {locked.revision[:12]}, as the other cache states them"
    assert told in capsys.readouterr().err
    # Its parts are not in that cache; they would travel with it.
    monkeypatch.setattr("pipeline.cli.commands.models_archive.present_models", lambda arguments, planner: [name])
    assert main(["models", "export", str(at_home / "a.tar"), name]) == 0
    monkeypatch.setenv("REEL_CACHE_DIR", str(at_home / "air-gapped"))
    monkeypatch.setenv("REEL_OWN_MODELS_DIR", str(at_home / "theirs"))
    assert main(["models", "import", str(at_home / "a.tar"), "--locked"]) == 5
    assert "hint: run the same command with `--no-locked`" in capsys.readouterr().err
    assert main(["models", "import", str(at_home / "a.tar"), "--no-locked"]) == 0
    assert read_overlay(at_home / "theirs")[name].revision == locked.revision
