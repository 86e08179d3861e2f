"""Claims about the stretches that stage `sounds` gives to its network."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from shared.documents.sound import Sounds
from tests.real.conftest import Stages, write_wav

SECOND = 16_000


def test_the_network_is_asked_only_where_something_is_heard(
    run_stage: Stages, speech_clip: Path, tmp_path: Path
) -> None:
    """Blocks of a minute: two of silence, one with speech in it, one of silence."""
    with wave.open(str(speech_clip)) as source:
        speech = np.frombuffer(source.readframes(20 * SECOND), "<i2")
    samples = np.random.default_rng(0).integers(-4, 5, 240 * SECOND).astype("<i2")
    samples[140 * SECOND : 140 * SECOND + len(speech)] = speech
    done = run_stage("sounds", {"audio": write_wav(tmp_path / "a.wav", samples.tobytes())})
    assert done.facts["silent_ms"] == 180_000
    found = Sounds.read(done.file("sounds")).of_kind("speech")
    assert found
    assert all(139_000 < sound.start_ms < sound.end_ms < 161_000 for sound in found)


@pytest.mark.parametrize(("level", "silent_ms"), [(4, 61_000), (5, 0)])
def test_only_what_16_bits_hardly_hold_is_silence(
    run_stage: Stages, tmp_path: Path, level: int, silent_ms: int
) -> None:
    samples = np.zeros(61 * SECOND, "<i2")
    samples[::SECOND] = level
    done = run_stage("sounds", {"audio": write_wav(tmp_path / "a.wav", samples.tobytes())})
    assert done.facts["silent_ms"] == silent_ms
