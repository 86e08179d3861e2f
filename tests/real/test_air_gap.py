"""A machine that never sees a network: what its page says is done there, word for word, where there is none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel

PAGE = ROOT / "docs" / "how-to" / "work-offline.md"
# A network namespace has no interface but a loopback that is down.
WITHOUT_NETWORK = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--net")


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    if sys.platform != "linux" or subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True).returncode:
        pytest.skip("this system cannot keep a process from the network")


def test_there_is_no_network_in_these_tests() -> None:
    ask = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"
    done = subprocess.run([*WITHOUT_NETWORK, sys.executable, "-c", ask], capture_output=True, text=True)
    assert "unreachable" in done.stderr


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return another checkout, with the archive and a film in it and nothing else of this machine's."""
    folder = tmp_path_factory.mktemp("far")
    reel = Reel(folder, tmp_path_factory.mktemp("person"))  # pip asks other tools for versions; those write there
    environments = {"REEL_ENVIRONMENTS_DIR": str(folder / "none")}  # else all that is built here goes with it
    archive = ["models", "export", "reel.tar", "--profile", "starter", "--with-environments"]
    assert f"./reel {' '.join(archive)}" in PAGE.read_text(encoding="utf-8")
    reel("models", "fetch", "--profile", "starter")
    reel(*archive, extra=environments)
    checkout = folder / "checkout"
    ignored = shutil.ignore_patterns(".venvs", ".cache", "out", ".git", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    (folder / "reel.tar").rename(checkout / "reel.tar")
    os.link(ROOT / "samples" / "demo.mp4", checkout / "film.mkv")
    return checkout


def test_the_page_brings_a_film_to_subtitles_where_there_is_no_network(carried: Path, tmp_path: Path) -> None:
    block = re.search(r"```sh\n(tar -xf.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REEL_", "HF_", "PYTHON", "PIP"))}
    variables = {**kept, "HOME": str(tmp_path), "REEL_PYTHON": sys.executable, "REEL_PROFILE": "starter"}
    for command in block[1].splitlines():
        done = subprocess.run(
            [*WITHOUT_NETWORK, "sh", "-c", command], cwd=carried, env=variables,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    shown = (carried / "out" / "film" / "film.en.srt").read_text(encoding="utf-8")
    assert "popcorn" in shown
