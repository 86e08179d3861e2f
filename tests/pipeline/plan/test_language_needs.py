"""The models that a profile uses for spoken languages: aligners, and translators of a pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.project import CONFIG
from pipeline.model_cache.manifest import load_manifest
from pipeline.plan.language_needs import languages_without, models_for_languages, stage_languages
from pipeline.plan.profile import load_profiles
from pipeline.plan.translation_backends import choose_translator

PROFILES = load_profiles(CONFIG / "profiles")
MODELS = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[0]
TAGS = st.sampled_from(["en", "hi", "pt-BR", "zh-Hant", "nl", "fr", "ta", "de"])


@pytest.mark.parametrize(
    ("profile", "languages", "targets", "expected"),
    [
        ("best", ["en", "hi"], [], ("align-en", "align-hi")),
        ("best", ["zh-Hant"], [], ("align-zh",)),
        ("best", ["nl"], [], ()),
        ("best", [], ["hi"], ()),
        ("best", ["en"], ["hi"], ("align-en", "indictrans2-en-indic-1b")),
        ("best", ["hi"], ["en"], ("align-hi",)),
        ("indic", ["hi"], ["ta"], ("align-hi",)),
        ("starter", ["hi"], ["ta"], ("indictrans2-indic-indic-dist-320m",)),
        ("starter", ["en", "hi"], ["en"], ()),
        ("starter", ["en"], [], ()),
    ],
)
def test_a_language_brings_its_aligner_and_the_models_that_translate_it(
    profile: str, languages: list[str], targets: list[str], expected: tuple[str, ...]
) -> None:
    assert models_for_languages(PROFILES[profile], languages, targets, MODELS) == expected


@given(st.sampled_from(list(PROFILES)), st.lists(TAGS, max_size=3), st.lists(TAGS, max_size=2))
def test_with_these_models_a_plan_finds_a_translator_that_needs_no_other(
    profile: str, languages: list[str], targets: list[str]
) -> None:
    chosen = PROFILES[profile]
    brought = {*chosen.models, *models_for_languages(chosen, languages, targets, MODELS)}
    assert brought <= set(MODELS)
    filled = chosen.stages["translate"]
    for source in languages:
        for target in targets:
            unspoken = choose_translator(source, target, filled.models, set(), ())
            found = choose_translator(source, target, filled.models, set(MODELS) - brought, filled.spare)
            assert (found is None) == (unspoken is None), "what some model can translate is translated"


@given(st.sampled_from(list(PROFILES)), st.lists(TAGS, max_size=4))
def test_more_languages_never_need_fewer_models(profile: str, languages: list[str]) -> None:
    before: set[str] = set()
    for count in range(len(languages) + 1):
        now = set(models_for_languages(PROFILES[profile], languages[:count], ["hi"], MODELS))
        assert before <= now
        before = now


def test_a_language_without_a_model_is_named_with_its_stage() -> None:
    assert languages_without(PROFILES["best"], ["en", "nl"]) == [
        "the stage align has no model for Dutch and does without one"
    ]
    assert languages_without(PROFILES["starter"], ["nl"]) == [], "no stage of it has models by language"
    assert stage_languages(PROFILES["best"])["align-hi"] == "Hindi"
