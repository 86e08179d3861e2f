"""Stage `separate` with the real enhancer."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.base.errors import StageRefused
from pipeline.engine.project import Project
from shared.documents.speech import Separation
from tests.conftest import ROOT
from tests.real.cases import HERE
from tests.real.conftest import CaseProject, MakeStages, Stages, write_wav

Samples = npt.NDArray[np.float64]


def _read(path: Path) -> Samples:
    with wave.open(str(path)) as source:
        assert (source.getframerate(), source.getnchannels()) == (16_000, 1)
        return np.frombuffer(source.readframes(source.getnframes()), "<i2") / 32_768


def _write(path: Path, samples: Samples) -> Path:
    return write_wav(path, (samples * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes())


def _likeness_db(voice: Samples, found: Samples) -> float:
    """Return the scale-invariant signal-to-distortion ratio; no shift is allowed for, so a delay would ruin it."""
    part = np.dot(found, voice) / np.dot(voice, voice) * voice
    return float(10 * np.log10(np.sum(part**2) / np.sum((found - part) ** 2)))


@pytest.fixture(scope="module")
def noisy(speech_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sample under as much noise as there is voice, 6 dB over."""
    voice = _read(speech_clip)
    noise = np.random.default_rng(0).standard_normal(len(voice))
    level = 2 * np.sqrt(np.mean(voice**2))
    return _write(tmp_path_factory.mktemp("noisy") / "noisy.wav", (voice + noise * level) / 8)


def test_clean_speech_is_left_alone(run_stage: Stages, speech_clip: Path, speech_regions: Path) -> None:
    done = run_stage("separate", {"audio": speech_clip, "speech": speech_regions})
    separation = Separation.read(done.file("separation"))
    assert not separation.applied
    assert done.outputs["speech"] is None
    assert done.facts == {"snr_db": separation.snr_db, "applied": False}


def test_very_noisy_speech_comes_nearer_to_the_voice_in_step_and_length(
    run_stage: Stages, speech_clip: Path, speech_regions: Path, noisy: Path
) -> None:
    done = run_stage("separate", {"audio": noisy, "speech": speech_regions})
    assert done.facts["applied"] is True
    voice, before, after = _read(speech_clip), _read(noisy), _read(done.file("speech"))
    assert len(after) == len(voice)
    assert _likeness_db(voice, after) > _likeness_db(voice, before) + 5


def test_a_clip_shorter_than_the_filters_delay_is_filtered_too(
    run_stage: Stages, speech_regions: Path, tmp_path: Path
) -> None:
    short = _write(tmp_path / "short.wav", np.zeros(300))
    done = run_stage("separate", {"audio": short, "speech": speech_regions}, {"when": "always"})
    assert len(_read(done.file("speech"))) == 300


DEMUCS = next(case for case in HERE if str(case) == "separate-demucs")
SOURCES = ("bass", "drums", "other", "vocals")


@pytest.fixture(scope="module")
def demucs(case_project: CaseProject, make_stages: MakeStages) -> Stages:
    """Return runs with a tiny Demucs of the real architecture."""
    return make_stages(case_project(DEMUCS))


def _stereo(path: Path, seconds: float) -> Path:
    """Return two different noises at Demucs' own rate."""
    samples = np.random.default_rng(0).standard_normal((int(44_100 * seconds), 2)) * 3_000
    with wave.open(str(path), "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(44_100)
        target.writeframes(samples.astype("<i2").tobytes())
    return path


def _in_demucs(project: Project, program: str, *arguments: object) -> str:
    """Return what a program of ours prints in the environment of Demucs."""
    python = project.installed.environments.python("demucs")
    command = [str(python), str(ROOT / "tests" / "fakes" / program), *map(str, arguments)]
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_segments_in_batches_as_on_a_card_give_the_same_parts(
    demucs: Stages, real_project: Project, tmp_path: Path
) -> None:
    """As fixed points of 16 bits: floating-point sums differ by the size of a batch."""
    full = _stereo(tmp_path / "full.wav", 5.3)
    _in_demucs(real_project, "tiny_demucs.py", tmp_path)
    assert float(_in_demucs(real_project, "demucs_in_batches.py", tmp_path, full)) < 0.05


def test_demucs_window_by_window_gives_what_demucs_gives_at_once(
    demucs: Stages, real_project: Project, speech_regions: Path, tmp_path: Path
) -> None:
    """The library's own interface reads the same weights from its pickled form, and holds the whole mix."""
    full = _stereo(tmp_path / "full.wav", 5.3)
    short = _write(tmp_path / "short.wav", np.zeros(int(16_000 * 5.3)))
    inputs = {"audio": short, "speech": speech_regions, "full": full}
    done = demucs("separate", inputs, {"two_stems": None, "shifts": 0}, "demucs")
    stems = done.outputs["stems"]
    assert isinstance(stems, tuple)
    assert [path.stem for path in stems] == list(SOURCES)

    itself, weights = tmp_path / "itself", tmp_path / "weights"
    itself.mkdir()
    weights.mkdir()
    _in_demucs(real_project, "tiny_demucs.py", weights, "pickle")
    _in_demucs(real_project, "demucs_itself.py", weights, full, itself)
    for path in stems:
        with wave.open(str(path)) as source:
            assert (source.getframerate(), source.getnchannels()) == (44_100, 2)
            ours = np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, 2).T
        theirs = np.load(itself / f"{path.stem}.npy") * 32_768
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 0.51, f"{path.stem} differs by more than rounding to 16 bits"


def test_the_parts_are_as_long_as_the_speech_track_and_the_recognizer_is_told_by_the_same_rule(
    demucs: Stages, speech_clip: Path, speech_regions: Path, tmp_path: Path
) -> None:
    """Without a track at full rate; shorter segments, and an average over shifts."""
    clip = _write(tmp_path / "clip.wav", _read(speech_clip)[: 8 * 16_000])
    params = {"segment": 1.5, "shifts": 2, "overlap": 0.1}
    done = demucs("separate", {"audio": clip, "speech": speech_regions}, params, "demucs")
    assert done.outputs["speech"] is None, "the sample is clean"
    assert done.facts["applied"] is False
    wanted = len(_read(clip))
    assert [len(_read(done.file(role))) for role in ("vocals", "accompaniment")] == [wanted, wanted]


def test_a_segment_longer_than_demucs_was_trained_on_is_refused(
    demucs: Stages, speech_clip: Path, speech_regions: Path
) -> None:
    with pytest.raises(StageRefused, match="trained on 2 s at most") as refused:
        demucs("separate", {"audio": speech_clip, "speech": speech_regions}, {"segment": 10}, "demucs")
    assert refused.value.code == "separate.segment"
