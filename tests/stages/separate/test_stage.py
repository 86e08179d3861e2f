"""Stage `separate` measures the noise, decides, and gives its reason."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.documents.speech import Region, Separation, SpeechRegions
from shared.stage import Job
from stages.separate.stage import (
    Mix,
    SeparateInputs,
    SeparateJob,
    SeparateOutputs,
    SeparateParams,
    Stems,
    run,
    signal_to_noise_db,
    stub,
)
from tests.fakes.listener import Audience


@dataclass
class FakeEngine:
    powers: Sequence[float]
    gives_all_parts: bool = False
    separated: list[Path] = field(default_factory=list)

    def levels(self, audio: Path) -> Iterator[Sequence[float]]:
        for start in range(0, len(self.powers), 70):
            yield self.powers[start : start + 70]

    def separate(self, mix: Mix, to: Stems, params: SeparateParams) -> Iterator[float]:
        self.separated.append(to.voice)
        to.voice.write_bytes(b"the voice")
        if self.gives_all_parts:
            to.rest.write_bytes(b"the rest")
        if to.sources:
            to.sources.mkdir()
            (to.sources / "drums.wav").write_bytes(b"drums")
        yield 1.0


def talk(speech: float, noise: float, seconds: int = 20) -> list[float]:
    """Return a second of silence, a talk with pauses between its words, a second of silence."""
    chance = random.Random(7)
    words = [noise + (speech * chance.uniform(0.5, 1.5) if chance.random() < 0.7 else 0) for _ in range(50 * seconds)]
    return [noise] * 50 + words + [noise] * 50


TALK = (Region(start_ms=1_000, end_ms=21_000),)
CLEAN, NOISY = talk(0.01, 0.000_01), talk(0.01, 0.01)


def a_job(folder: Path, regions: tuple[Region, ...] = TALK, **params: str | None) -> SeparateJob:
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
    assert engine.separated == []
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
    assert (separation.snr_db, separation.applied, separation.reason) == (None, False, "no speech")


@pytest.mark.parametrize(("when", "applied"), [("always", True), ("never", False)])
def test_the_user_may_decide(tmp_path: Path, when: str, applied: bool) -> None:
    separation = separation_of(run(FakeEngine(CLEAN if applied else NOISY), a_job(tmp_path, when=when)))
    assert (separation.applied, separation.reason) == (applied, f"`when` is `{when}`")


@pytest.mark.parametrize(("powers", "heard"), [(CLEAN, False), (NOISY, True)], ids=["clean", "noisy"])
def test_a_mix_is_taken_apart_always_and_the_voice_is_heard_by_the_same_rule(
    tmp_path: Path, powers: list[float], heard: bool
) -> None:
    outputs = run(FakeEngine(powers, gives_all_parts=True), a_job(tmp_path))
    assert (outputs.vocals, outputs.accompaniment) == (tmp_path / "vocals.wav", tmp_path / "accompaniment.wav")
    assert (outputs.speech is not None) == separation_of(outputs).applied == heard
    assert outputs.speech is None or outputs.speech.read_bytes() == b"the voice"
    assert outputs.stems == ()


def test_each_source_is_kept_when_two_stems_are_not_enough(tmp_path: Path) -> None:
    outputs = run(FakeEngine(CLEAN, gives_all_parts=True), a_job(tmp_path, two_stems=None))
    assert outputs.stems == (tmp_path / "stems" / "drums.wav",)


def test_never_takes_nothing_apart(tmp_path: Path) -> None:
    engine = FakeEngine(NOISY, gives_all_parts=True)
    outputs = run(engine, a_job(tmp_path, when="never"))
    assert (outputs.vocals, outputs.accompaniment, engine.separated) == (None, None, [])


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
