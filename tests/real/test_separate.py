"""Stage `separate` with the real enhancer."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shared.speech import Separation
from tests.real.conftest import Stages, write_wav

Samples = npt.NDArray[np.float64]


def _read(path: Path) -> Samples:
    with wave.open(str(path)) as source:
        assert (source.getframerate(), source.getnchannels()) == (16_000, 1)
        return np.frombuffer(source.readframes(source.getnframes()), "<i2") / 32_768


def _write(path: Path, samples: Samples) -> Path:
    return write_wav(path, (samples * 32_768).clip(-32_768, 32_767).astype("<i2").tobytes())


def _likeness_db(voice: Samples, found: Samples) -> float:
    """Scale-invariant signal-to-distortion ratio; no shift is allowed for, so a delay would ruin it."""
    part = np.dot(found, voice) / np.dot(voice, voice) * voice
    return float(10 * np.log10(np.sum(part**2) / np.sum((found - part) ** 2)))


@pytest.fixture(scope="module")
def noisy(speech_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample under as much noise as there is voice, 6 dB over."""
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
