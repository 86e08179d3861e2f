"""`./bootstrap.sh --cache-models` in a fresh clone with the shipped lock: one command for each profile, and then a run
without a network. The hub is the project's own on the loopback; the models have their real names and tiny weights."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.project import CONFIG
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import UrlSource, load_manifest
from tests.clone import fresh_clone
from tests.conftest import ROOT, Reel
from tests.fakes.public_hub import PublicHub, serve_for
from tests.real.cases import MakeFiles, script

MODELS, LOCKED = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
PROFILES = ("starter", "balanced", "best", "indic", "nemo", "apple")
FAMILIES = ("lite", "demucs", "speech", "translate", "nemo", "mlx")
MADE: Mapping[str, tuple[str, MakeFiles]] = {
    "pyannote-community-1": ("speech", script("tiny_pyannote.py")),
    "demucs-htdemucs": ("demucs", script("tiny_demucs.py")),
    "align-en": ("speech", script("tiny_aligner.py")),
    "parakeet-v2": ("nemo", script("tiny_parakeet.py")),
    "mlx-whisper-turbo": ("mlx", script("tiny_mlx_whisper.py")),
}
"""Models that a run here works with, each with the environment and the program that make it."""
WHISPERS = ("faster-whisper-base", "faster-whisper-small", "faster-whisper-large-v3")
CODE = ("--accept-code", "indictrans2-*")  # a script cannot be asked about the code that IndicTrans2 brings

Files = Mapping[str, bytes]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Files]:
    """The files of the models that are to work: Whisper base for every Whisper, random weights for the others."""
    done = subprocess.run([ROOT / "reel", "envs", "ensure", *FAMILIES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Files] = {}
    for name, (family, make) in MADE.items():
        folder = tmp_path_factory.mktemp(name)
        make(ROOT / ".venvs" / family / "bin" / "python", folder)
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        source = MODELS[name].sources[0]
        found[name] = dict(zip(source.files, files.values(), strict=True)) if isinstance(source, UrlSource) else files
    for name in ("faster-whisper-base", "ge2e-embedder"):
        snapshot = layout_of(ROOT / ".cache", name, LOCKED[name]).snapshot
        found[name] = {file: (snapshot / file).read_bytes() for file in LOCKED[name].files}
    return found | dict.fromkeys(WHISPERS, found["faster-whisper-base"])


@dataclass(frozen=True)
class World:
    """A fresh clone with a hub of its own."""

    clone: Path
    public: PublicHub
    variables: dict[str, str]

    def run(
        self, *words: str | Path, expect: int = 0, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the clone, with `more` variables."""
        done = subprocess.run(
            [self.clone / words[0], *words[1:]], env={**self.variables, **(more or {})}, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, cwd=self.clone.parent, timeout=900,
        )  # fmt: skip
        assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}"
        return done

    def complete(self) -> set[str]:
        told = json.loads(self.run("reel", "models", "list", "--json").stdout)
        return {entry["name"] for entry in told["data"]["models"] if entry["complete"]}

    def tracked(self) -> dict[str, str]:
        """The digests of the files that git would track: a fetch that changes one keeps `git pull` from working."""
        places = [path for path in (self.clone / "config").rglob("*") if path.is_file()]
        return {
            path.relative_to(self.clone).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in places
            if path.name != "hardware_cache.json" and path.parent.name != "own"
        }


@pytest.fixture
def world(reel: Reel, tmp_path: Path, made: Mapping[str, Files]) -> Iterator[World]:
    clone = fresh_clone(tmp_path)
    with serve_for(clone, made) as public:
        (tmp_path / "person").mkdir()
        own = {"HOME": str(tmp_path / "person"), "REEL_CACHE_DIR": str(tmp_path / "cache"), **public.variables}
        variables = reel.environment(own)
        yield World(clone, public, {name: value for name, value in variables.items() if name != "PYTHONPATH"})


@pytest.fixture(scope="session")
def clip(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of the sample, to be heard with random weights."""
    place = tmp_path_factory.mktemp("clip") / "clip.mkv"
    source = ROOT / "samples" / "demo.mp4"
    command = [str(ffmpeg), "-v", "error", "-i", str(source), "-t", "10", "-c", "copy", str(place)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return place


@pytest.mark.parametrize("profile", PROFILES)
def test_one_command_sets_a_profile_up_and_a_run_works_without_a_network(
    world: World, clip: Path, profile: str
) -> None:
    before = world.tracked()
    more = (*(("--languages", "en") if profile in {"best", "indic"} else ()), *(CODE if profile == "indic" else ()))
    done = world.run("bootstrap.sh", "--cache-models", "--profile", profile, *more)
    assert f"profile {profile}, because you named it" in done.stderr
    assert world.tracked() == before
    listed = world.run("reel", "models", "list", "--profile", profile).stdout
    assert listed.splitlines()[-1].endswith(f"; {profile} needs nothing more")
    world.public.hub.requests.clear()
    if profile in {"starter", "best"}:  # few models, and of every kind of source
        world.run("bootstrap.sh", "--cache-models", "--profile", profile, *more)
        assert world.public.hub.requests == [], "what is complete is not asked for again"
    job = _run(world, clip, "first", "--profile", profile)
    assert world.public.hub.requests == []
    assert job["profile"] == profile
    if profile == "best":
        # Random weights leave no speech for the aligner, so another backend separates it here.
        heard = ("--set", "separate.backend=deepfilternet", "--language", "en")
        job = _run(world, clip, "carried", "--profile", profile, *heard, more=_carried(world))
        assert "align-en" in json.dumps(job), "the words are aligned"


def _run(world: World, clip: Path, out: str, *words: str, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run the clip without a network; return what `job.json` says."""
    place = world.clone.parent / out
    world.run("reel", "run", clip, "--offline", "--progress", "plain", "-o", place, *words, more=more)
    found: dict[str, Any] = json.loads((place / "clip" / "job.json").read_text(encoding="utf-8"))
    return found


def _carried(world: World) -> dict[str, str]:
    """Carry the models to a machine without a network: return the variables of its cache."""
    place = str(world.clone.parent / "other-cache")
    world.run("reel", "models", "export", "best.tar", "--profile", "best", "--languages", "en")
    world.run("reel", "models", "import", "best.tar", more={"REEL_CACHE_DIR": place})
    return {"REEL_CACHE_DIR": place}


FLAGS = {
    "--whisperx": ["faster-whisper-large-v3", "align-*", "punkt-tab"],
    "--pyannote": ["pyannote-*"],
    "--demucs": ["demucs-*"],
    "--nllb": ["nllb-*"],
    "--indictrans2": ["indictrans2-*"],
    "--mlx": ["mlx-whisper-*"],
    "--nemo": ["parakeet-*", "canary-qwen*"],
}


def test_each_flag_of_cache_models_brings_its_family_and_all_brings_every_model(world: World) -> None:
    before, there = world.tracked(), set[str]()
    for flag, patterns in FLAGS.items():
        world.run("cache-models.sh", flag, *(CODE if flag == "--indictrans2" else ()))
        wanted = {n for n in MODELS for pattern in patterns if re.fullmatch(pattern.replace("*", ".*"), n)}
        there |= wanted
        assert world.complete() >= there, f"{flag} leaves out {there - world.complete()}"
    world.run("cache-models.sh", "--all", *CODE)
    assert world.complete() == set(MODELS)
    assert world.tracked() == before
