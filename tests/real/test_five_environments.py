"""One run through five environments: WhisperX, forced alignment, pyannote, Demucs and NLLB, each library in its own,
all of them from one cache and without a network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline import events
from pipeline.app import App
from pipeline.batch import BatchResult, run_batch
from pipeline.edits import EditStore
from pipeline.media_list import Request
from pipeline.result_store import ResultStore
from shared.transcript import Transcript
from tests.real.cases import CASES, MakeFiles
from tests.real.conftest import ServeModels, call

WHISPER = "faster-whisper-base"
BACKENDS = {
    "separate": "demucs",
    "asr": "whisperx",
    "align": "whisperx",
    "diarize": "pyannote",
    "translate": "nllb",
}
FAMILIES = {"lite", "speech", "demucs", "translate", "core"}


def _tiny() -> dict[tuple[str, str], tuple[str, str, MakeFiles]]:
    """The stand-ins of those backends: by stage and role the model's name, its environment, and what makes it."""
    return {
        (case.stage, role): (tiny.name, case.declared.environment, tiny.make)
        for case in CASES
        if BACKENDS.get(case.stage) == case.backend
        for role, tiny in case.tiny.items()
    }


@pytest.fixture(scope="module")
def app(real_app: App, serve_models: ServeModels, tmp_path_factory: pytest.TempPathFactory) -> App:
    """A project with those backends, the models made for the test and a real Whisper."""
    folder = tmp_path_factory.mktemp("five")
    real_app.models.fetch(WHISPER, lambda event: None)
    models = {WHISPER: real_app.models.snapshot(WHISPER)}
    roles: dict[str, dict[str, str]] = {"asr": {"whisper": WHISPER}}
    for (stage, role), (name, environment, make) in _tiny().items():
        real_app.environments.ensure(environment, lambda event: None)
        models[name] = folder / name
        models[name].mkdir()
        make(real_app.environments.python(environment), models[name])
        roles.setdefault(stage, {})[role] = name
    served = serve_models(models, **roles)
    chosen = {f"stages.{stage}.backend": backend for stage, backend in BACKENDS.items()}
    # A Demucs without training leaves no voice to be found: all of it is taken for speech.
    everything: dict[str, JsonValue] = {"stages.vad.threshold": 1e-6, "stages.vad.neg_threshold": 0.0}
    changed = served.changed({**chosen, **everything, "stages.translate.max_length": 24, "to": ["pt"]})
    results = folder / "results"
    project = replace(changed.project, results=results, index=results, output=folder / "out")
    store, edits = ResultStore(results, results), EditStore(results / "edits")
    return replace(changed, project=project, store=store, edits=edits)


@pytest.fixture(scope="module")
def talk(ffmpeg: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the sample in which both speak."""
    media = tmp_path_factory.mktemp("talk") / "talk.mp4"
    call(ffmpeg, "-nostdin", "-loglevel", "error", "-ss", "14", "-t", "13", "-i", demo, media)
    return media


@pytest.fixture(scope="module")
def told() -> list[events.Event]:
    return []


@pytest.fixture(scope="module")
def done(app: App, talk: Path, told: list[events.Event]) -> BatchResult:
    return run_batch([Request(talk)], app, told.append)


def test_one_command_goes_through_five_environments(app: App, done: BatchResult, told: list[events.Event]) -> None:
    assert done.failed == (), [event for event in told if isinstance(event, events.StepFailedEvent)]
    assert {step.backend.environment for step in app.plan().steps} == FAMILIES
    (item,) = done.items
    assert item.published
    names = {path.name for path in item.published.files}
    assert {"talk.en.srt", "talk.pt.srt", "talk.mkv", "speakers.rttm", "transcript.json"} <= names
    notices = [event.text for event in told if isinstance(event, events.Notice)]
    assert not any("aligner" in text or "does without" in text for text in notices)


def test_the_result_says_which_models_each_step_worked_with(done: BatchResult) -> None:
    (item,) = done.items
    assert item.published
    job = json.loads((item.published.folder / "job.json").read_text())
    used = {name: (step["backend"], step["models"]) for name, step in job["steps"].items()}
    assert used["asr"] == ("whisperx", {"whisper": WHISPER})
    assert used["align"] == ("whisperx", {"en": "align-en"})
    assert used["diarize"] == ("pyannote", {"pipeline": "pyannote-community-1"})
    assert used["separate"] == ("demucs", {"separator": "demucs-htdemucs"})
    assert job["licences"]["pyannote-community-1"] == "CC-BY-4.0"
    assert job["licences"]["align-en"] == "MIT"


def test_words_were_placed_by_the_aligner_and_given_to_speakers(done: BatchResult) -> None:
    (item,) = done.items
    assert item.published
    transcript = Transcript.read(item.published.folder / "transcript.json")
    words = [word for segment in transcript.segments for word in segment.words]
    assert words
    assert not any(word.interpolated for word in words)
    assert all(word.speaker for word in words)


def test_a_second_run_does_nothing(app: App, done: BatchResult, talk: Path) -> None:
    (item,) = run_batch([Request(talk)], app, lambda event: None).items
    assert (item.state, item.steps_run) == ("reused", 0)
