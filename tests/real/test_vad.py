"""Stage `vad` with the real network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shared.documents.speech import SpeechRegions
from tests.real.conftest import Stages, write_wav

Samples = npt.NDArray[np.float64]

RATE = 16_000
LENGTH_S = 20


def _white() -> Samples:
    return np.random.default_rng(0).standard_normal(LENGTH_S * RATE) * 0.1


def _pink() -> Samples:
    spectrum = np.fft.rfft(_white())
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    sound = np.fft.irfft(spectrum)
    scaled: Samples = sound / np.abs(sound).max() * 0.5
    return scaled


def _chord() -> Samples:
    """Return four chords with overtones, struck once a second."""
    time = np.arange(LENGTH_S * RATE) / RATE
    root = np.repeat([220.0, 174.6, 261.6, 196.0], LENGTH_S * RATE // 4)
    tones = [np.sin(2 * np.pi * root * step * over * time) / over for step in (1, 1.26, 1.5) for over in (1, 2, 3)]
    sound: Samples = np.sum(tones, axis=0) * np.exp(-2 * (time % 1)) / 10
    return sound


SOUNDS = {"silence": lambda: np.zeros(LENGTH_S * RATE), "white noise": _white, "pink noise": _pink, "music": _chord}


@pytest.fixture(params=SOUNDS)
def speechless(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    samples = np.clip(SOUNDS[request.param]() * 32_767, -32_768, 32_767).astype("<i2")
    return write_wav(tmp_path / "speechless.wav", samples.tobytes())


REAL = pytest.mark.parametrize("backend", ["silero", "whisperx"])


@REAL
def test_where_nobody_speaks_there_are_no_regions(run_stage: Stages, speechless: Path, backend: str) -> None:
    done = run_stage("vad", {"audio": speechless}, {}, backend)
    assert SpeechRegions.read(done.file("speech")).regions == ()
    assert done.facts == {"speech_ms": 0, "regions": 0}


@REAL
def test_a_conversation_has_speech_most_of_the_time(run_stage: Stages, speech_clip: Path, backend: str) -> None:
    speech = SpeechRegions.read(run_stage("vad", {"audio": speech_clip}, {}, backend).file("speech"))
    assert 0.6 < speech.speech_ms / speech.duration_ms <= 1
    assert all(region.end_ms - region.start_ms <= 30_400 for region in speech.regions)
    edges = [edge for region in speech.regions for edge in (region.start_ms, region.end_ms)]
    assert edges == sorted(edges)


@REAL
def test_an_empty_sound_file_has_no_regions(run_stage: Stages, tmp_path: Path, backend: str) -> None:
    done = run_stage("vad", {"audio": write_wav(tmp_path / "empty.wav", b"")}, {}, backend)
    assert SpeechRegions.read(done.file("speech")) == SpeechRegions(duration_ms=0, regions=())


def test_speech_after_minutes_of_silence_is_found_where_it_is(
    run_stage: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    """The network does not run on a minute of silence, so it starts into the next one without a memory."""
    silent_s = 150
    after = write_wav(tmp_path / "after.wav", bytes(2 * RATE * silent_s) + speech_clip.read_bytes()[44:])
    found = SpeechRegions.read(run_stage("vad", {"audio": after}).file("speech")).regions
    alone = SpeechRegions.read(run_stage("vad", {"audio": speech_clip}).file("speech")).regions
    assert len(found) == len(alone)
    for late, early in zip(found, alone, strict=True):
        assert abs(late.start_ms - silent_s * 1000 - early.start_ms) <= 64
        assert abs(late.end_ms - silent_s * 1000 - early.end_ms) <= 64
