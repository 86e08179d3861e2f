"""A server whose models are local files, with a Parakeet that a test makes: it works without a hub, and says which file
is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from tests.conftest import ROOT, Reel
from tests.fakes.hub import serve as serve_hub
from tests.fakes.web_client import Reply, Server, end_server, start_server
from tests.pipeline.web.test_audio_apis import form
from tests.real.cases import script
from tests.real.conftest import call


def transcribe(server: Server, sound: Path) -> Reply:
    body, headers = form([("model", "whisper-1")], "file", sound.read_bytes(), sound.name)
    return server.ask("POST", "/v1/audio/transcriptions", body, headers)


@pytest.fixture
def cache(real_project: Project, reel: Reel) -> Path:
    """Return a cache with the models of the starter profile, under second names."""
    folder = reel.folder / "cache"
    for name in ("huggingface", "models"):
        shutil.copytree(real_project.folders.cache / name, folder / name, symlinks=True, copy_function=shutil.copy2)
    return folder


def test_parakeet_is_served_from_a_local_file_and_a_deleted_one_is_named(
    reel: Reel, real_project: Project, cache: Path, demo: Path, ffmpeg: Path, tmp_path: Path
) -> None:
    real_project.installed.environments.ensure("nemo", lambda event: None)
    made = tmp_path / "made"
    made.mkdir()
    script("tiny_parakeet.py")(real_project.installed.environments.python("nemo"), made)
    sounds = [tmp_path / f"{number}.wav" for number in (1, 2)]
    for number, sound in enumerate(sounds):
        call(ffmpeg, "-nostdin", "-loglevel", "error", "-ss", f"{3 + number}", "-t", "4", "-i", demo, "-ac", "1", sound)
    with serve_hub({}) as hub:
        extra = {
            "REEL_CACHE_DIR": str(cache), "REEL_OWN_MODELS_DIR": str(tmp_path / "own"), "HF_ENDPOINT": hub.address,
            "REEL_PROFILE": "nemo", "REEL_DEVICE": "cpu",
        }  # fmt: skip
        reel("models", "add", "mine", made, "--stage", "asr", "--licence", "MIT", extra=extra)
        named = ["asr.models.recognizer=mine", "translate.models.whisper=faster-whisper-base"]
        flags = [word for setting in named for word in ("--set", setting)]
        server = start_server(reel, *flags, extra=extra)
        try:
            assert server.ask("GET", "/ready").data["models"]["state"] == "complete"
            heard = transcribe(server, sounds[0])
            assert (heard.status, heard.data["usage"]["seconds"]) == (200, 4), heard.body
            (archive,) = (path for path in cache.rglob("*.nemo") if path.is_file())
            archive.unlink()
            refused = transcribe(server, sounds[1])
            assert refused.status == 500
            assert f"mine: {archive} is not there" in refused.data["error"]["message"]
            assert transcribe(server, sounds[0]).status == 200, "what was made is still there"
            assert server.ask("GET", "/ready").data["models"]["missing"] == ["mine"]
        finally:
            end_server(server)
        again = reel("serve", "--port", "0", *flags, extra=extra, expect=5)
        assert f"mine: {archive} is not there" in again.stderr
        assert "run `./reel models fetch mine` once" in again.stderr
        assert hub.requests == []
    assert (ROOT / "docs" / "how-to" / "serve-local-models.md").is_file()
