"""A model for the language spoken: chosen when the transcript is there, never a condition of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import events
from pipeline.model_cache.cache import ModelCache
from pipeline.plan import Choices, Step, single_step
from pipeline.profile import Profile, ProfileStage
from pipeline.registry import stage_named
from pipeline.spoken import for_language, language_in, models_used, with_model
from shared.transcript import Transcript
from tests.fakes.models import LOCKED, MODELS, fill

LANGUAGES = {"en": "whisper", "hi": "aligner"}  # the two models that the fake cache knows


@pytest.fixture
def align() -> Step:
    return single_step(stage_named("align"), choices("whisperx"), {}, None)


def choices(backend: str) -> Choices:
    profile = Profile(summary="", rank=1, stages={"align": ProfileStage(backend=backend, languages=LANGUAGES)})
    return Choices("alone", "test", profile, (), {})


def test_a_step_learns_its_model_with_the_language(align: Step) -> None:
    assert (align.models, align.language_models) == ({}, LANGUAGES)
    spoken = for_language(align, "hi-Latn", lambda name: True)
    assert (spoken.models, spoken.language_models) == ({"hi": "aligner"}, {})
    assert for_language(align, "fr", lambda name: True).models == {}
    assert for_language(align, "hi", lambda name: False).models == {}


def test_a_backend_that_takes_no_language_gets_none() -> None:
    assert single_step(stage_named("align"), choices("decoder-times"), {}, None).language_models == {}


def test_the_language_is_read_from_the_transcript(tmp_path: Path) -> None:
    said = Transcript(language="hi", language_probability=1, duration_ms=0, segments=()).write(tmp_path / "t.json")
    assert language_in({"audio": "a.wav", "transcript": str(said)}) == "hi"
    assert language_in({"audio": "a.wav"}) == ""


def test_a_model_that_cannot_be_had_is_told_and_done_without(align: Step, tmp_path: Path) -> None:
    models = ModelCache(fill(tmp_path, "whisper"), MODELS, LOCKED, "http://127.0.0.1:9")
    told: list[events.Event] = []
    assert with_model(align, "en", models, told.append, "a.mp4", offline=True).models == {"en": "whisper"}
    assert told == []
    assert with_model(align, "hi", models, told.append, "a.mp4", offline=True).models == {}
    (notice,) = told
    assert isinstance(notice, events.Notice)
    assert "aligner" in notice.text
    assert "offline" in notice.text


def test_a_result_says_which_model_it_was_made_with(align: Step) -> None:
    assert models_used(align, {"models": {"hi": "digest"}}) == {"hi": "aligner"}
    assert models_used(replace(align, models={"en": "whisper"}), {"models": {"en": "digest"}}) == {"en": "whisper"}
    assert models_used(align, {"models": {}}) == {}
