"""`./bootstrap.sh` in a fresh clone on a made-up machine: it takes the profile that suits, says so, and asks."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.base.hardware import REMEMBERED, Hardware
from tests.clone import fresh_clone
from tests.conftest import ROOT, Reel
from tests.fakes.hub import serve
from tests.fakes.nvidia import fake_card, fake_tool

pytestmark = pytest.mark.slow
_QUESTION = "Set up best (1), the smaller balanced (2), or nothing (n)? [1] "


@dataclass(frozen=True)
class Machine:
    """A fresh clone, and the variables of a shell on a machine out of reach of every network."""

    clone: Path
    variables: dict[str, str]

    def run(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.clone / words[0], *words[1:]], env=self.variables, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=300,
        )  # fmt: skip
        assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}"
        return done

    def answer(self, *words: str, typed: str) -> tuple[int, str, str]:
        """Run a command at a terminal; return its exit code, its standard output, and what the terminal showed."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [self.clone / words[0], *words[1:]], env=self.variables, stdin=follower, stderr=follower,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(follower)
        os.write(leader, typed.encode())
        out, _ = process.communicate(timeout=300)
        shown = b""
        try:
            while chunk := os.read(leader, 1 << 16):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        os.close(leader)
        return process.returncode, out, shown.decode().replace("\r\n", "\n")

    @property
    def remembered(self) -> Hardware:
        return Hardware.read(self.clone / "config" / REMEMBERED)


@pytest.fixture
def machine(reel: Reel, tmp_path: Path) -> Iterator[Machine]:
    """A machine with a card. The small build of torch keeps it from building environments for the card."""
    with serve({"org/other/resolve/main/x": b""}) as hub:
        (tmp_path / "person").mkdir()
        path = f"{fake_tool(tmp_path / 'bin', [fake_card()])}{os.pathsep}{os.environ['PATH']}"
        own = {
            "PATH": path, "HOME": str(tmp_path / "person"), "REEL_CACHE_DIR": str(tmp_path / "cache"),
            "REEL_TORCH": "cpu", "HF_ENDPOINT": hub.address, "PIP_NO_INDEX": "1",
        }  # fmt: skip
        variables = reel.environment(own)
        yield Machine(fresh_clone(tmp_path), {name: variables[name] for name in variables if name != "PYTHONPATH"})


@pytest.fixture(scope="session")
def stage_environments() -> None:
    """Build the environments of the largest profile once, in the project's own folder."""
    done = subprocess.run(
        [ROOT / "reel", "envs", "ensure", "lite", "demucs", "speech"], capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("stage_environments")
def test_a_script_on_a_gpu_machine_gets_the_profile_that_suits_it_and_hears_why(machine: Machine) -> None:
    done = machine.run("bootstrap.sh", "--skip-cache")
    assert "RTX 3090 (24 GiB)" in done.stderr
    assert re.search(r"^best +3\.\d GB +3\.\d GB +CC-BY-4.0, MIT$", done.stderr, re.MULTILINE)
    assert "/pyannote/speaker-diarization-community-1" in done.stderr
    assert "profile best, because it suits machines with CUDA, and 15 GiB of memory" in done.stderr
    assert {"demucs", "speech"} <= {line.split()[0] for line in done.stdout.splitlines()}
    assert machine.remembered.profile == "best"
    hinted = re.findall(r"`(--profile [a-z]+)` is smaller", done.stderr)
    assert hinted == ["--profile balanced"]
    smaller = machine.run("bootstrap.sh", "--skip-cache", *shlex.split(hinted[0]))
    assert "profile balanced, because you named it\n" in smaller.stderr
    assert "demucs" not in smaller.stdout


def test_a_fetch_without_a_profile_on_a_gpu_machine_names_the_one_that_suits_it(machine: Machine) -> None:
    told = machine.run("cache-models.sh", "--offline", expect=5).stderr
    (hint,) = re.findall(r"best suits this machine better: `\./([^`]+)`", told)
    assert "demucs-htdemucs" in machine.run(*shlex.split(hint), "--offline", expect=5).stdout


@pytest.mark.usefixtures("stage_environments")
def test_a_setting_or_a_variable_decides_as_a_flag_does(machine: Machine) -> None:
    (machine.clone / "reel.toml").write_text('profile = "balanced"\n', encoding="utf-8")
    assert "profile balanced, because you named it\n" in machine.run("bootstrap.sh", "--skip-cache").stderr
    machine.variables["REEL_PROFILE"] = "starter"
    assert "profile starter, because you named it\n" in machine.run("bootstrap.sh", "--skip-cache").stderr


@pytest.mark.usefixtures("stage_environments")
@pytest.mark.parametrize(("typed", "profile"), [("\n", "best"), ("1\n", "best"), ("2\n", "balanced")])
def test_a_person_at_a_terminal_chooses(machine: Machine, typed: str, profile: str) -> None:
    code, out, shown = machine.answer("bootstrap.sh", "--skip-cache", typed=typed)
    assert code == 0, shown
    assert _QUESTION in shown
    assert ("demucs" in out) == (profile == "best")


@pytest.mark.parametrize("typed", ["n\n", "\x04", "what?\n"])
def test_a_person_who_wants_none_of_it_gets_nothing(machine: Machine, typed: str) -> None:
    code, out, _ = machine.answer("bootstrap.sh", typed=typed)
    assert (code, out) == (0, "nothing was set up\n")


@pytest.mark.usefixtures("stage_environments")
def test_a_person_is_asked_once_about_the_models_before_anything_is_built(machine: Machine) -> None:
    code, out, shown = machine.answer("bootstrap.sh", "--profile", "starter", typed="n\n")
    assert code == 0, shown
    assert "Fetch its models too, 160 MB? [Y/n] " in shown
    assert "lite" in out
    assert "MODEL" not in out
    code, out, _ = machine.answer("bootstrap.sh", "--profile", "best", typed="q\n")
    assert (code, out) == (0, "nothing was set up\n")


def test_a_profile_for_other_machines_is_taken_by_name_and_that_is_said(machine: Machine) -> None:
    code, _, shown = machine.answer("bootstrap.sh", "--profile", "apple", typed="q\n")
    assert code == 0
    assert "profile apple, because you named it; it is meant for machines with MLX, and 7 GiB of memory" in shown


def test_a_profile_that_there_is_not_is_refused_before_anything_is_built(machine: Machine) -> None:
    assert "did you mean `best`?" in machine.run("bootstrap.sh", "--profile", "bset", expect=2).stderr
    assert machine.run("bootstrap.sh", "--cache-models", "--skip-cache", expect=2).stderr
