"""A user's own models: declared by a command, locked by their bytes, named for a stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import BadInput, UsageError
from pipeline.base.project import CONFIG
from pipeline.engine.project import Project
from pipeline.model_cache.user_models import UserModels, add_folder, load_user_models
from pipeline.plan.model_overrides import apply_model_overrides
from pipeline.plan.profile import ProfileStage
from tests.conftest import Reel

NAME = "my-whisper"


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    """Return a folder with what a Whisper has, as far as a plan looks."""
    folder = tmp_path / 'wörk "2"' / "tuned"
    (folder / "more").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "more" / "vocabulary.json").write_text("{}", encoding="utf-8")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "huggingface").write_text("no part of it", encoding="utf-8")
    return folder


def test_a_folder_becomes_a_model_that_a_stage_can_be_given(reel: Reel, tuned: Path, tmp_path: Path) -> None:
    places = {"REEL_OWN_MODELS_DIR": str(tmp_path / "own"), "REEL_CACHE_DIR": str(tmp_path / "cache")}
    before = (CONFIG / "models.lock.json").read_bytes()
    added = json.loads(reel("models", "add", NAME, tuned, "--stage", "asr", "--json", extra=places).stdout)["data"]
    assert (added["name"], added["files"], added["bytes"]) == (NAME, 2, 9)
    (found,) = (
        one for one in json.loads(reel("models", "list", "--json", extra=places).stdout)["data"]["models"]
        if one["name"] == NAME
    )  # fmt: skip
    assert (found["complete"], found["licence"], found["stages"]) == (True, "your own", ["asr"])
    assert (CONFIG / "models.lock.json").read_bytes() == before
    assert "is your own model" in reel("models", "lock", NAME, extra=places, expect=2).stderr
    (tmp_path / "film.mp4").write_text("a film", encoding="utf-8")
    wishes = ("--profile", "starter", "--set", f"asr.models.whisper={NAME}")
    needs = json.loads(reel("plan", "film.mp4", *wishes, "--json", extra=places).stdout)["data"]["needs"]
    assert not any("whisper" in need for need in needs), "it is in the cache"


def test_other_bytes_in_the_folder_are_another_model_once_it_is_added_again(tuned: Path, tmp_path: Path) -> None:
    own = add_folder(NAME, tuned, "MIT", ("asr",), UserModels(tmp_path / "own"), ())
    assert load_user_models(tmp_path / "own", ()) == own
    assert set(own.locked[NAME].files) == {"model.bin", "more/vocabulary.json"}
    (tuned / "model.bin").write_bytes(b"heavier")
    assert load_user_models(tmp_path / "own", ()).locked == own.locked
    again = add_folder(NAME, tuned, "MIT", ("asr",), own, ())
    assert again.locked[NAME].digest != own.locked[NAME].digest
    assert again.locked[NAME].revision != own.locked[NAME].revision
    add_folder("another", tuned, "MIT", (), again, ())
    assert set(load_user_models(tmp_path / "own", ()).models) == {NAME, "another"}


@pytest.mark.parametrize(
    ("name", "folder", "code"),
    [
        ("faster-whisper-base", "tuned", "models.taken"),
        ("My Whisper", "tuned", "models.name"),
        ("../whisper", "tuned", "models.name"),
        ("mine", "tuned", "models.taken"),
        ("new", "nowhere", "models.folder"),
        ("new", "empty", "models.folder"),
    ],
)
def test_what_cannot_be_a_model_is_refused(tuned: Path, tmp_path: Path, name: str, folder: str, code: str) -> None:
    (tuned.parent / "empty").mkdir()
    (tuned.parent / "other").mkdir()
    (tuned.parent / "other" / "model.bin").write_bytes(b"x")
    own = add_folder("mine", tuned.parent / "other", "MIT", (), UserModels(tmp_path / "own"), ())
    with pytest.raises((UsageError, BadInput)) as refusal:
        add_folder(name, tuned.parent / folder, "MIT", (), own, ("faster-whisper-base",))
    assert refusal.value.code == code
    assert load_user_models(tmp_path / "own", ()) == own


def test_a_name_that_the_checkout_takes_later_is_told(tuned: Path, tmp_path: Path) -> None:
    add_folder(NAME, tuned, "MIT", (), UserModels(tmp_path / "own"), ())
    with pytest.raises(UsageError, match="a name already in use"):
        load_user_models(tmp_path / "own", (NAME,))


def test_models_of_the_settings_stand_in_for_those_of_the_profile(make_project: Callable[..., Project]) -> None:
    stages: dict[str, dict[str, JsonValue]] = {
        "asr": {"models": {"whisper": "faster-whisper-small"}},
        "align": {"languages": {"cy": "align-en"}},
    }
    project = make_project(profile="starter", stages=stages)
    profile = project.planner.profile.profile
    assert profile.stages["asr"] == ProfileStage(backend="faster-whisper", models={"whisper": "faster-whisper-small"})
    assert profile.stages["align"].languages == {"cy": "align-en"}
    assert "faster-whisper-small" in profile.models
    (asr,) = (step for step in project.planner.plan().steps if step.id == "asr")
    assert asr.models == {"whisper": "faster-whisper-small"}
    once_more = project.planner.with_overrides({"stages.asr.models": {"whisper": "faster-whisper-tiny"}})
    assert once_more.profile.profile.stages["asr"].models == {"whisper": "faster-whisper-tiny"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"models": {"wisper": "align-en"}}, "settings.models"),
        ({"models": {"whisper": "nobody"}}, "model.unknown"),
        ({"models": "align-en"}, "settings.models"),
        ({"models": {"whisper": 3}}, "settings.models"),
        ({"languages": {"no language": "align-en"}}, "settings.models"),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused(
    make_project: Callable[..., Project], settings: dict[str, JsonValue], code: str
) -> None:
    project = make_project(profile="starter")
    with pytest.raises(UsageError) as refusal:
        apply_model_overrides(replace(project.planner.profile), {"asr": settings}, project.installed.models.problem)
    assert refusal.value.code == code
