"""Every hint of the commands that set up is followed as it is printed, in a fresh clone, and then the command works."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clone import fresh_clone
from tests.conftest import ROOT, Reel
from tests.fakes.public_hub import TOKEN, PublicHub, serve_for

pytestmark = pytest.mark.slow
BEST = ("bootstrap.sh", "--cache-models", "--profile", "best")
PYANNOTE = "pyannote/speaker-diarization-community-1"


@dataclass(frozen=True)
class World:
    """A fresh clone with a hub, whose models are a few bytes each."""

    clone: Path
    public: PublicHub
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, expect: int = 0) -> str:
        """Run a command of the clone; return all that it prints."""
        done = subprocess.run(
            [self.clone / words[0], *words[1:]], env=self.variables, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.clone, timeout=300,
        )  # fmt: skip
        assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}"
        return done.stdout

    def follow(self, printed: str) -> list[str]:
        """Run each command that a text names, and return them: each must work."""
        hinted = list(dict.fromkeys(re.findall(r"`\./([^`]+)`", printed)))
        for command in hinted:
            self.run(*shlex.split(command.replace("NAME", "punkt-tab")))
        return hinted

    def put_token_into_secrets(self) -> None:
        """Do what docs/how-to/gated-models.md says."""
        secrets = self.clone / "config" / "secrets.json"
        example = json.loads((self.clone / "config" / "secrets.example.json").read_text(encoding="utf-8"))
        secrets.write_text(json.dumps({**example, "hf_token": TOKEN}), encoding="utf-8")
        secrets.chmod(0o600)


@pytest.fixture(scope="session")
def stage_environments() -> None:
    """Build the environments of these profiles once, in the project's own folder."""
    families = ("lite", "demucs", "speech", "translate")
    done = subprocess.run([ROOT / "reel", "envs", "ensure", *families], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def world(reel: Reel, stage_environments: None, tmp_path: Path) -> Iterator[World]:
    clone = fresh_clone(tmp_path)
    with serve_for(clone, {}) as public:
        (tmp_path / "person").mkdir()
        own = {"HOME": str(tmp_path / "person"), "REEL_CACHE_DIR": str(tmp_path / "cache"), **public.variables}
        variables = {name: value for name, value in reel.environment(own).items() if name != "PYTHONPATH"}
        yield World(clone, public, variables)


def no_token(world: World) -> None:
    del world.variables["HF_TOKEN"]


def old_token(world: World) -> None:
    world.variables["HF_TOKEN"] = "hf_old"


def no_terms(world: World) -> None:
    world.public.hub.gated[PYANNOTE] = set()


def narrow_token(world: World) -> None:
    world.public.hub.narrow.add(TOKEN)


def remove_token(world: World) -> None:
    world.variables["HF_TOKEN"] = TOKEN


def accept(world: World) -> None:
    world.public.hub.gated[PYANNOTE] = {"alice"}


def widen(world: World) -> None:
    world.public.hub.narrow.clear()


Act = Callable[[World], None]
ACCESS: dict[str, tuple[Act, Act, str]] = {
    "hub.no-token": (no_token, World.put_token_into_secrets, f"/{PYANNOTE}, make a token at"),
    "hub.bad-token": (old_token, remove_token, "/settings/tokens"),
    "hub.terms": (no_terms, accept, f"/{PYANNOTE} with the account"),
    "hub.token-right": (narrow_token, widen, "/settings/tokens"),
}


@pytest.mark.parametrize("code", ACCESS)
def test_what_bars_a_gated_model_is_told_before_anything_is_built_and_its_hint_helps(world: World, code: str) -> None:
    close, cure, page = ACCESS[code]
    close(world)
    printed = world.run(*BEST, expect=5)
    assert f"[{code}]" in printed
    assert page in printed
    assert "nothing is built or fetched" in printed
    assert "ready" not in printed, "no environment was looked after"
    assert world.public.hub.bytes_sent < 10_000
    cure(world)
    assert world.follow(printed) == ["reel models fetch pyannote-community-1"]
    assert "best needs nothing more" in world.run(*BEST) + world.run("reel", "models", "list", "--profile", "best")


def test_code_that_a_model_brings_is_named_and_its_hint_helps(world: World) -> None:
    printed = world.run("bootstrap.sh", "--cache-models", "--profile", "indic", expect=5)
    assert printed.count("[model.code-unaccepted]") == 3
    scripted = [command for command in re.findall(r"`\./([^`]+)`", printed) if "--accept-code" in command]
    assert len(scripted) == 3
    for command in scripted:
        world.run(*shlex.split(command))
    world.run("bootstrap.sh", "--cache-models", "--profile", "indic")


def test_where_nothing_may_be_locked_the_hint_helps(world: World) -> None:
    world.variables["CI"] = "true"
    printed = world.run("cache-models.sh", "nllb-600m", expect=5)
    assert "[model.unresolved]" in printed
    assert world.follow(printed) == ["reel models fetch nllb-600m --no-locked"]
    world.run("cache-models.sh", "nllb-600m")


def test_what_is_forbidden_offline_is_fetched_by_the_hinted_command(world: World) -> None:
    printed = world.run("cache-models.sh", "nllb-600m", "faster-whisper-small", "--offline", expect=5)
    assert world.follow(printed)
    world.run("cache-models.sh", "nllb-600m", "faster-whisper-small", "--offline")


def test_the_commands_that_the_list_and_the_setup_name_work(world: World) -> None:
    assert world.follow(world.run("reel", "models", "list")) == ["reel models fetch NAME"]
    printed = world.run("bootstrap.sh", "--profile", "starter")
    assert "`--cache-models` fetches them" in printed
    assert "faster-whisper-base  " in world.run("bootstrap.sh", "--profile", "starter", "--cache-models")
    wrong = world.run("reel", "models", "verify", "demucs-htdemucs", expect=5)
    assert world.follow(wrong) == ["reel models verify demucs-htdemucs --repair"]
    missing = world.run("reel", "models", "export", "x.tar", "align-en", expect=5)
    assert world.follow(missing) == ["reel models fetch align-en"]
    world.run("reel", "models", "export", "x.tar", "align-en")
