"""Plans with an existing subtitle: which steps there are, in which language, and that all others stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.engine.library.chosen_subtitle import media_as_subtitle
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import ExistingSubtitle, FirstOf, FromMedia, FromPath, FromStep, Plan
from pipeline.plan.options import PlanOptions
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe

STARTER = load_profiles(CONFIG / "profiles")["starter"]
FILE = FromPath("0" * 64, Path("film.en.srt"))


def _plan(subtitle: ExistingSubtitle | None, recipe: str = "subtitle", **stages: dict[str, str]) -> Plan:
    spare = {STARTER.stages["translate"].models[role] for role in STARTER.stages["translate"].spare}
    options = PlanOptions(recipe, "starter", STARTER, ("pt",), stages, incomplete=spare)
    return make_plan(load_recipe(recipe, CONFIG / "recipes"), replace(options, subtitle=subtitle))


def test_a_subtitle_without_a_film_is_read_and_nothing_is_listened_to() -> None:
    plan = _plan(media_as_subtitle("film.en.sdh.srt", None))
    assert {step.stage.name for step in plan.steps} == {"read", "assemble", "refine", "translate", "subtitle"}
    steps = {step.id: step for step in plan.steps}
    assert steps["read"].inputs == {"subtitles": FromMedia()}
    assert steps["read"].params.model_dump(include={"language", "kind"}) == {"language": "en", "kind": "sdh"}
    assert steps["refine"].inputs["transcript"] == FromStep("assemble", "transcript")
    assert steps["translate:pt"].backend_name == "bergamot"


def test_the_user_names_the_language_of_a_subtitle_that_its_name_does_not_tell() -> None:
    assert media_as_subtitle("film.srt", "english").language == "en"
    assert media_as_subtitle("film.srt", None).language is None
    assert media_as_subtitle("film.it.srt", "en").language == "en"


def test_without_a_film_no_backend_is_chosen_that_listens() -> None:
    subtitle = replace(media_as_subtitle("film.pt.srt", None), language="pt")
    options = PlanOptions("translate", "starter", STARTER, ("en",), {}, subtitle=subtitle, incomplete=())
    plan = make_plan(load_recipe("translate", CONFIG / "recipes"), options)
    assert next(step for step in plan.steps if step.target).backend_name in {"nllb", "bergamot"}
    with pytest.raises(UsageError) as refusal:
        make_plan(
            load_recipe("translate", CONFIG / "recipes"), replace(options, stages={"translate": {"backend": "whisper"}})
        )
    assert refusal.value.code == "translate.no-sound"


def test_a_recipe_that_needs_a_film_says_so() -> None:
    with pytest.raises(UsageError) as refusal:
        _plan(media_as_subtitle("film.en.srt", None), "screen-text")
    assert refusal.value.code == "subtitles.no-film"


@pytest.mark.parametrize("recipe", sorted(path.stem for path in (CONFIG / "recipes").glob("*.toml")))
def test_without_an_existing_subtitle_no_plan_has_a_step_for_one(recipe: str) -> None:
    stages = {step.stage.name for step in _plan(None, recipe).steps}
    assert not stages & {"read", "assemble", "sample", "fit", "sync"}


def test_a_film_with_a_subtitle_has_all_its_steps_and_the_text_of_the_subtitle() -> None:
    without, plan = _plan(None), _plan(ExistingSubtitle(FILE, "en", reason="it is named"))
    assert {step.id for step in without.steps} < {step.id for step in plan.steps}
    steps = {step.id: step for step in plan.steps}
    assert steps["read"].inputs == {"subtitles": FILE}
    assert steps["read"].choice == "it is named"
    assert steps["assemble"].inputs["heard"] == FromStep("clean", "transcript")
    assert steps["refine"].inputs["transcript"] == FromStep("assemble", "transcript")


def test_a_track_is_read_from_the_film_by_the_backend_for_tracks() -> None:
    plan = _plan(ExistingSubtitle(FromMedia(), "en", track=2))
    read = next(step for step in plan.steps if step.id == "read")
    assert (read.backend_name, read.params.model_dump()["track"]) == ("ffmpeg", 2)


def test_a_source_that_may_be_missing_is_passed_over_and_one_that_is_certain_ends_the_list() -> None:
    steps = {step.id: step for step in _plan(None).steps}
    assert isinstance(steps["asr"].inputs["audio"], FirstOf)
    assert steps["refine"].inputs["transcript"] == FromStep("clean", "transcript")
