"""reel as a package: a wheel is built of the checkout, installed by pip and by uv, and run in a folder of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.environments.package_index import index_environment, uv_command
from tests.clone import fresh_clone
from tests.conftest import ROOT

OURS = ("pipeline", "shared", "stages", "config")
SAMPLE = ROOT / "samples" / "demo.mp4"
_PYTHON_VARIABLES = ("PYTHON", "REEL_", "VIRTUAL_ENV")


def run(
    *words: str | Path, cwd: Path, expect: int = 0, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with `more` variables, and without those of Python and reel."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PYTHON_VARIABLES)}
    done = subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env={**kept, **(more or {})},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == expect, f"exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}"
    return done


def installer(*words: str | Path, cwd: Path) -> None:
    """Run pip or uv of the core environment, with the index that reel itself would use."""
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=index_environment(ROOT / ".cache", os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Installed:
    """A virtual environment with reel in it."""

    folder: Path

    @property
    def reel(self) -> Path:
        return self.folder / "bin" / "reel"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return next((self.folder / "lib").glob("python3*")) / "site-packages"

    def digest(self) -> str:
        """Return a digest of all names and bytes in `site-packages`, but for what Python compiles when it imports
        `reel` itself, before a line of ours is executed."""
        compiled = self.site_packages / "reel" / "__pycache__"
        files = sorted(path for path in self.site_packages.rglob("*") if path.is_file() and path.parent != compiled)
        told = hashlib.sha256()
        for path in files:
            told.update(f"{path}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return told.hexdigest()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clone in which a user has worked."""
    folder = tmp_path_factory.mktemp("wheel")
    clone = fresh_clone(folder)
    for private in ("config/secrets.json", "config/hardware_cache.json", "config/own/models.toml", "out/film.srt"):
        (clone / private).parent.mkdir(exist_ok=True)
        (clone / private).write_text("{}", encoding="utf-8")
    python = ROOT / ".venvs" / "core" / "bin" / "python"
    installer(python, "-P", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, clone, cwd=folder)
    return next(folder.glob("reelflow-*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return what `pip install` makes, with the libraries that the wheel asks for. Other packages of the environment
    have the names of those of reel."""
    found = Installed(tmp_path_factory.mktemp("pip") / "venv")
    run(sys.executable, "-m", "venv", "--without-pip", found.folder, cwd=wheel.parent)
    python = ROOT / ".venvs" / "core" / "bin" / "python"
    installer(python, "-P", "-m", "pip", "--python", found.python, "install", wheel, cwd=wheel.parent)
    for name in OURS:
        (found.site_packages / name).mkdir()
        (found.site_packages / name / "__init__.py").write_text("THEIRS = True\n", encoding="utf-8")
    return found


def test_the_wheel_holds_the_product_alone_and_inside_one_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name and ".data/" not in name} == {"reel"}
    held = [name.removeprefix("reel/program/") for name in names]
    assert {"config/environments/core.lock", "config/models.lock.json", "config/cards.toml", "pyproject.toml"} <= {
        *held
    }
    code = {path.relative_to(ROOT).as_posix() for name in OURS[:3] for path in (ROOT / name).rglob("*.py")}
    assert code <= {*held}
    assert not [name for name in names if "secrets.json" in name or "/own/" in name or "hardware_cache" in name]
    assert not [name for name in names if name.endswith(".pyc") or "tests" in name.split("/")]


def test_the_package_asks_for_the_libraries_of_the_core_environment(wheel: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    text = next(
        zipfile.ZipFile(wheel).read(name).decode() for name in zipfile.ZipFile(wheel).namelist() if "METADATA" in name
    )
    asked = [line.removeprefix("Requires-Dist: ") for line in text.splitlines() if line.startswith("Requires-Dist")]
    assert sorted(asked) == sorted(declared)


def test_an_installed_reel_works_in_the_current_folder_and_leaves_its_package_as_it_is(
    installed: Installed, tmp_path: Path
) -> None:
    before = installed.digest()
    assert run(installed.reel, "--version", cwd=tmp_path).stdout.startswith("reel ")
    plan = json.loads(run(installed.reel, "plan", SAMPLE, "--json", cwd=tmp_path).stdout)
    assert plan["status"] == "ok"
    assert not list(tmp_path.iterdir()), "neither writes anything"
    shutil.copy(SAMPLE, tmp_path / "film.mp4")
    (tmp_path / "reel.toml").write_text('output_dir = "made"\n', encoding="utf-8")
    told = run(installed.reel, "run", "film.mp4", "--stub", cwd=tmp_path)
    assert "made/film/film.en.srt" in told.stdout.split()
    assert (tmp_path / "made" / "film" / "job.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"film.mp4", "reel.toml", "made", ".cache"}
    run(installed.reel, "doctor", "--remember", cwd=tmp_path)
    assert (tmp_path / "config" / "hardware_cache.json").is_file()
    assert installed.digest() == before, "nothing is written into site-packages"


def test_neither_reel_nor_another_package_takes_the_names_of_the_other(installed: Installed, tmp_path: Path) -> None:
    names = run(
        installed.python,
        "-c",
        "import pipeline, shared, stages, reel; print(shared.THEIRS, pipeline.THEIRS)",
        cwd=tmp_path,
    )
    assert names.stdout.split() == ["True", "True"]
    (tmp_path / "shared.py").write_text("raise SystemExit('a file of the current folder')\n", encoding="utf-8")
    assert "asr" in run(installed.reel, "stages", "list", cwd=tmp_path).stdout
    assert (
        "asr"
        in run(installed.python, "-m", "reel", "stages", "list", cwd=tmp_path, more={"PYTHONSAFEPATH": "1"}).stdout
    )


def test_the_project_is_the_folder_that_is_named(installed: Installed, tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    (project / "reel.toml").write_text('guide = "bbc"\n', encoding="utf-8")
    ways: list[tuple[list[str], dict[str, str]]] = [
        (["--project", "../project"], {}),
        ([], {"REEL_PROJECT": str(project)}),
    ]
    for words, variables in ways:
        told = run(installed.reel, "config", "show", "--json", *words, cwd=elsewhere, more=variables)
        assert json.loads(told.stdout)["data"]["settings"]["guide"]["value"] == "bbc"
    assert not list(elsewhere.iterdir())


def test_messages_write_commands_as_they_are_called(installed: Installed, tmp_path: Path) -> None:
    said = run(installed.reel, cwd=tmp_path).stdout + run(installed.reel, "--help", cwd=tmp_path).stdout
    said += run(installed.reel, "run", "no.mkv", "--bogus", cwd=tmp_path, expect=2).stderr
    assert "`reel run --help`" in said
    assert "./reel" not in said
    wrong = run(installed.reel, "plan", SAMPLE, "--language", "klingn", cwd=tmp_path, expect=2).stderr
    page = wrong.split("hint: ")[1].split("#")[0]
    assert page.endswith("docs/reference/stages.md")
    assert Path(page).is_file(), "the page that a hint names is there"


def test_a_library_that_is_missing_or_too_old_is_named_with_the_way_out(installed: Installed, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(installed.folder, old, symlinks=True)
    shutil.rmtree(Installed(old).site_packages / "filelock")
    done = run(old / "bin" / "python", old / "bin" / "reel", "plan", SAMPLE, cwd=tmp_path, expect=5)
    assert "filelock" in done.stderr
    assert "[core.packages]" in done.stderr
    assert "pip install --upgrade reelflow" in done.stderr


def test_uv_installs_it_as_a_tool_and_nothing_is_compiled_beside_it(wheel: Path, tmp_path: Path) -> None:
    tools, programs, project = tmp_path / "tools", tmp_path / "bin", tmp_path / "project"
    project.mkdir()
    environ = index_environment(ROOT / ".cache", os.environ)
    environ |= {"UV_TOOL_DIR": str(tools), "UV_TOOL_BIN_DIR": str(programs), "UV_PYTHON": sys.executable}
    words = uv_command("tool", "install", "--no-config", str(wheel))
    words[0] = str(ROOT / ".venvs" / "core" / "bin" / "python")
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = Installed(tools / "reelflow")
    before = found.digest()
    run(programs / "reel", "run", SAMPLE, "--stub", cwd=project)
    assert "reused" in run(programs / "reel", "run", SAMPLE, "--stub", cwd=project).stderr
    assert found.digest() == before
    assert list((project / ".cache" / "bytecode").rglob("worker_main*.pyc")), "compiled modules are kept in the cache"


_CONSUMER = """
from pathlib import Path

import reel

def work(media: Path) -> list[str]:
    plan: reel.Plan = reel.plan(media, to=["pt"], settings={"asr.beam_size": 3})
    job: reel.Run = reel.run(media, flags=["--skip-existing"])
    kinds: list[str] = [event.kind for event in job]
    words = reel.read_transcript("transcript.json").segments[0].words
    return [plan.files[0].steps[0].verdict, *kinds, words[0].text, *reel.read_cues(media).cues[0].lines]

reel.run(1)
"""


def test_an_installed_reel_is_a_typed_library(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "consumer.py").write_text(_CONSUMER, encoding="utf-8")
    words = f"--strict --python-executable {installed.python} --cache-dir {tmp_path / 'cache'} consumer.py"
    done = run(sys.executable, "-m", "mypy", *words.split(), cwd=tmp_path, expect=1)
    assert "Found 1 error" in done.stdout, done.stdout
    assert 'incompatible type "int"' in done.stdout


@pytest.mark.parametrize("kind", ["installed", "checkout"])
def test_the_notebook_works_from_top_to_bottom(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Without an installation, in a Python that has none of reel's libraries."""
    notebook = json.loads((ROOT / "docs" / "how-to" / "use-from-python.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 6
    (tmp_path / "samples").mkdir()
    shutil.copy(SAMPLE, tmp_path / "samples")
    variables = {"REEL_PROJECT": str(tmp_path), "REEL_STUB": "true"}
    if kind == "installed":
        python = request.getfixturevalue("installed").python
    else:
        python, variables["PYTHONPATH"] = Path(sys._base_executable), str(ROOT / "src")  # type: ignore[attr-defined]
    told = run(python, "-c", "\n".join(cells), cwd=tmp_path, more=variables)
    assert "Hello." in told.stdout
    assert told.stdout.rstrip().endswith("reused")
    assert told.stderr == ""


@pytest.mark.parametrize("words", [("models", "lock", "ge2e-embedder", "--shipped"), ("stages", "new", "mine")])
def test_what_would_change_the_package_is_refused(installed: Installed, tmp_path: Path, words: tuple[str, ...]) -> None:
    before = installed.digest()
    said = run(installed.reel, *words, cwd=tmp_path, expect=2).stderr
    assert "checkout" in said
    assert installed.digest() == before


def test_an_installed_reel_has_its_manual_page(installed: Installed) -> None:
    page = installed.folder / "share" / "man" / "man1" / "reel.1"
    assert page.read_bytes() == (ROOT / "docs" / "reference" / "reel.1").read_bytes()
