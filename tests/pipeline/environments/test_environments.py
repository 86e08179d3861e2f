"""Claims about environments that need no environment to be built."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.errors import Missing
from pipeline.base.project import CODE_ROOT, CONFIG
from pipeline.environments import environments
from pipeline.environments.environments import WORKER_PACKAGES, Environments
from pipeline.environments.families import load_families
from pipeline.plan.registry import STAGES
from shared.stage import CORE_ENVIRONMENT
from tests.fakes.library import provide_library

_LOCK = (CONFIG / "environments" / "core.lock").read_text(encoding="utf-8")
# Imports what a worker of the core environment imports, then prints the distributions that came with it.
_IMPORTED = """
import importlib, importlib.metadata, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
owners = importlib.metadata.packages_distributions()
loaded = {name.partition(".")[0] for name in sys.modules}
print(*sorted({owner.lower().replace("_", "-") for name in loaded for owner in owners.get(name, ())}))
"""


@pytest.mark.parametrize(("system", "machine"), [("win32", "AMD64"), ("linux", "aarch64")])
def test_a_family_that_lacks_a_package_on_a_machine_says_so_before_it_builds(
    system: str, machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    families = load_families(CONFIG / "environments.toml")
    environments = Environments(tmp_path / "venvs", CONFIG / "environments", tmp_path / "cache", families)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    with pytest.raises(Missing, match=f"translate cannot be set up on {system} {machine}.*indictranstoolkit") as error:
        environments.ensure("translate", lambda event: None, offline=True)

    assert error.value.code == "environment.absent"
    assert not (tmp_path / "venvs").exists()


def _digest(lock: str, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "core.lock").write_text(lock, encoding="utf-8")
    return Environments(folder / "venvs", folder, folder / "cache", {}).digest(CORE_ENVIRONMENT)


def test_a_new_version_of_a_command_line_library_changes_no_result_key(tmp_path: Path) -> None:
    newer = _LOCK.replace("rich==", "rich==9").replace("pip==", "pip==9") + "zzz-new==1.0 \\\n    --hash=sha256:00\n"

    assert _digest(newer, tmp_path / "newer") == _digest(_LOCK, tmp_path / "now")


@pytest.mark.parametrize("package", sorted(WORKER_PACKAGES))
def test_a_new_version_of_what_workers_import_changes_the_result_keys(package: str, tmp_path: Path) -> None:
    newer = _LOCK.replace(f"\n{package}==", f"\n{package}==9").replace(f"{package}==", f"{package}==9", 1)
    assert newer != _LOCK

    assert _digest(newer, tmp_path / "newer") != _digest(_LOCK, tmp_path / "now")


def test_workers_of_the_core_environment_import_no_other_packages() -> None:
    backends = [backend for stage in STAGES.values() for backend in stage.backends.values()]
    modules = sorted({backend.module for backend in backends if backend.environment == CORE_ENVIRONMENT})
    assert modules

    command = [sys.executable, "-c", _IMPORTED, "shared.worker_main", *modules]
    done = subprocess.run(command, cwd=CODE_ROOT, capture_output=True, encoding="utf-8", check=True)

    assert set(done.stdout.split()) <= WORKER_PACKAGES


@pytest.mark.parametrize(
    ("library", "says"),
    [
        ("import os; raise RuntimeError('on ' + os.environ['CUDA_VISIBLE_DEVICES'])", "RuntimeError: on GPU-1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal SIGSEGV"),
        ("import time; time.sleep(3600)", "no end within 0.5s"),
    ],
    ids=["fails", "crashes", "hangs"],
)
def test_a_library_that_does_not_compute_on_a_card_is_told_however_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, says: str
) -> None:
    """A module that is found under the name `torch` does what such a library did on some machine."""
    provide_library("torch", library, tmp_path, environments, monkeypatch)
    if "sleep" in library:
        monkeypatch.setattr(environments, "_LIMIT_S", 0.5)
    families = load_families(CONFIG / "environments.toml")
    here = Environments(tmp_path / "environments", CONFIG / "environments", tmp_path, families)
    assert here.prove(CORE_ENVIRONMENT, "torch", card="GPU-1") == says
