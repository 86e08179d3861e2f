"""The scripts that set up: faces of `reel`, run as a user runs them, against a hub that has nothing."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.base.hardware import REMEMBERED, Hardware
from pipeline.base.project import CONFIG
from pipeline.environments.environments import MARKER
from pipeline.model_cache.manifest import load_manifest
from tests.conftest import ROOT, Reel
from tests.fakes.hub import Hub, serve
from tests.test_docs import commands

INDIC = "indictrans2-en-indic-1b"
PAGES = ["cache-models.md", "gated-models.md", "set-up-a-gpu-machine.md"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve({"org/other/resolve/main/x": b""}) as hub:
        yield hub


@pytest.fixture
def environment(reel: Reel, hub: Hub, tmp_path: Path) -> dict[str, str]:
    """Return variables out of reach of every network, with a cache and a home of their own, in which pip asks other
    tools for their versions, and those leave things behind."""
    (tmp_path / "person").mkdir()
    return reel.environment(
        {
            "HF_ENDPOINT": hub.address,
            "HOME": str(tmp_path / "person"),
            "PIP_NO_INDEX": "1",
            "REEL_CACHE_DIR": str(tmp_path / "cache"),
            "REEL_OWN_MODELS_DIR": str(tmp_path / "own"),
            "CI": "",
        }
    )


def run(script: str, *arguments: str, environment: Mapping[str, str], expect: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [ROOT / script, *arguments], env=environment, text=True, capture_output=True, stdin=subprocess.DEVNULL,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def built(stage_environments: None) -> None:
    assert (ROOT / ".venvs" / "lite" / MARKER).exists(), "`./reel envs ensure` makes it"


def test_a_flag_of_cache_models_stands_for_a_family(environment: dict[str, str], hub: Hub) -> None:
    done = run("cache-models.sh", "--nllb", "--indictrans2", "--locked", "--json", environment=environment, expect=5)
    document = json.loads(done.stdout)
    names = [model["name"] for model in document["data"]["models"]]
    assert len([name for name in names if name.startswith("nllb-")]) == 3
    assert len([name for name in names if name.startswith("indictrans2-")]) == 6
    assert len(names) == 9
    assert {error["code"] for error in document["errors"]} == {"model.unresolved"}
    assert hub.requests == []


@pytest.mark.parametrize("flag", ["--whisperx", "--pyannote", "--demucs", "--mlx", "--nemo", "--all"])
def test_every_flag_of_cache_models_names_models(environment: dict[str, str], hub: Hub, flag: str) -> None:
    done = run("cache-models.sh", flag, "--offline", "--json", environment=environment, expect=5)
    names = [model["name"] for model in json.loads(done.stdout)["data"]["models"]]
    assert len(names) > 1
    if flag == "--all":
        assert names == list(load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[0])
    assert hub.requests == []


def test_what_the_hub_answers_stands_in_the_table_and_every_model_was_tried(
    environment: dict[str, str], hub: Hub
) -> None:
    done = run("cache-models.sh", "faster-whisper-small", "ge2e-embedder", environment=environment, expect=5)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows[:3]] == ["MODEL", "faster-whisper-small", "ge2e-embedder"]
    assert rows[1][-2:] == ["missing", "hub.not-found"]
    assert rows[2][-2:] == ["missing", "model.missing"]
    assert f"see whether {hub.address}/Systran/faster-whisper-small opens in a browser" in done.stdout


@pytest.mark.usefixtures("built")
def test_bootstrap_sets_up_environments_and_leaves_the_models_out_when_told_so(
    environment: dict[str, str], hub: Hub
) -> None:
    done = run("bootstrap.sh", "--skip-cache", "--profile", "starter", environment=environment, expect=0)
    assert "lite" in done.stdout
    assert hub.requests == []
    assert Hardware.read(CONFIG / REMEMBERED).cpus > 0


@pytest.mark.usefixtures("built")
def test_bootstrap_says_which_models_could_not_be_had(environment: dict[str, str]) -> None:
    done = run("bootstrap.sh", "--cache-models", "--profile", "starter", environment=environment, expect=5)
    assert "faster-whisper-base" in done.stdout
    assert "[hub.not-found]" in done.stdout


@pytest.mark.usefixtures("built")
def test_bootstrap_fetches_nothing_when_nobody_can_be_asked(environment: dict[str, str], hub: Hub) -> None:
    done = run("bootstrap.sh", "--profile", "starter", environment=environment, expect=0)
    assert "there is no terminal to ask on" in done.stderr
    assert hub.requests == []


def test_bootstrap_for_powershell_takes_the_same_flags_and_calls_the_same_command() -> None:
    """It cannot be run here; that it is PowerShell at all is tested with a parser in `tests/real`."""
    shell, powershell = (
        (ROOT / "bootstrap.sh").read_text(encoding="utf-8"),
        (ROOT / "bootstrap.ps1").read_text(encoding="utf-8"),
    )
    assert shell.rstrip().endswith('exec "$root/reel" setup "$@"')
    assert "'reel.ps1') setup @flags" in powershell
    for flag in ("--cache-models", "--skip-cache", "--profile", "--languages", "--help", "-h"):
        assert flag in shell
        assert flag in powershell


def test_a_person_at_the_terminal_is_asked_once_with_true_sizes_licences_and_code(
    environment: dict[str, str], hub: Hub
) -> None:
    """Two models are not locked yet: reel looks up their sizes first, and the code of one is part of the question."""
    locked = load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[1]
    code = "modeling_indictrans.py"
    contents = {"align-hi": {"config.json": b"{}", "model.safetensors": b"w" * 3_000_000}, INDIC: {code: b"x = 1\n"}}
    hub.files = {
        f"{locked[name].repo}/resolve/{'a' * 40 if name == 'align-hi' else locked[name].revision}/{file}": content
        for name, files in contents.items()
        for file, content in files.items()
    }
    hub.users, hub.gated = {"hf_of_a_test": "alice"}, {str(locked[INDIC].repo): {"alice"}}
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [ROOT / "cache-models.sh", "--ask", "faster-whisper-base", "align-fr", "align-hi", "align-ko", INDIC],
        env={**environment, "HF_TOKEN": "hf_of_a_test"}, stdin=follower, stderr=follower, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    os.close(follower)
    os.write(leader, b"n\n")
    out, _ = process.communicate(timeout=60)
    asked = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert process.returncode == 0
    assert "148 MB" in asked
    assert "CC-BY-NC-4.0" in asked
    assert "no commercial use" in asked
    assert f"  {code}  6 bytes  sha256 " in asked
    assert "Fetch 529 MB now? [y/N]" in asked, "148 + 378 + 3 MB: what no lock knew is part of it"
    assert "align-ko cannot be locked" in asked, "the hub does not have it, and that is said before the question"
    assert asked.count("[y/N]") == 1
    assert "nothing was fetched" in out
    assert not any(path.endswith(".safetensors") for path, _ in hub.requests)
    assert not Path(environment["REEL_OWN_MODELS_DIR"]).exists(), "nothing was agreed to, so nothing is locked"


@pytest.mark.parametrize("script", ["bootstrap.sh", "cache-models.sh"])
def test_a_word_that_is_no_flag_is_refused_and_help_is_given(environment: dict[str, str], script: str) -> None:
    run(script, "--nonsense", environment=environment, expect=2)
    assert "usage: ./" in run(script, "--help", environment=environment, expect=0).stdout


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_pages_about_models_does_what_it_can_without_a_network(
    environment: dict[str, str], hub: Hub, page: str
) -> None:
    told = [one for one in commands(ROOT / "docs" / "how-to" / page) if one.program != "./bootstrap.sh"]
    assert told
    for one in told:
        done = subprocess.run(
            [ROOT / one.program, *one.words], env={**environment, "REEL_OFFLINE": "true", **one.variables},
            text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert done.returncode in {0, 5}, f"{one}\n{done.stdout}\n{done.stderr}"
    assert hub.requests == []
