"""A backend is chosen by the pair of languages and the models in the cache; a glossary becomes a part of the plan."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import BadInput, UsageError
from pipeline.base.project import CONFIG
from pipeline.engine.planner import load_glossary
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import Plan
from pipeline.plan.options import PlanOptions
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.registry import stage_named
from pipeline.plan.translation_backends import choose_translator

INDIC = ("en-indic", "indic-en", "indic-indic")
FILLED = {"whisper": "w", "nllb": "n"} | {role: role for role in INDIC}


@pytest.mark.parametrize(
    ("source", "target", "incomplete", "backend", "told"),
    [
        ("en", "hi", "", "indictrans2", "chosen to translate from English into Hindi"),
        ("en", "hi", "en-indic", "nllb", "indictrans2 would be better and lacks en-indic"),
        ("en", "hi", "indic-en indic-indic", "indictrans2", "from English into Hindi"),
        ("hi", "en", "indic-en n", "whisper", "indictrans2 would be better and lacks indic-en; nllb would be"),
        ("en", "pt", "n", "bergamot", "nllb would be better and lacks n"),
        (None, "hi", "", "nllb", "from a language that is not known yet"),
        (None, "hi", "n", "indictrans2", "nllb would be better and lacks n"),
        ("hi", "hi", "", "bergamot", "all speech is Hindi already"),
    ],
)
def test_auto_takes_the_best_whose_models_are_there(
    source: str | None, target: str, incomplete: str, backend: str, told: str
) -> None:
    found = choose_translator(source, target, FILLED, incomplete.split(), spare=("nllb", *INDIC))
    assert found is not None
    assert (found.backend, told in found.reason) == (backend, True), found


def test_models_that_nobody_asked_for_are_not_fetched_for_a_translation() -> None:
    assert choose_translator("en", "ja", FILLED, ["n"], spare=["nllb"]) is None
    english = choose_translator("es", "en", FILLED, ["n", "w"], spare=["nllb"])
    assert english is not None
    assert english.backend == "whisper"


def test_a_profile_made_for_it_has_its_models_fetched() -> None:
    found = choose_translator("en", "hi", FILLED, [*INDIC, "n"])
    assert found is not None
    assert found.backend == "indictrans2"


def _choices(profile: str, *targets: str, language: str = "en") -> PlanOptions:
    settings = {"asr": {"language": language}}
    return PlanOptions("translate", profile, load_profiles(CONFIG / "profiles")[profile], targets, settings)


def _plan(choices: PlanOptions) -> Plan:
    return make_plan(load_recipe("translate", CONFIG / "recipes"), choices)


def test_a_step_has_the_models_of_its_direction_and_the_pins_of_their_code() -> None:
    files = {"indictrans2-en-indic-1b": {"modeling_indictrans.py": "a" * 64, "config.json": "b" * 64}}
    plan = _plan(replace(_choices("indic", "hi"), files=files))
    (step,) = (step for step in plan.steps if step.id == "translate:hi")
    assert step.models == {"en-indic": "indictrans2-en-indic-1b"}
    assert json.loads(str(step.load_options["code of en-indic"])) == {"modeling_indictrans.py": "a" * 64}


@pytest.mark.parametrize("profile", [name for name in load_profiles(CONFIG / "profiles") if name != "indic"])
def test_a_pair_that_only_a_missing_model_does_is_refused_with_the_command_that_helps(profile: str) -> None:
    lacking = _choices(profile, "hi")
    models = lacking.profile.stages["translate"].models
    with pytest.raises(UsageError) as refusal:
        _plan(replace(lacking, incomplete=models.values()))
    assert refusal.value.code == "translate.pair"
    told = re.findall(r"`./reel models fetch ([^`]+)`, for (\w+)", str(refusal.value.hint))
    assert told == [(models["en-indic"], "indictrans2"), (models["nllb"], "nllb")]
    for name, backend in told:
        rest = set(models.values()) - {name}
        (step,) = (step for step in _plan(replace(lacking, incomplete=rest)).steps if step.id == "translate:hi")
        assert step.backend_name == backend


def test_a_pair_that_nobody_does_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="no backend of profile starter translates English into Latin") as refusal:
        _plan(_choices("starter", "la"))
    assert "a language model does" in str(refusal.value.hint)


def test_a_glossary_is_an_input_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "terms.tsv").write_text("source\tpt\npopcorn\tpipoca\n", encoding="utf-8")
    glossary = load_glossary(str(tmp_path / "terms.tsv"))
    assert glossary is not None
    assert glossary.sha256 == hashlib.sha256((tmp_path / "terms.tsv").read_bytes()).hexdigest()
    translate = {step.id: step for step in _plan(replace(_choices("indic", "hi"), glossary=glossary)).steps}[
        "translate:hi"
    ]
    assert translate.inputs["glossary"] == glossary
    without = {step.id: step for step in _plan(_choices("indic", "hi")).steps}["translate:hi"]
    assert "glossary" not in without.inputs


def test_the_terms_of_a_glossary_are_hotwords_unless_the_user_has_others(tmp_path: Path) -> None:
    def hotwords(table: str, **settings: JsonValue) -> object:
        (tmp_path / "terms.tsv").write_text(table, encoding="utf-8")
        chosen = replace(_choices("starter", "pt"), glossary=load_glossary(str(tmp_path / "terms.tsv")))
        steps = _plan(replace(chosen, stages={"asr": settings})).steps
        return next(step for step in steps if step.id == "asr").params.model_dump()["hotwords"]

    assert hotwords("source\tpt\nMarta\tMarta\nKowalski\t\n") == "Marta, Kowalski"
    assert hotwords("source\thi\nMarta\tमार्टा\nKowalski\t=\n") == "Marta, Kowalski", "whatever becomes of them"
    assert hotwords("source\nMarta\n", hotwords="Marthe") == "Marthe"
    assert hotwords("source\nMarta\n", hotwords="") == ""
    assert hotwords("source\n") is None


def test_a_recogniser_that_takes_no_hotwords_is_not_asked_again_for_other_terms() -> None:
    neutral = {name: backend.neutral_params for name, backend in stage_named("asr").backends.items()}
    assert {name for name, params in neutral.items() if "hotwords" not in params} == {
        "faster-whisper", "whisperx", "mlx-whisper",
    }  # fmt: skip


@pytest.mark.parametrize(("content", "code"), [(None, "glossary.unreadable"), (b"term\tpt\n", "glossary.invalid")])
def test_a_glossary_that_cannot_be_used_stops_the_job_before_it_begins(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    if content is not None:
        (tmp_path / "terms.tsv").write_bytes(content)
    with pytest.raises(BadInput) as refusal:
        load_glossary(str(tmp_path / "terms.tsv"))
    assert refusal.value.code == code
    assert "terms.tsv" in refusal.value.message
