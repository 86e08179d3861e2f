"""Plans and keys: pure functions of recipe, profile and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.model_cache.manifest import load_manifest
from pipeline.plan.language_tables import load_error_rates
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import AllOf, FirstOf, FromCorrection, FromStep, Plan
from pipeline.plan.oom_fallback import on_processor
from pipeline.plan.options import PlanOptions
from pipeline.plan.placement import off_card_notes
from pipeline.plan.profile import Profile, ProfileChoice, ProfileStage, choose_profile, load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.registry import STAGES
from pipeline.plan.result_key import KeyContext, differences, ingredients, result_key
from pipeline.publishing.corrected_plan import with_edits
from pipeline.publishing.edits import Edit

PROFILES = load_profiles(CONFIG / "profiles")
KEY_CONTEXT = KeyContext(
    environments={"core": "c", "lite": "l", "lite-cuda": "lc", "bergamot": "b", "ffmpeg": "f"},
    models={"faster-whisper-base": "w", "faster-whisper-small": "s", "ge2e-embedder": "g"},
    tools={"ffmpeg": "5.1"},
)


def _plan(
    recipe: str = "subtitle",
    targets: tuple[str, ...] = (),
    stages: Mapping[str, Mapping[str, str | int]] = MappingProxyType({}),
) -> Plan:
    starter = PROFILES["starter"]
    spare = {starter.stages["translate"].models[role] for role in starter.stages["translate"].spare}
    settings = {name: dict(v) for name, v in stages.items()}
    options = PlanOptions(recipe, "starter", starter, targets, settings, incomplete=spare)
    return make_plan(load_recipe(recipe, CONFIG / "recipes"), options)


@pytest.mark.parametrize("recipe", ["transcribe", "translate", "subtitle"])
def test_every_step_comes_after_what_it_needs(recipe: str) -> None:
    seen: set[str] = set()
    for step in _plan(recipe, ("pt", "en")).steps:
        assert step.needs <= seen
        seen.add(step.id)
    assert {"demux", "asr"} < seen


def test_a_parameter_that_no_key_could_hold_is_refused() -> None:
    """A variable or an argument of the command line may hold any bytes, and JSON half of a character."""
    for text in ("\udcff", "a\ud800"):
        with pytest.raises(UsageError, match=r"`asr.initial_prompt` cannot be .*: expected text in UTF-8"):
            _plan(stages={"asr": {"initial_prompt": text}})


@pytest.mark.parametrize("recipe", sorted(path.stem for path in (CONFIG / "recipes").glob("*.toml")))
def test_without_a_film_no_recipe_copies_the_picture_and_nothing_else_changes(recipe: str) -> None:
    options = PlanOptions(recipe, "starter", PROFILES["starter"], ("en",), {})
    made = make_plan(load_recipe(recipe, CONFIG / "recipes"), options)
    without = make_plan(load_recipe(recipe, CONFIG / "recipes"), replace(options, film=False))
    assert [step for step in made.steps if step.stage.name != "mux"] == list(without.steps)
    assert [one for one in made.publications if one.step != "mux"] == list(without.publications)
    assert not any(step.stage.name == "mux" for step in without.steps)


def test_the_recogniser_is_told_the_published_error_rates_of_its_own_model() -> None:
    rates = load_error_rates(CONFIG / "error_rates.toml")
    made = {
        model: make_plan(
            load_recipe("transcribe", CONFIG / "recipes"),
            PlanOptions("transcribe", "starter", _with_whisper(model), (), {}, error_rates=rates),
        )
        for model in ("faster-whisper-base", "faster-whisper-small", "faster-whisper-turbo")
    }  # fmt: skip
    told = {
        model: next(step.params.model_dump()["error_rates"] for step in plan.steps if step.id == "asr")
        for model, plan in made.items()
    }
    assert told["faster-whisper-base"]["hi"]["percent"] == 131.0
    assert told["faster-whisper-small"]["ar"] == {
        "percent": 32.44, "unit": "character",
        "source": "arXiv:2509.02523 and the README of github.com/moonshine-ai/moonshine",
    }  # fmt: skip
    assert told["faster-whisper-turbo"] == {}


def _with_whisper(model: str) -> Profile:
    starter = PROFILES["starter"]
    asr = starter.stages["asr"].model_copy(update={"models": {"whisper": model}})
    return starter.model_copy(update={"stages": {**starter.stages, "asr": asr}})


def test_every_model_with_a_published_error_rate_is_in_the_manifest() -> None:
    models, _ = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    assert set(load_error_rates(CONFIG / "error_rates.toml")) <= set(models)


def test_a_step_for_each_target_takes_its_own_languages_results() -> None:
    plan = _plan(targets=("pt", "en"))
    steps = {step.id: step for step in plan.steps}
    assert steps["subtitle-translated:pt"].inputs["translation"] == FromStep("refine-translated:pt", "translation")
    assert steps["translate:pt"].backend_name == "bergamot"
    assert steps["translate:en"].backend_name == "whisper"
    assert steps["mux"].inputs["sheets"] == AllOf(
        (
            FromStep("subtitle", "cues"),
            FromStep("subtitle-translated:pt", "cues"),
            FromStep("subtitle-translated:en", "cues"),
        )
    )


def test_on_a_card_those_compute_that_can_and_the_others_on_the_processor() -> None:
    options = PlanOptions("subtitle", "best", PROFILES["best"], (), {}, device="cuda")
    placed = {step.id: step.device for step in make_plan(load_recipe("subtitle", CONFIG / "recipes"), options).steps}
    assert {step for step, device in placed.items() if device == "cuda"} == {"separate", "asr", "align", "diarize"}
    assert set(placed.values()) == {"cpu", "cuda"}
    elsewhere = make_plan(load_recipe("subtitle", CONFIG / "recipes"), replace(options, device="cpu"))
    assert {step.device for step in elsewhere.steps} == {"cpu"}


def test_every_profile_recognises_and_translates_on_the_card_in_an_environment_with_its_libraries() -> None:
    recipe = load_recipe("subtitle", CONFIG / "recipes")
    for name in ("starter", "balanced", "best"):
        whisper = {"translate": {"backend": "whisper"}}
        options = PlanOptions("subtitle", name, PROFILES[name], ("en",), whisper, device="cuda")
        steps = {step.id: step for step in make_plan(recipe, options).steps}
        assert {steps["asr"].device, steps["translate:en"].device} == {"cuda"}, name
        assert steps["translate:en"].environment == "lite-cuda"
        assert steps["translate:en"].environments == ("lite-cuda", "lite"), "the processor's is there if the card fails"
        off = on_processor(steps["translate:en"], "the card failed")
        assert (off.device, off.environment) == ("cpu", "lite")
        elsewhere = make_plan(recipe, replace(options, device="cpu")).steps
        assert "lite-cuda" not in {step.environment for step in elsewhere}


def test_a_library_that_cannot_compute_on_the_card_has_its_steps_on_the_processor_and_says_why_once() -> None:
    recipe = load_recipe("subtitle", CONFIG / "recipes")
    options = PlanOptions(
        "subtitle", "best", PROFILES["best"], (), {}, device="cuda", card_problems={"torch": "too old"}
    )
    steps = make_plan(recipe, options).steps
    assert {step.id for step in steps if step.device == "cuda"} == {"asr"}
    assert {step.id for step in steps if step.off_card} == {"separate", "align", "diarize"}
    (note,) = off_card_notes(steps)
    assert note == "on the processor, not on the card: separate, diarize, align; too old"
    assert off_card_notes(make_plan(recipe, replace(options, card_problems={})).steps) == []


def test_a_backend_declares_a_cards_memory_where_it_may_compute_on_one() -> None:
    for stage in STAGES.values():
        for name, backend in stage.backends.items():
            cards = {*backend.accelerators}
            if backend.resources.gpu_memory_gib:
                assert cards, f"{stage.name} by {name} never computes on a card"
            if "cuda" in cards:
                assert backend.resources.gpu_memory_gib, f"{stage.name} by {name} takes a card's memory unseen"


def test_speech_is_taken_from_separation_where_there_is_one() -> None:
    steps = {step.id: step for step in _plan().steps}
    assert steps["asr"].inputs["audio"] == FirstOf((FromStep("separate", "speech"), FromStep("demux", "speech")))


def test_what_is_too_fast_is_shortened_only_where_a_backend_for_it_is_named() -> None:
    assert not {"draft", "condense"} & {step.id for step in _plan(targets=("pt",)).steps}
    whole, shortened = FromStep("refine", "transcript"), FromStep("condense", "transcript")
    plain = {step.id: step for step in _plan(targets=("pt",)).steps}
    plan = _plan(targets=("pt",), stages={"condense": {"backend": "openai"}})
    steps = {step.id: step for step in plan.steps}
    assert plain["subtitle"].inputs["transcript"] == whole
    assert steps["draft"].inputs["transcript"] == whole
    assert steps["subtitle"].inputs["transcript"] == FirstOf((shortened, whole))
    assert steps["subtitle-translated:pt"].inputs["translation"] == FirstOf(
        (FromStep("condense-translated:pt", "translation"), FromStep("refine-translated:pt", "translation"))
    )
    assert steps["translate:pt"].inputs["transcript"] == whole  # what was said, not what is shown
    limits = steps["condense"].params.model_dump()
    assert "reading_speeds" in limits
    assert "line_length" not in limits


def test_a_corrected_subtitle_corrects_the_whole_transcript_and_not_a_shortened_one() -> None:
    plan = _plan(stages={"condense": {"backend": "openai"}})
    alike = next(step for step in plan.steps if step.id == "refine")
    edit = Edit(name="film.en.srt", step="subtitle", role="files", sha256="1", base="0")
    corrected = with_edits(plan, [edit], lambda inputs: replace(alike, id="correct", inputs=inputs))
    steps = {step.id: step for step in corrected.steps}
    assert steps["correct"].inputs["transcript"] == FromStep("refine", "transcript")
    assert steps["condense"].inputs["transcript"] == FromStep("correct", "transcript")
    assert steps["subtitle"].inputs["edited"] == AllOf((FromCorrection("1", "film.en.srt"),))
    assert steps["subtitle"].inputs["pins"] == FromStep("correct", "pins")
    assert corrected.publications[-1].origin == plan.publications[-1].origin


def test_without_a_target_nothing_is_translated() -> None:
    assert not any(step.stage.name == "translate" for step in _plan().steps)
    with pytest.raises(UsageError, match="needs a target language"):
        _plan("translate")


def test_a_known_source_decides_the_translator() -> None:
    steps = {step.id: step for step in _plan(targets=("en",), stages={"asr": {"language": "pt"}}).steps}
    assert steps["translate:en"].backend_name == "bergamot"


@pytest.mark.parametrize(
    ("stages", "targets", "code"),
    [
        ({"asr": {"beam_sise": 3}}, (), "params.invalid"),
        ({"asr": {"beam_size": "many"}}, (), "params.invalid"),
        ({"asr": {"backend": "parrot"}}, (), "backend.unknown"),
        ({}, ("hi",), "translate.pair"),
    ],
)
def test_a_wish_nobody_can_fulfil_is_refused_in_words(
    stages: dict[str, dict[str, str | int]], targets: tuple[str, ...], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        _plan(targets=targets, stages=stages)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_parameter_changes_the_key_of_its_own_step_only() -> None:
    before = {step.id: step for step in _plan().steps}
    after = {step.id: step for step in _plan(stages={"asr": {"beam_size": 3}}).steps}
    for step_id, step in before.items():
        same = result_key(ingredients(step, {}, KEY_CONTEXT)) == result_key(
            ingredients(after[step_id], {}, KEY_CONTEXT)
        )
        assert same == (step_id != "asr")
    assert len(before) > 1


def test_every_ingredient_changes_the_key_and_is_named_when_it_does() -> None:
    asr = next(step for step in _plan().steps if step.id == "asr")
    base = ingredients(asr, {"audio": "a", "speech": "b"}, KEY_CONTEXT)
    others = {
        "input audio changed": ingredients(asr, {"audio": "x", "speech": "b"}, KEY_CONTEXT),
        "the environment is L, was l": ingredients(
            asr, {"audio": "a", "speech": "b"}, replace(KEY_CONTEXT, environments={"lite": "L"})
        ),
        "model whisper is W, was w": ingredients(
            asr, {"audio": "a", "speech": "b"}, replace(KEY_CONTEXT, models={"faster-whisper-base": "W"})
        ),
        "the device is mps, was cpu": ingredients(
            replace(asr, placed="mps"), {"audio": "a", "speech": "b"}, KEY_CONTEXT
        ),
        f"the stage's version is 99, was {asr.stage.version}": ingredients(
            replace(asr, stage=replace(asr.stage, version=99)), {"audio": "a", "speech": "b"}, KEY_CONTEXT
        ),
    }
    keys = {result_key(parts) for parts in (base, *others.values())}
    assert len(keys) == len(others) + 1
    for phrase, parts in others.items():
        assert [change.phrase for change in differences(base, parts)] == [phrase]


def test_swapped_inputs_have_another_key() -> None:
    asr = next(step for step in _plan().steps if step.id == "asr")
    one = ingredients(asr, {"audio": "a", "speech": "b"}, KEY_CONTEXT)
    other = ingredients(asr, {"audio": "b", "speech": "a"}, KEY_CONTEXT)
    assert result_key(one) != result_key(other)


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.text(), st.lists(st.text())), max_size=5))
def test_a_key_does_not_depend_on_the_order_of_its_ingredients(inputs: dict[str, str | list[str] | None]) -> None:
    asr = next(step for step in _plan().steps if step.id == "asr")
    forward = result_key(ingredients(asr, inputs, KEY_CONTEXT))
    backward = result_key(ingredients(asr, dict(reversed(inputs.items())), KEY_CONTEXT))
    assert forward == backward
    assert len(forward) == 64


def _profile(rank: int, *models: str) -> Profile:
    return Profile(
        summary="", rank=rank, stages={str(n): ProfileStage(backend="b", models={"m": m}) for n, m in enumerate(models)}
    )


def test_auto_takes_the_best_complete_profile_and_says_what_a_better_one_needs() -> None:
    profiles = {"best": _profile(3, "x", "y"), "middle": _profile(2, "x"), "lowest": _profile(1, "z")}
    assert choose_profile("auto", profiles, {}).name == "best"
    choice = choose_profile("auto", profiles, {"y": "missing"})
    assert (choice.name, choice.better, choice.better_needs) == ("middle", "best", ("y",))
    assert choose_profile("auto", profiles, {"x": "", "y": "", "z": ""}).name == "lowest"
    assert choose_profile("best", profiles, {"y": ""}).name == "best"
    with pytest.raises(UsageError, match="there is no profile `worst`"):
        choose_profile("worst", profiles, {})


def test_auto_takes_no_profile_that_is_meant_for_other_machines_and_proposes_none() -> None:
    profiles = {"best": _profile(3, "x"), "middle": _profile(2, "y"), "lowest": _profile(1, "z")}
    assert choose_profile("auto", profiles, {}, {"best"}) == ProfileChoice("middle", profiles["middle"])
    choice = choose_profile("auto", profiles, {"y"}, {"best"})
    assert (choice.name, choice.better, choice.better_needs) == ("lowest", "middle", ("y",))
    assert choose_profile("best", profiles, {}, {"best"}).name == "best", "whoever names one gets it"
    assert choose_profile("auto", profiles, {}, set(profiles)).name == "lowest"


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_plans_every_recipe(name: str) -> None:
    for recipe in ("transcribe", "translate", "subtitle"):
        options = PlanOptions(recipe, name, PROFILES[name], ("en", "pt"), {})
        assert make_plan(load_recipe(recipe, CONFIG / "recipes"), options).publications
