"""A plan, and a run before it builds anything, say what is known of models that are not there yet. A run locks its
models before it makes its plan."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import Missing
from pipeline.base.events import Event, Notice
from pipeline.base.project import CONFIG
from pipeline.cli.first_use import ask_about_code
from pipeline.cli.main import main
from pipeline.engine.model_needs import plan_with_locked_models
from pipeline.engine.project import Project
from pipeline.model_cache.manifest import load_manifest
from pipeline.model_cache.overlay import read_overlay
from shared.remote_code import pinned_code
from tests.fakes.hub import Hub, serve

FILES = {"config.json": b"{}", "modeling_indictrans.py": b"x = 1\n", "model.safetensors": b"w" * 900}
CODE = "indictrans2-en-indic-1b"
SAMPLE = Path(__file__).parents[3] / "samples" / "demo.mp4"
Make = Callable[..., Project]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub with the repositories of all models that no lock knows and of the gated ones; folders of the test's own."""
    models, locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")
    served = {
        f"{locked[name].repo}/resolve/{locked[name].revision.replace('unknown', 'a' * 40)}/{file}": content
        for name, model in models.items()
        if model.gated or not locked[name].resolved
        for file, content in FILES.items()
    }
    for variable in ("CI", "HF_TOKEN", "HF_HOME", "HF_TOKEN_PATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("cache", "results", "environments", "own_models", "output"):
        monkeypatch.setenv(f"REEL_{name.upper()}_DIR", str(tmp_path / name))
    with serve(served) as hub:
        hub.users = {"hf_alice": "alice"}
        hub.gated = {str(locked[name].repo): {"alice"} for name, model in models.items() if model.gated}
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (("--profile", "best"), {"hub.no-token"}),
        (("--profile", "balanced", "--locked", "--set", "asr.models.whisper=wikineural"), {"model.unresolved"}),
        (("--profile", "balanced", "--offline"), {"model.missing"}),
    ],
)
def test_what_hinders_is_said_by_the_plan_and_by_the_run_before_anything_is_built(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], codes: set[str]
) -> None:
    assert main(["plan", str(SAMPLE), *arguments, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)["data"]
    assert {one["code"] for one in planned["obstacles"]} == codes
    assert main(["plan", str(SAMPLE), *arguments]) == 0
    shown = capsys.readouterr().out
    assert "a run would end before its first step:" in shown
    assert "    hint: " in shown
    assert main(["run", str(SAMPLE), *arguments, "--json"]) == 5
    refused = json.loads(capsys.readouterr().out)["errors"][0]
    assert refused["code"] in codes
    assert not (tmp_path / "environments").exists()
    assert not any("/resolve/" in path for path, _ in hub.requests), "not a byte of a model"


def test_a_disk_that_is_too_small_is_part_of_the_plan(
    hub: Hub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.model_cache.cache.ModelCache.free_bytes", lambda cache: 1000)
    assert main(["plan", str(SAMPLE), "--profile", "balanced", "--json"]) == 0
    assert [one["code"] for one in json.loads(capsys.readouterr().out)["data"]["obstacles"]] == ["model.no-space"]


def test_a_run_locks_before_it_plans_so_that_the_plan_pins_the_code_and_keys_hold_its_bytes(
    hub: Hub, make_project: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    settings: dict[str, JsonValue] = {
        "own_models_dir": str(tmp_path / "own"), "recipe": "translate", "to": ["hi"], "accept_code": ["indictrans2-*"],
        "stages": {"translate": {"backend": "indictrans2"}, "asr": {"language": "en"}}, "profile": "indic",
    }  # fmt: skip
    project = make_project(**settings)
    keys = project.key_context()
    before = keys.models[CODE]
    said: list[Event] = []
    failed: dict[str, Missing] = {}
    plan = plan_with_locked_models(project.planner, said.append, failed)
    assert failed == {}
    assert any(f"model {CODE} locked at first use: 3 files" in one.text for one in said if isinstance(one, Notice))
    translating = next(step for step in plan.steps if step.stage.name == "translate")
    role = next(role for role, name in {**translating.models, **translating.direction_models}.items() if name == CODE)
    digests = {file: entry.sha256 for file, entry in project.installed.models.locked[CODE].files.items()}
    assert pinned_code(role, digests).items() <= translating.code.items()
    assert keys.models[CODE] != before, "the key holds the bytes as they are locked now"
    assert project.installed.models.overlay.origin(CODE) == "here"
    assert make_project(**settings).planner.plan().steps == plan.steps, "and the next run plans the same"


def test_without_a_terminal_the_hint_about_code_names_the_command_that_accepts_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert main(["models", "fetch", CODE]) == 5
    shown = capsys.readouterr().out
    assert "[model.code-unaccepted]" in shown
    assert main(shown.partition("a script says `./reel ")[2].partition("`")[0].split()) == 0
    assert main(["models", "fetch", CODE, "--locked"]) == 0, "it is locked from now on"


def test_code_is_asked_about_at_a_terminal_before_a_job_begins(
    hub: Hub, make_project: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A person says no, and nothing is locked; says yes, and it is."""
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    for answer, locked in ((b"n\n", set[str]()), (b"y\n", {CODE})):
        project = make_project(
            own_models_dir=str(tmp_path / "own"), recipe="translate", to=["hi"], profile="indic", progress="none",
            stages={"translate": {"backend": "indictrans2"}, "asr": {"language": "en"}},
        )  # fmt: skip
        leader, follower = pty.openpty()
        os.write(leader, answer)
        with (
            open(follower, encoding="utf-8", closefd=False) as keys,
            open(follower, "w", encoding="utf-8") as screen,
            monkeypatch.context() as patched,
        ):
            patched.setattr("sys.stdin", keys)
            patched.setattr("sys.stderr", screen)
            ask_about_code(project.planner.plan().steps, project.installed)
        os.close(leader)
        assert {name for name in read_overlay(tmp_path / "own") if name == CODE} == locked
