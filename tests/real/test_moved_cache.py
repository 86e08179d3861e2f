"""A cache that was moved, or is mounted read-only, serves as before, to both generations of the hub's client."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.base.settings import load_settings
from pipeline.engine.project import Project, open_project
from shared.documents.transcript import Transcript
from shared.environment_manager import ChildPaths, child_environment
from tests.conftest import Reel
from tests.real.conftest import Stages, make_environment

WHISPER = "faster-whisper-base"
OLD_CLIENT = "huggingface-hub==0.36.2"
# Asks for the model as a library does that knows no revision; what is found must be the locked one.
ASK = """
import sys
import huggingface_hub
print(huggingface_hub.__version__)
print(huggingface_hub.hf_hub_download(sys.argv[1], "config.json"))
print(huggingface_hub.snapshot_download(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def moved(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the project's models under another roof: second names of the same bytes, none of it writable."""
    real_project.installed.models.fetch(WHISPER, lambda event: None)
    cache = tmp_path_factory.mktemp("elsewhere") / "a cache"
    for name in ("huggingface", "models"):
        shutil.copytree(real_project.folders.cache / name, cache / name, symlinks=True, copy_function=os.link)
        # A hard link shares its mode with the original, so folders alone are closed.
        for root, _, _ in os.walk(cache / name):
            Path(root).chmod(0o555)
    yield cache
    for name in ("huggingface", "models"):
        for root, _, _ in os.walk(cache / name):
            Path(root).chmod(0o755)


@pytest.fixture(scope="module")
def moved_project(moved: Path) -> Project:
    flags: dict[str, JsonValue] = {"profile": "starter", "cache_dir": str(moved), "offline": True}
    return open_project(load_settings(CONFIG / "defaults.toml", CODE_ROOT / "none.toml", {}, flags)[0])


def _listing(cache: Path) -> list[str]:
    folders = (cache / "huggingface", cache / "models")
    return sorted(str(path.relative_to(cache)) for folder in folders for path in folder.rglob("*"))


def test_speech_is_recognised_from_a_moved_and_read_only_cache(
    moved_project: Project, moved: Path, tmp_path: Path, speech_clip: Path, speech_regions: Path
) -> None:
    before = _listing(moved)
    stages = Stages(moved_project, tmp_path)
    try:
        done = stages("asr", {"audio": speech_clip, "speech": speech_regions})
    finally:
        stages.close()
    assert len(Transcript.read(done.file("transcript")).text.split()) > 20
    assert moved_project.installed.models.snapshot(WHISPER).is_relative_to(moved)
    assert _listing(moved) == before


def _ask(python: Path, cache: Path, project: Project) -> list[str]:
    paths = ChildPaths(CODE_ROOT, cache, (), cache / "home")
    repository = project.installed.models.locked[WHISPER].repo
    assert repository
    done = subprocess.run(
        [python, "-c", ASK, repository], env=child_environment(paths, {}, offline=True), cwd=cache,
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("generation", ["0", "2"])
def test_each_generation_of_the_hubs_client_finds_the_model_offline_by_its_name_alone(
    generation: str, moved_project: Project, moved: Path, real_project: Project, tmp_path: Path
) -> None:
    if generation == "2":
        real_project.installed.environments.ensure("lite", lambda event: None)
        python = real_project.installed.environments.python("lite")
    else:
        python = make_environment(real_project, tmp_path / "old", OLD_CLIENT)
    version, file, folder = _ask(python, moved, moved_project)
    snapshot = moved_project.installed.models.snapshot(WHISPER)
    assert version.partition(".")[0] == generation
    assert Path(file) == snapshot / "config.json"
    assert Path(folder) == snapshot


def test_an_exported_model_is_verified_and_understands_speech_on_a_machine_without_a_network(
    reel: Reel, real_project: Project
) -> None:
    reel("models", "export", "models.tar", WHISPER)
    offline = {"REEL_CACHE_DIR": str(reel.folder / "other"), "REEL_OFFLINE": "true", "REEL_PROFILE": "starter"}
    before = reel("models", "verify", WHISPER, extra=offline, expect=5)
    assert "not fetched yet" in before.stdout
    reel("models", "import", "models.tar", extra=offline)
    assert "verified" in reel("models", "verify", WHISPER, extra=offline).stdout


def test_what_was_damaged_is_told_and_what_offline_cannot_be_repaired_is_an_error(reel: Reel, moved: Path) -> None:
    cache = reel.folder / "damaged"
    shutil.copytree(moved, cache, symlinks=True, copy_function=os.link)
    for root, _, _ in os.walk(cache):
        Path(root).chmod(0o755)
    own = {"REEL_CACHE_DIR": str(cache), "REEL_OFFLINE": "true"}
    blob = next(path for path in cache.rglob("blobs/*") if path.stat().st_size == 2309)
    content = blob.read_bytes()
    blob.unlink()  # the bytes are those of the project's own cache
    blob.write_bytes(b"[" + content[1:])
    told = reel("models", "verify", WHISPER, extra=own, expect=5)
    assert "1 wrong" in told.stdout
    assert "has sha256" in told.stdout
    repair = reel("models", "verify", WHISPER, "--repair", extra=own, expect=5)
    assert "the setting `offline` forbids" in repair.stdout
    assert not blob.exists()
    reel("models", "adopt", moved, extra=own)
    assert "verified" in reel("models", "verify", WHISPER, extra=own).stdout
    assert "nothing to delete" in reel("models", "prune", extra=own).stdout
