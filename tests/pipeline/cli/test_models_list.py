"""`reel models list` for people, and the models that `--languages` adds to those of a profile."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.project import CONFIG
from pipeline.cli.main import main
from pipeline.model_cache.fetch_lock import MARK
from pipeline.model_cache.layout import layout_of
from pipeline.model_cache.manifest import load_manifest
from pipeline.plan.profile import load_profiles
from tests.conftest import ROOT

MODELS, LOCKED = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
STARTER = ("faster-whisper-base", "ge2e-embedder")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache, and no models of the user's own."""
    monkeypatch.setenv("REEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("REEL_OWN_MODELS_DIR", str(tmp_path / "own"))
    return tmp_path / "cache"


def complete(cache: Path, *names: str) -> None:
    """Put files of the right sizes in the places of these models: the list looks no further."""
    for name in names:
        layout = layout_of(cache, name, LOCKED[name])
        layout.root.mkdir(parents=True, exist_ok=True)
        (layout.root / MARK).touch()
        for file, entry in LOCKED[name].files.items():
            place = layout.snapshot / file
            place.parent.mkdir(parents=True, exist_ok=True)
            with open(place, "wb") as stream:
                stream.truncate(entry.size)


def told(capsys: pytest.CaptureFixture[str], *words: str, expect: int = 0) -> str:
    assert main(["models", *words]) == expect
    return capsys.readouterr().out


def data(capsys: pytest.CaptureFixture[str], *words: str, expect: int = 0) -> Any:
    return json.loads(told(capsys, *words, "--json", expect=expect))["data"]


def groups(text: str) -> dict[str, list[str]]:
    """Return the names below each title, by the title's first words."""
    found: dict[str, list[str]] = {}
    for block in text.split("\n\n")[1:-1]:
        title, *rows = block.splitlines()
        found[re.split(r"[,:]| to terms", title)[0]] = [row.split()[0] for row in rows]
    return found


def test_models_stand_under_what_can_be_done_about_them(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete(cache, *STARTER)
    text = told(capsys, "list")
    found = groups(text)
    assert found["complete"] == list(STARTER)
    assert "faster-whisper-large-v3" in found["can be fetched"]
    assert set(found["needs your agreement"]) == {name for name, model in MODELS.items() if model.gated}
    assert sorted(itertools.chain.from_iterable(found.values())) == sorted(MODELS), "each stands once"
    assert text.splitlines()[-1].startswith("2 complete (160 MB); ")


def test_the_list_of_a_profile_ends_with_what_the_profile_still_needs(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    complete(cache, *STARTER)
    best = told(capsys, "list", "--profile", "best")
    assert re.fullmatch(r"0 complete \(0 MB\); best needs 3\.\d GB more and one agreement", best.splitlines()[-1])
    assert "align: Hindi" in best
    assert "nllb" not in best
    more = told(capsys, "list", "--profile", "best", "--languages", "en,hi").splitlines()[-1]
    assert re.fullmatch(r"0 complete \(0 MB\); best needs 4\.\d GB more and one agreement", more)
    starter = told(capsys, "list", "--profile", "starter")
    assert starter.splitlines()[-1] == "2 complete (160 MB); starter needs nothing more"
    assert "agreement" not in starter
    assert re.search(r"and 4 agreements$", told(capsys, "list", "--profile", "indic").rstrip())


@pytest.mark.parametrize("profile", [[], *(["--profile", name] for name in load_profiles(CONFIG / "profiles"))])
def test_the_list_fits_a_terminal_of_100_columns_with_models_of_any_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], profile: list[str]
) -> None:
    assert max(map(len, told(capsys, "list", *profile).splitlines())) <= 100
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.bin").write_bytes(b"weights")
    name = "a-model-whose-name-goes-on-and-on-and-tells-everything-about-it"
    told(capsys, "add", name, str(tmp_path / "folder"), "--licence", "a long text about what may be done with it")
    listed = told(capsys, "list", *profile)
    assert max(map(len, listed.splitlines())) <= 100
    assert (name in listed) == (not profile)


def test_the_json_of_the_list_has_its_documented_shape(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| `models list` |"))
    documented = re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", row))
    everything = data(capsys, "list")["models"]
    assert [entry["name"] for entry in everything] == list(MODELS)
    assert all(list(entry) == documented for entry in everything)
    some = data(capsys, "list", "--profile", "starter")["models"]
    assert [entry["name"] for entry in some] == list(STARTER)


def test_languages_bring_their_models_to_every_command_of_a_profile(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(*words: str, expect: int = 0) -> list[str]:
        return [entry["name"] for entry in data(capsys, *words, expect=expect)["models"]]

    best = names("fetch", "--profile", "best", "--offline", expect=5)
    with_english = names("fetch", "--profile", "best", "--languages", "English", "--offline", expect=5)
    assert set(with_english) - set(best) == {"align-en"}
    assert names("verify", "--profile", "best", "--languages", "en", expect=5) == with_english
    assert names("fetch", "ge2e-embedder", "--profile", "best", "--languages", "en", "--offline", expect=5) == [
        "align-en", "ge2e-embedder"
    ]  # fmt: skip
    keys = [told(capsys, "key", "--profile", "best", *more) for more in ([], ["--languages", "en"])]
    monkeypatch.setenv("REEL_LANGUAGES", "en")
    assert told(capsys, "key", "--profile", "best") == keys[1] != keys[0], "the setting says the same"
    assert names("fetch", "ge2e-embedder", "--offline", expect=5) == ["ge2e-embedder"], "and adds nothing to names"


def test_a_language_that_a_profile_has_no_model_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "--profile", "best", "--languages", "nl", "--offline"]) == 5
    assert "in the profile best the stage align has no model for Dutch and does without one" in capsys.readouterr().err


def test_a_word_that_is_not_a_language_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "--languages", "Hindy"]) == 2
    assert "the nearest is Hindi (`hi`)" in capsys.readouterr().err
    assert main(["models", "key", "--languages", "und"]) == 2
    assert "expected languages that are spoken, and `und` names none" in capsys.readouterr().err


def test_the_aligner_of_a_profile_is_not_surplus(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete(cache, "align-en", "nllb-600m")
    found = data(capsys, "prune")["surplus"]
    assert [Path(entry["path"]).name for entry in found] == ["models--facebook--nllb-200-distilled-600M"]
