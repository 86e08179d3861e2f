"""What stage `separate` promises: it measures, decides, and gives its reason."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.speech import Region, Separation, SpeechRegions
from shared.stage import Job
from stages.separate import (
    SeparateInputs,
    SeparateJob,
    SeparateOutputs,
    SeparateParams,
    run,
    signal_to_noise_db,
    stub,
)
from tests.fakes.listener import Audience


@dataclass
class FakeEngine:
    powers: Sequence[float]
    enhanced: list[Path] = field(default_factory=list)

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        for start in range(0, len(self.powers), 70):
            yield self.powers[start : start + 70]

    def enhance(self, audio: Path, to: Path, attenuation_limit_db: float) -> Iterator[float]:
        self.enhanced.append(to)
        to.write_bytes(b"the voice")
        yield 1.0


def talk(speech: float, noise: float, seconds: int = 20) -> list[float]:
    """A second of silence, a talk with pauses between its words, a second of silence."""
    chance = random.Random(7)
    words = [noise + (speech * chance.uniform(0.5, 1.5) if chance.random() < 0.7 else 0) for _ in range(50 * seconds)]
    return [noise] * 50 + words + [noise] * 50


TALK = (Region(start_ms=1_000, end_ms=21_000),)
CLEAN, NOISY = talk(0.01, 0.000_01), talk(0.01, 0.01)


def a_job(folder: Path, regions: tuple[Region, ...] = TALK, **params: str) -> SeparateJob:
    speech = SpeechRegions(duration_ms=22_000, regions=regions).write(folder / "speech.json")
    inputs = SeparateInputs(audio=folder / "a.wav", speech=speech)
    return Job(inputs, SeparateParams.model_validate(params), folder, "fake", Audience())


def separation_of(outputs: SeparateOutputs) -> Separation:
    return Separation.read(outputs.separation)


def test_clean_speech_is_left_alone(tmp_path: Path) -> None:
    engine, job = FakeEngine(CLEAN), a_job(tmp_path)
    outputs = run(engine, job)
    assert outputs.speech is None
    assert not separation_of(outputs).applied
    assert engine.enhanced == []
    assert job.facts["applied"] is False


def test_noisy_speech_is_separated_and_the_reason_says_the_ratio(tmp_path: Path) -> None:
    engine, job = FakeEngine(NOISY), a_job(tmp_path)
    outputs = run(engine, job)
    assert outputs.speech == tmp_path / "speech.wav"
    assert outputs.speech.exists()
    assert separation_of(outputs).applied
    assert separation_of(outputs).reason.endswith(f"dB is below {SeparateParams().snr_below_db:g} dB")
    assert job.facts == {"snr_db": separation_of(outputs).snr_db, "applied": True}


def test_where_nobody_speaks_there_is_nothing_to_separate(tmp_path: Path) -> None:
    separation = separation_of(run(FakeEngine(NOISY), a_job(tmp_path, ())))
    assert (separation.snr_db, separation.applied, separation.reason) == (None, False, "nobody speaks")


@pytest.mark.parametrize(("when", "applied"), [("always", True), ("never", False)])
def test_the_user_may_decide(tmp_path: Path, when: str, applied: bool) -> None:
    separation = separation_of(run(FakeEngine(CLEAN if applied else NOISY), a_job(tmp_path, when=when)))
    assert (separation.applied, separation.reason) == (applied, f"`when` is `{when}`")


@pytest.mark.parametrize("true_db", [0, 5, 10, 20])
def test_the_ratio_is_measured_within_two_decibels(true_db: int) -> None:
    speech = 0.01
    measured = signal_to_noise_db(talk(speech, speech * 0.7 / 10 ** (true_db / 10)), TALK)
    assert measured == pytest.approx(true_db, abs=2)


def test_music_between_clean_dialogues_is_no_noise_under_them() -> None:
    powers = [0.05] * 500 + talk(0.01, 0.000_01) + [0.05] * 500
    measured = signal_to_noise_db(powers, (Region(start_ms=11_000, end_ms=31_000),))
    assert measured is not None
    assert measured > 20


def test_digital_silence_does_not_make_a_noisy_recording_clean() -> None:
    measured = signal_to_noise_db([*NOISY, *[0.0] * 5_000], TALK)
    assert measured == signal_to_noise_db(NOISY, TALK)


def test_half_a_second_of_speech_is_not_measured() -> None:
    assert signal_to_noise_db(CLEAN, (Region(start_ms=1_000, end_ms=1_500),)) is None


def test_the_stub_leaves_the_audio_alone(tmp_path: Path) -> None:
    outputs = stub(a_job(tmp_path))
    assert outputs.speech is None
    assert not separation_of(outputs).applied
