"""Servers on stub stages, with the environment `serve` and no other stage environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pipeline.base.project import CONFIG
from pipeline.environments.families import load_families
from shared.stage import CORE_ENVIRONMENT
from tests.conftest import ROOT, Reel
from tests.fakes.web_client import Server, end_server, start_server

DEMO = ROOT / "samples" / "demo.mp4"


@pytest.fixture(scope="session")
def serve_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the environments `core` and `serve` alone."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("REEL_")}
    done = subprocess.run([ROOT / "reel", "envs", "ensure", "serve"], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    folder = tmp_path_factory.mktemp("environments")
    for family in (CORE_ENVIRONMENT, *load_families(CONFIG / "environments.toml")):
        if family in {CORE_ENVIRONMENT, "serve"}:
            (folder / family).symlink_to(ROOT / ".venvs" / family)
        else:
            (folder / family).write_text("a test of the server has no stage environment\n", encoding="utf-8")
    return folder


@pytest.fixture
def environments(serve_environment: Path) -> Path:
    return serve_environment


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return a media folder with one film."""
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "demo.mp4").write_bytes(DEMO.read_bytes())
    return folder


Serve = Callable[..., Server]


@pytest.fixture
def serve(reel: Reel, films: Path) -> Iterator[Serve]:
    """Return a function that starts a server on stubs over the media folder; all are ended with the test."""
    servers: list[Server] = []

    def start(*arguments: str | Path, extra: Mapping[str, str] | None = None) -> Server:
        server = start_server(reel, "--stub", "--media", films, *arguments, extra=extra)
        servers.append(server)
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            end_server(server)
