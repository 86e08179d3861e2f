"""Guides: data with a source for every limit, handed to the stages that know limits and to no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import Step
from pipeline.plan.options import PlanOptions
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.subtitle_guides import load_guide
from shared.text.guide_limits import GuideParams
from shared.text.language import language_in_file_name, parse_language

GUIDES = sorted(path.stem for path in (CONFIG / "guides").glob("*.toml"))


def steps(guide: str, **params: int) -> dict[str, Step]:
    profile = load_profiles(CONFIG / "profiles")["starter"]
    limits = load_guide(guide, CONFIG / "guides").params
    options = PlanOptions("subtitle", "starter", profile, (), {"subtitle": dict(params)}, guide=limits)
    return {step.id: step for step in make_plan(load_recipe("subtitle", CONFIG / "recipes"), options).steps}


@pytest.mark.parametrize("name", GUIDES)
def test_every_limit_of_every_guide_names_its_source(name: str) -> None:
    load_guide(name, CONFIG / "guides")
    lines = (CONFIG / "guides" / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    limits = [line for line in lines if re.match(r"\w+ = [\d.]", line)]
    assert limits
    assert [line for line in limits if not re.search(r"# \S.+", line)] == []


@pytest.mark.parametrize("name", GUIDES)
def test_the_languages_of_a_guide_are_tags(name: str) -> None:
    limits = load_guide(name, CONFIG / "guides").limits
    for tag in (*limits.line_lengths, *limits.reading_speeds):
        assert parse_language(tag) == tag


def test_the_defaults_are_those_of_netflix() -> None:
    netflix = load_guide("netflix", CONFIG / "guides").limits
    general = {name: value for name, value in netflix.model_dump().items() if not isinstance(value, dict)}
    assert GuideParams.model_validate(general) == GuideParams()


def test_a_language_has_its_own_limits_and_a_region_those_of_its_language() -> None:
    netflix = load_guide("netflix", CONFIG / "guides").limits
    assert [netflix.limits(tag).reading_speed for tag in ("hi", "en-GB", "pt-BR", "und")] == [22, 20, 17, 17]
    assert [netflix.limits(tag).line_length for tag in ("ja", "zh-Hant", "th", "en")] == [26, 32, 35, 42]


@pytest.mark.parametrize(("frame_rate", "gap_ms"), [(None, 84), (23.976, 84), (25.0, 80), (50.0, 40)])
def test_the_smallest_gap_is_two_frames_rounded_up(frame_rate: float | None, gap_ms: int) -> None:
    assert GuideParams().limits("en", frame_rate).gap_ms == gap_ms


def test_a_guide_reaches_the_stages_that_know_limits_and_the_user_goes_before_it() -> None:
    plain = steps("plain")
    assert plain["subtitle"].params.model_dump()["line_length"] == 43
    assert "line_length" not in plain["asr"].params.model_dump()
    assert steps("plain", line_length=30)["subtitle"].params.model_dump()["line_length"] == 30


def test_a_guide_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_guide("dogme95", CONFIG / "guides")
    assert caught.value.hint == "the guides are bbc, netflix, plain, sdh; one of your own is a path to a TOML file"
    own = tmp_path / "own.toml"
    for text, word in (("limits = {", "TOML"), ('summary = ""\n[limits]\nlines = 9', "limits.lines")):
        own.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=word) as caught:
            load_guide(str(own), CONFIG / "guides")
        assert caught.value.code == "guide.invalid"


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("film.en.srt", "en"), ("film.pt-BR.forced.srt", "pt-BR"), ("film.hi.sdh.vtt", "hi"), ("film.srt", "und"),
        ("film.2019.srt", "und"),
    ],
)  # fmt: skip
def test_the_language_of_a_file_is_read_from_its_name(name: str, language: str) -> None:
    assert language_in_file_name(name) == language


@pytest.mark.parametrize(
    ("name", "language", "number"), [("line_length", "ja", 30), ("line_length", "en", 32), ("reading_speed", "en", 12)]
)
def test_a_number_of_the_user_holds_in_every_language(name: str, language: str, number: int) -> None:
    params = GuideParams.model_validate(
        {
            field: value
            for field, value in steps("netflix", **{name: number})["subtitle"].params.model_dump().items()
            if field in GuideParams.model_fields
        }
    )
    assert getattr(params.limits(language), name) == number
    other = "line_length" if name == "reading_speed" else "reading_speed"
    assert getattr(params.limits("ja"), other) == {"line_length": 26, "reading_speed": 8}[other], "still the guide's"
