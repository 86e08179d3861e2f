"""One command through five environments: WhisperX, forced alignment, pyannote, Demucs and NLLB, each library in its
own, all of them from one cache and without a network. The models are a user's own, by `reel models add`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from pipeline.engine.project import Project
from shared.documents.transcript import Transcript
from tests.conftest import Reel
from tests.real.cases import CASES
from tests.real.conftest import call

WHISPER = "faster-whisper-base"
BACKENDS = {
    "separate": "demucs",
    "asr": "whisperx",
    "align": "whisperx",
    "diarize": "pyannote",
    "translate": "nllb",
}
FAMILIES = ("lite", "speech", "demucs", "translate")  # and the core, which runs the command


@pytest.fixture(scope="module")
def reel(real_project: Project, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Reel:
    """Return the command line with a cache of its own that holds what the project's does."""
    real_project.installed.models.fetch(WHISPER, lambda event: None)
    for family in FAMILIES:
        real_project.installed.environments.ensure(family, lambda event: None)
    folder = tmp_path_factory.mktemp("five")
    for name in ("huggingface", "models"):
        where = real_project.folders.cache / name
        shutil.copytree(where, folder / "cache" / name, symlinks=True, copy_function=os.link)
    return Reel(folder, home)


@pytest.fixture(scope="module")
def own(reel: Reel) -> dict[str, str]:
    """Return the variables of a user with an own cache and own models, who lets nothing out."""
    folders = {"REEL_CACHE_DIR": str(reel.folder / "cache"), "REEL_OWN_MODELS_DIR": str(reel.folder / "own")}
    return {**folders, "REEL_PROFILE": "starter", "REEL_OFFLINE": "true"}


@pytest.fixture(scope="module")
def models(reel: Reel, own: dict[str, str], real_project: Project) -> list[str]:
    """Return what the user adds, as the words that say where it is used."""
    words = [f"asr.models.whisper={WHISPER}"]
    for case in CASES:
        if BACKENDS.get(case.stage) != case.backend:
            continue
        for role, tiny in case.tiny.items():
            folder = reel.folder / f"tiny {role}"
            folder.mkdir()
            tiny.make(real_project.installed.environments.python(case.declared.environment), folder)
            added = ("--stage", case.stage, "--licence", f"the licence of {role}")
            told = reel("models", "add", f"own-{role}", folder, *added, extra=own).stdout
            place = f"{case.stage}.languages" if case.declared.by_language else f"{case.stage}.models"
            assert f"--set {place}." in told
            words.append(f"{place}.{role}=own-{role}")
    return words


@pytest.fixture(scope="module")
def command(models: list[str], ffmpeg: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the one command, for a part of the sample in which both speak."""
    media = tmp_path_factory.mktemp("talk") / "talk.mp4"
    call(ffmpeg, "-nostdin", "-loglevel", "error", "-ss", "14", "-t", "13", "-i", demo, media)
    # A Demucs without training leaves no voice to be found: all of it is taken for speech.
    everything = [
        "vad.threshold=1e-6",
        "vad.neg_threshold=0.0",
        "translate.max_length=24",
        "translate.max_untranslated=1",
    ]
    chosen = [f"{stage}.backend={backend}" for stage, backend in BACKENDS.items()]
    return ["run", str(media), "--to", "pt", *(f"--set={word}" for word in [*chosen, *models, *everything])]


@pytest.fixture(scope="module")
def done(reel: Reel, own: dict[str, str], command: list[str]) -> CompletedProcess[str]:
    return reel(*command, extra=own)


@pytest.fixture(scope="module")
def out(reel: Reel, done: CompletedProcess[str]) -> Path:
    return reel.out / "talk"


def test_one_command_goes_through_five_environments(reel: Reel, done: CompletedProcess[str], out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    assert {"talk.en.srt", "talk.pt.srt", "talk.mkv", "speakers.rttm", "transcript.json"} <= names
    assert "does without" not in done.stderr
    assert "no aligner" not in done.stderr
    logs = reel.results.glob("runs/*/*.log")  # one of each worker: its number, its environment, its stage
    assert {log.stem.split("-")[1] for log in logs} == {*FAMILIES, "core"}


def test_the_result_says_which_models_each_step_worked_with(out: Path) -> None:
    job = json.loads((out / "job.json").read_text(encoding="utf-8"))
    used = {name: (step["backend"], step["models"]) for name, step in job["steps"].items()}
    assert used["asr"] == ("whisperx", {"whisper": WHISPER})
    assert used["align"] == ("whisperx", {"en": "own-en"})
    assert used["diarize"] == ("pyannote", {"pipeline": "own-pipeline"})
    assert used["separate"] == ("demucs", {"separator": "own-separator"})
    assert used["translate:pt"] == ("nllb", {"nllb": "own-nllb"})
    assert job["licences"]["own-pipeline"] == "the licence of pipeline"
    assert job["licences"][WHISPER] == "MIT"


def test_words_were_placed_by_the_aligner_and_given_to_speakers(out: Path) -> None:
    transcript = Transcript.read(out / "transcript.json")
    words = [word for segment in transcript.segments for word in segment.words]
    assert words
    assert not any(word.interpolated for word in words)
    assert all(word.speaker for word in words)


def test_a_second_run_does_nothing(
    reel: Reel, own: dict[str, str], command: list[str], done: CompletedProcess[str]
) -> None:
    (item,) = json.loads(reel(*command, "--json", extra=own).stdout)["data"]["items"]
    assert (item["state"], item["steps_run"]) == ("reused", 0)
