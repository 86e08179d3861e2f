"""Models for the spoken language are chosen once there is a transcript, and a run does not require them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base import events
from pipeline.base.errors import Missing
from pipeline.engine.language_models import for_language, language_in, with_model
from pipeline.model_cache.cache import ModelCache
from pipeline.plan.make_plan import single_step
from pipeline.plan.model import Step, models_used
from pipeline.plan.options import PlanOptions
from pipeline.plan.profile import Profile, ProfileStage
from pipeline.plan.registry import stage_named
from shared.documents.transcript import Transcript
from tests.fakes.models import LOCKED, MODELS, fill

LANGUAGES = {"en": "whisper", "hi": "aligner"}  # the two models that the fake cache knows


@pytest.fixture
def align() -> Step:
    return single_step(stage_named("align"), choices("whisperx"), {}, None)


def choices(backend: str) -> PlanOptions:
    profile = Profile(summary="", rank=1, stages={"align": ProfileStage(backend=backend, languages=LANGUAGES)})
    return PlanOptions("alone", "test", profile, (), {})


def test_a_step_gets_its_model_once_the_language_is_known(align: Step) -> None:
    assert (align.models, align.language_models) == ({}, LANGUAGES)
    spoken = for_language(align, "hi-Latn", lambda name: True)
    assert (spoken.models, spoken.language_models) == ({"hi": "aligner"}, {})
    assert for_language(align, "fr", lambda name: True).models == {}
    assert for_language(align, "hi", lambda name: False).models == {}


def test_a_backend_without_a_language_gets_none() -> None:
    assert single_step(stage_named("align"), choices("decoder-times"), {}, None).language_models == {}


def test_the_language_is_read_from_the_transcript(tmp_path: Path) -> None:
    said = Transcript(language="hi", language_probability=1, duration_ms=0, segments=()).write(tmp_path / "t.json")
    assert language_in({"audio": "a.wav", "transcript": str(said)}) == "hi"
    assert language_in({"audio": "a.wav"}) == ""
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    assert language_in({"transcript": str(tmp_path / "other.json")}) == ""


def test_a_step_runs_without_an_unavailable_language_model_and_warns(align: Step, tmp_path: Path) -> None:
    models = ModelCache(fill(tmp_path, "whisper"), MODELS, LOCKED, "http://127.0.0.1:9")
    emitted: list[events.Event] = []
    assert with_model(align, "en", models, emitted.append, "a.mp4", offline=True).models == {"en": "whisper"}
    assert emitted == []
    assert with_model(align, "hi", models, emitted.append, "a.mp4", offline=True).models == {}
    (notice,) = emitted
    assert isinstance(notice, events.Notice)
    assert "aligner" in notice.text
    assert "offline" in notice.text


def test_a_result_names_the_model_that_made_it(align: Step) -> None:
    assert models_used(align, {"models": {"hi": "digest"}}) == {"hi": "aligner"}
    assert models_used(replace(align, models={"en": "whisper"}), {"models": {"en": "digest"}}) == {"en": "whisper"}
    assert models_used(align, {"models": {}}) == {}


@pytest.fixture
def translate() -> Step:
    """Return a step that translates from an unknown language into Hindi."""
    models = {"en-indic": "whisper", "indic-indic": "aligner", "indic-en": "whisper"}
    profile = Profile(summary="", rank=1, stages={"translate": ProfileStage(backend="indictrans2", models=models)})
    return single_step(stage_named("translate"), PlanOptions("alone", "test", profile, ("hi",), {}), {}, None)


@pytest.mark.parametrize(
    ("language", "models"),
    [
        ("en-IN", {"en-indic": "whisper"}),
        ("ta", {"indic-indic": "aligner"}),
        ("hi", {}),
        ("fr", {}),
        ("", {"en-indic": "whisper", "indic-indic": "aligner"}),
    ],
)
def test_a_translator_uses_the_direction_from_the_spoken_language(
    translate: Step, language: str, models: dict[str, str]
) -> None:
    assert translate.waits_for_language
    assert translate.models == {}
    spoken = for_language(translate, language, lambda name: False)
    assert spoken.models == models
    assert not spoken.waits_for_language


def test_a_direction_that_the_user_named_is_planned_at_once(translate: Step) -> None:
    profile = Profile(summary="", rank=1, stages={
        "translate": ProfileStage(backend="indictrans2", models=dict(translate.direction_models))
    })  # fmt: skip
    chosen = PlanOptions("alone", "test", profile, ("hi",), {"asr": {"language": "en"}})
    step = single_step(stage_named("translate"), chosen, {}, None)
    assert (step.models, step.waits_for_language) == ({"en-indic": "whisper"}, False)


def test_a_translation_without_the_model_of_its_direction_fails(translate: Step, tmp_path: Path) -> None:
    models = ModelCache(fill(tmp_path, "whisper"), MODELS, LOCKED, "http://127.0.0.1:9")
    found = with_model(translate, "en", models, lambda event: None, "a.mp4", offline=True)
    assert found.models == {"en-indic": "whisper"}
    with pytest.raises(Missing, match="aligner"):
        with_model(translate, "ta", models, lambda event: None, "a.mp4", offline=True)
