"""Stage `diarize` on published recordings and on the sample."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.project import Project
from shared.documents.diarization import Diarization, Turn, from_rttm
from shared.documents.speech import SpeechRegions
from tests.conftest import ROOT
from tests.real.cases import script
from tests.real.conftest import MakeStages, ServeModels, Stages, call, write_wav

_WHEEL = "pyannote.audio==4.0.7 --hash=sha256:852ea15c4d85bc34773e618267603ffca6a521669a74d33742692cc67fc700d6\n"
"""The telephone call ships inside this wheel, with its reference; its provenance is not ours to redistribute."""
_LIBRIVOX = ROOT / "tests" / "data" / "librivox"


def _error_rate(reference: tuple[Turn, ...], found: tuple[Turn, ...], collar_each_side_s: float) -> float:
    from pyannote.core import Annotation, Segment, Timeline  # with scipy, which takes a second of each collection
    from pyannote.metrics.diarization import DiarizationErrorRate

    def annotation(turns: tuple[Turn, ...]) -> Annotation:
        made = Annotation()
        for number, turn in enumerate(turns):
            made[Segment(turn.start_ms / 1000, turn.end_ms / 1000), number] = turn.speaker
        return made

    # pyannote.metrics takes the collar's whole width, NIST's md-eval the half on each side.
    metric = DiarizationErrorRate(collar=2 * collar_each_side_s)
    whole = Timeline([Segment(0, max(turn.end_ms for turn in (*reference, *found)) / 1000)])
    return float(metric(annotation(reference), annotation(found), uem=whole))


@pytest.fixture(scope="session")
def telephone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Turn, ...]]:
    folder = tmp_path_factory.mktemp("telephone")
    requirement = folder / "requirement.txt"
    requirement.write_text(_WHEEL, encoding="utf-8")
    call(
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        requirement,
        "-d",
        folder,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        for name in ("sample.wav", "sample.rttm"):
            (folder / name).write_bytes(wheel.read(f"pyannote/audio/sample/{name}"))
    return folder / "sample.wav", from_rttm((folder / "sample.rttm").read_text(encoding="utf-8"))


@pytest.mark.parametrize("params", [{}, {"num_speakers": 2}], ids=["counted", "told"])
def test_a_telephone_call_has_at_most_15_percent_of_error(
    run_stage: Stages, telephone: tuple[Path, tuple[Turn, ...]], params: dict[str, int]
) -> None:
    media, reference = telephone
    speech = run_stage("demux", {"media": media}).file("speech")
    regions = run_stage("vad", {"audio": speech}).file("speech")
    done = run_stage("diarize", {"audio": speech, "speech": regions}, params)
    turns = Diarization.read(done.file("turns")).turns
    assert done.facts["speakers"] == 2
    error = _error_rate(reference, turns, 0.25)
    print(f"diarization error {error:.3f} with a collar of 0.25 s on each side")
    assert error <= 0.15
    assert _error_rate(reference, turns, 0.125) <= 0.15


def _samples(run_stage: Stages, media: Path) -> bytes:
    with wave.open(str(run_stage("demux", {"media": media}).file("speech"))) as source:
        return bytes(source.readframes(source.getnframes()))


@pytest.mark.parametrize("silence_ms", [400, 2130])
def test_the_same_call_inside_a_longer_file_has_the_same_two_speakers(
    run_stage: Stages, telephone: tuple[Path, tuple[Turn, ...]], tmp_path: Path, silence_ms: int
) -> None:
    """A reader before and after the call, and what the reader says is one voice."""
    media, reference = telephone
    with wave.open(str(media)) as source:
        call_samples = source.readframes(source.getnframes())
    reader = b"".join(_samples(run_stage, path) + bytes(silence_ms * 32) for path in sorted(_LIBRIVOX.glob("*.flac")))
    begins_ms = len(reader) // 32
    whole = write_wav(tmp_path / "long.wav", reader + call_samples + bytes(silence_ms * 32) + reader)
    speech = run_stage("demux", {"media": whole}).file("speech")
    regions = run_stage("vad", {"audio": speech}).file("speech")
    found = Diarization.read(run_stage("diarize", {"audio": speech, "speech": regions}).file("turns")).turns
    ends_ms = begins_ms + len(call_samples) // 32
    inside = tuple(
        turn.model_copy(update={"start_ms": turn.start_ms - begins_ms, "end_ms": turn.end_ms - begins_ms})
        for turn in found
        if begins_ms <= turn.start_ms < ends_ms
    )
    error = _error_rate(reference, inside, 0.25)
    print(f"diarization error {error:.3f} inside")
    assert error <= 0.12
    assert len({turn.speaker for turn in inside}) == 2
    assert len({turn.speaker for turn in found}) == 3


def _stereo(path: Path, channels: np.ndarray) -> Path:
    """Write two channels of 16 kHz sound."""
    with wave.open(str(path), "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(16000)
        target.writeframes(np.clip(channels, -32768, 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def call_in_stereo(telephone: tuple[Path, tuple[Turn, ...]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the call as a call recorder writes it: a channel for each person, with noise and a leak of -26 dB."""
    media, reference = telephone
    with wave.open(str(media)) as source:
        mono = np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(float)
    voices = np.zeros((len(mono), 2))
    speakers = sorted({turn.speaker for turn in reference})
    for turn in reference:
        part = slice(turn.start_ms * 16, turn.end_ms * 16)
        voices[part, speakers.index(turn.speaker)] = mono[part]
    noise = np.random.default_rng(1).normal(0, 20, voices.shape)
    return _stereo(tmp_path_factory.mktemp("stereo") / "call.wav", voices + 0.05 * voices[:, ::-1] + noise)


def test_a_call_with_a_person_on_each_channel_is_told_apart_by_its_channels(
    run_stage: Stages, telephone: tuple[Path, tuple[Turn, ...]], call_in_stereo: Path
) -> None:
    demuxed = run_stage("demux", {"media": call_in_stereo})
    assert demuxed.facts["person_per_channel"] is True
    speech = demuxed.file("speech")
    regions = run_stage("vad", {"audio": speech}).file("speech")
    inputs = {"audio": speech, "speech": regions, "channels": demuxed.file("channels")}
    done = run_stage("diarize", inputs)
    assert (done.facts["speakers"], done.facts["by_channel"]) == (2, True)
    found = Diarization.read(done.file("turns"))
    error = _error_rate(telephone[1], found.turns, 0.25)
    print(f"diarization error {error:.3f} by channels")
    assert error <= 0.05
    assert found.exclusive
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(found.exclusive))
    assert run_stage("diarize", inputs, {"num_speakers": 3}).facts["by_channel"] is False


def test_the_channels_of_a_film_hold_the_same_people(
    run_stage: Stages, telephone: tuple[Path, tuple[Turn, ...]], tmp_path: Path
) -> None:
    """Dialogue in the middle, music of its own on each side."""
    with wave.open(str(telephone[0])) as source:
        mono = np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(float)
    sides = np.random.default_rng(1).normal(0, 0.3 * mono.std(), (len(mono), 2))
    done = run_stage("demux", {"media": _stereo(tmp_path / "film.wav", mono[:, None] + sides)})
    assert done.file("speech").is_file()
    assert "person_per_channel" not in done.facts


def test_the_sample_has_two_speakers_who_take_turns_as_written(
    run_stage: Stages, speech_clip: Path, speech_regions: Path
) -> None:
    done = run_stage("diarize", {"audio": speech_clip, "speech": speech_regions})
    turns = Diarization.read(done.file("turns")).turns
    assert done.facts["speakers"] == 2
    assert from_rttm(done.file("rttm").read_text(encoding="utf-8")) == turns
    reference = from_rttm((ROOT / "samples" / "demo.rttm").read_text(encoding="utf-8"))
    assert _error_rate(reference, turns, 0.25) <= 0.10


def test_nobody_speaks_in_silence(run_stage: Stages, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", bytes(16000 * 2 * 3))
    regions = SpeechRegions(duration_ms=3000, regions=()).write(tmp_path / "regions.json")
    done = run_stage("diarize", {"audio": silence, "speech": regions})
    assert Diarization.read(done.file("turns")).turns == ()
    assert done.file("rttm").read_text(encoding="utf-8") == ""


# What pyannote's 3.1 says of itself: its parts by name, wherever they are.
_THREE_ONE = {
    "version": "3.1.0",
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "clustering": "AgglomerativeClustering",
            "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM",
            "embedding_batch_size": 32,
            "embedding_exclude_overlap": True,
            "segmentation": "pyannote/segmentation-3.0",
            "segmentation_batch_size": 32,
            "segmentation_step": 1.0,
        },
    },
    "params": {
        "clustering": {"method": "centroid", "min_cluster_size": 1, "threshold": 0.7},
        "segmentation": {"min_duration_off": 0.0},
    },
}
# The models of 3.1, each with the part of the made pipeline that stands for it.
_PARTS = {"pyannote-segmentation-3-0": "segmentation", "pyannote-wespeaker": "embedding"}


@pytest.fixture(scope="module")
def small_pipeline(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a pipeline with pyannote's architecture and few weights."""
    real_project.installed.environments.ensure("speech", lambda event: None)
    folder = tmp_path_factory.mktemp("pyannote") / "pyannote-community-1"
    folder.mkdir()
    script("tiny_pyannote.py")(real_project.installed.environments.python("speech"), folder)
    return folder


@pytest.fixture(scope="module")
def three_one(small_pipeline: Path, serve_models: ServeModels, make_stages: MakeStages) -> Stages:
    """Return stages with pyannote's 3.1, which takes its parts from other repositories of the cache."""
    folder = small_pipeline.parent
    for model, part in _PARTS.items():
        shutil.copytree(small_pipeline / part, folder / model)
    (folder / "pyannote-diarization-3-1").mkdir()
    (folder / "pyannote-diarization-3-1" / "config.yaml").write_text(json.dumps(_THREE_ONE), encoding="utf-8")
    project = serve_models(
        {path.name: path for path in folder.iterdir()}, diarize={"pipeline": "pyannote-diarization-3-1"}
    )
    return make_stages(project)


def test_pyannote_gives_overlapping_turns_and_exclusive_ones_from_parts_that_it_finds_by_name(
    three_one: Stages, speech_clip: Path, speech_regions: Path
) -> None:
    inputs = {"audio": speech_clip, "speech": speech_regions}
    done = three_one("diarize", inputs, {"max_speakers": 2}, "pyannote")
    found = Diarization.read(done.file("turns"))
    assert from_rttm(done.file("rttm").read_text(encoding="utf-8")) == found.turns
    assert 1 <= len(found.speakers) <= 2
    assert found.exclusive
    assert {turn.speaker for turn in found.exclusive} <= set(found.speakers)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(found.exclusive))
    filled = three_one("diarize", inputs, {"max_speakers": 2, "min_duration_off": 5.0}, "pyannote")
    assert len(Diarization.read(filled.file("turns")).turns) < len(found.turns)


_BATCHES = """
import sys
from pathlib import Path
import torch
from shared.stage import Device
from stages.diarize import pyannote

torch.set_num_threads(1)
pyannote.torch_device = lambda device: torch.device("cpu")
sound, masks = torch.randn(3, 1, 16000), torch.ones(3, 59)
voices, sizes = [], []
for kind in ("cuda", "cpu"):
    pipeline = pyannote.load({"pipeline": Path(sys.argv[1])}, Device(kind, 1, {}))._pipeline
    pipeline.embedding_batch_size = 4
    pipeline._embedding.model_.register_forward_pre_hook(lambda model, given: sizes.append(len(given[0])))
    voices.append(pipeline._embedding(sound, masks=masks))
filled, alone = voices
print(sizes, filled.shape, abs(filled - alone).max() <= 1e-5 * abs(alone).max(), pipeline._embedding.dimension)
"""


def test_on_a_card_the_last_batch_of_voices_is_filled_and_gives_the_same(
    real_project: Project, small_pipeline: Path
) -> None:
    """Another size may take several times the memory there."""
    python = real_project.installed.environments.python("speech")
    done = subprocess.run(
        [python, "-c", _BATCHES, small_pipeline], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[4, 3] (3, 256) True 256"
