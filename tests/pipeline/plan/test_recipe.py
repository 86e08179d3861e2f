"""Recipes are checked when they are read, not when a step is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import FromStep
from pipeline.plan.options import PlanOptions
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe

_VAD = '[steps.vad]\nstage = "vad"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[steps.a]\nstage = "vat"\ninputs = {}\n', "wants the stage `vat`"),
        (_VAD + 'inputs = { sound = "media" }\n', "has no input `sound`"),
        (_VAD + 'inputs = { audio = "demux.speech" }\n', "names no step of this recipe"),
        (_VAD + 'inputs = { audio = "media" }\n[[publish]]\nfile = "vad.words"\nas = "x"\n', "has no output `words`"),
        (_VAD + 'inputs = { audio = "media" }\ncolour = "red"\n', "colour"),
        (_VAD + 'inputs = { audio = "media" }\nonly_with = "asrr"\n', "there only with the stage `asrr`"),
        ("steps = 3", "steps"),
        ("[steps", "is not TOML"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        f'summary = "mine"\npublish = []\n{text}' if "publish" not in text else f'summary = "mine"\n{text}',
        encoding="utf-8",
    )
    with pytest.raises(UsageError) as caught:
        load_recipe(str(path), CONFIG / "recipes")
    assert says in caught.value.message


@pytest.mark.parametrize("name", ["../{name}.srt", "sub/x.srt", ".hidden", "{title}.srt", "{name", ""])
def test_a_published_name_is_one_of_a_file_in_the_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.toml"
    steps = '[steps.vad]\nstage = "vad"\ninputs = { audio = "media" }\n'
    path.write_text(f'summary = "mine"\n{steps}[[publish]]\nfile = "vad.speech"\nas = "{name}"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="publish") as caught:
        load_recipe(str(path), CONFIG / "recipes")
    assert caught.value.code == "recipe.invalid"


def test_a_circle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "circle.toml"
    path.write_text(
        'summary = "circle"\npublish = []\n'
        '[steps.a]\nstage = "align"\ninputs = { audio = "media", transcript = "b.transcript" }\n'
        '[steps.b]\nstage = "align"\ninputs = { audio = "media", transcript = "a.transcript" }\n',
        encoding="utf-8",
    )
    profile = load_profiles(CONFIG / "profiles")["starter"]
    with pytest.raises(UsageError, match="has steps that depend on each other"):
        make_plan(load_recipe(str(path), CONFIG / "recipes"), PlanOptions("circle", "starter", profile, (), {}))


def test_a_recipe_that_finds_names_can_protect_them_in_its_translation(tmp_path: Path) -> None:
    own = load_recipe("names", CONFIG / "recipes")
    translate = load_recipe("translate", CONFIG / "recipes").steps["translate"]
    named = translate.model_copy(update={"inputs": {**translate.inputs, "names": "entities.glossary"}})
    both = own.model_copy(update={"steps": {**own.steps, "translate": named}})
    profile = load_profiles(CONFIG / "profiles")["starter"]
    plan = make_plan(both, PlanOptions("both", "starter", profile, ("pt",), {"asr": {"language": "en"}}))
    (step,) = (step for step in plan.steps if step.id == "translate:pt")
    assert step.inputs["names"] == FromStep("entities", "glossary")
    assert "entities" in step.needs


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe("subtitel", CONFIG / "recipes")
    assert (
        caught.value.hint
        == "did you mean `subtitle`? the recipes are names, page-text, proxy, screen-text, subtitle, sync,"
        " transcribe, translate; one of your own is a path to a TOML file"
    )


def test_a_recipe_that_extends_another_has_its_steps_and_its_own_publications(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'summary = "mine"\nextends = "transcribe"\n'
        '[steps.refine]\nstage = "refine"\ninputs = { transcript = "align.transcript" }\n'
        '[[publish]]\nfile = "refine.text"\nas = "{name}.txt"\n',
        encoding="utf-8",
    )
    mine, base = (load_recipe(name, CONFIG / "recipes") for name in (str(tmp_path / "mine.toml"), "transcribe"))
    assert list(mine.steps) == list(base.steps)
    assert mine.steps["refine"].inputs == {"transcript": "align.transcript"}
    assert mine.steps["asr"] == base.steps["asr"]
    assert [rule.file for rule in mine.publish] == ["refine.text"]


@pytest.mark.parametrize("base", ['"nothing"', "3", '"{folder}/mine.toml"', '"{folder}/other.toml"'])
def test_a_recipe_that_extends_nothing_itself_or_a_circle_is_refused(tmp_path: Path, base: str) -> None:
    text = 'summary = "x"\nextends = {base}\npublish = []\n[steps]\n'
    (tmp_path / "mine.toml").write_text(text.replace("{base}", base.format(folder=tmp_path)), encoding="utf-8")
    (tmp_path / "other.toml").write_text(text.replace("{base}", f'"{tmp_path}/mine.toml"'), encoding="utf-8")
    with pytest.raises(UsageError):
        load_recipe(str(tmp_path / "mine.toml"), CONFIG / "recipes")
