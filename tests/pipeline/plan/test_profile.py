"""A profile that extends another states only what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import UsageError
from pipeline.base.project import CONFIG
from pipeline.plan.profile import load_profiles
from pipeline.plan.registry import STAGES

_BASE = """summary = "base"
rank = 1

[stages.asr]
backend = "one"
models = { whisper = "small", other = "kept" }
params = { beam_size = 1 }

[stages.vad]
backend = "silero"
"""


def _folder(folder: Path, **profiles: str) -> Path:
    for name, text in {"base": _BASE, **profiles}.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_values_replace_values_and_models_replace_roles(tmp_path: Path) -> None:
    child = 'summary = "child"\nextends = "base"\nrank = 2\n[stages.asr.models]\nwhisper = "large"\n'
    profiles = load_profiles(_folder(tmp_path, child=child))
    assert list(profiles) == ["child", "base"]
    asr = profiles["child"].stages["asr"]
    assert (asr.backend, asr.models, asr.params) == ("one", {"whisper": "large", "other": "kept"}, {"beam_size": 1})
    assert profiles["child"].stages["vad"] == profiles["base"].stages["vad"]
    assert profiles["base"].stages["asr"].models["whisper"] == "small", "the profile below stays as it is"


def test_a_stage_that_names_its_backend_takes_nothing_from_the_one_below(tmp_path: Path) -> None:
    child = 'summary = "child"\nextends = "base"\nrank = 2\n[stages.asr]\nbackend = "two"\n'
    asr = load_profiles(_folder(tmp_path, child=child))["child"].stages["asr"]
    assert (asr.backend, asr.models, asr.params) == ("two", {}, {})


def test_a_profile_of_three_levels_takes_the_nearest_value(tmp_path: Path) -> None:
    child = 'summary = "child"\nextends = "base"\nrank = 2\n[stages.asr.models]\nwhisper = "large"\n'
    grandchild = 'summary = "grandchild"\nextends = "child"\nrank = 3\n[stages.asr.models]\nother = "new"\n'
    profiles = load_profiles(_folder(tmp_path, child=child, grandchild=grandchild))
    assert profiles["grandchild"].stages["asr"].models == {"whisper": "large", "other": "new"}


@pytest.mark.parametrize("base", ["nothing", "child", "other"])
def test_a_profile_that_extends_nothing_itself_or_a_circle_is_refused(tmp_path: Path, base: str) -> None:
    child = f'summary = "child"\nextends = "{base}"\nrank = 2\n'
    other = 'summary = "other"\nextends = "child"\nrank = 3\n'
    with pytest.raises(UsageError, match="extends"):
        load_profiles(_folder(tmp_path, child=child, other=other))


@pytest.mark.parametrize("name", sorted(load_profiles(CONFIG / "profiles")))
def test_every_profile_fills_every_stage_that_a_shipped_recipe_may_ask_for(name: str) -> None:
    profile = load_profiles(CONFIG / "profiles")[name]
    # They need no choice: one backend, and no model.
    without = {"check", "compare", "correct", "fit", "pages", "probe", "sample", "sync"}
    assert set(STAGES) - without <= set(profile.stages)
