"""Build, check and remove the virtual environments: one for each family, from its committed lock.

A virtual environment cannot be moved, so it is built in place, under a lock, and its marker is written last: a folder
without a marker is incomplete and is built again. The marker holds the digest of the lock it was built from.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from pipeline.base import events
from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.launcher import INSTALLED
from pipeline.base.nvidia import VISIBLE
from pipeline.base.project import CODE_ROOT
from pipeline.environments.families import Family
from pipeline.environments.installer import install, reason_in
from pipeline.environments.package_index import (
    certificate_hint,
    failure_reason,
    index_environment,
    pip_command,
    uv_command,
)
from pipeline.environments.torch_build import COMPILED_PARTS, LOCKED, TORCH, TorchBuild, requirements_of
from shared.environment_manager import ChildPaths, child_environment
from shared.files import write_atomically
from shared.nearest import suggestion
from shared.processes import ending_signal
from shared.stage import CORE_ENVIRONMENT, DeviceKind
from shared.text.timecode import span

MARKER = "reel-environment.json"
_LIMIT_S = 300.0  # for the import of a large library, and for a proof, before which the driver may compile code
State = Literal["ready", "missing", "outdated", "unfinished", "broken"]
# The packages that a worker of the core environment imports: the group `worker` of pyproject.toml with dependencies.
WORKER_PACKAGES = frozenset({"annotated-types", "pydantic", "pydantic-core", "typing-extensions", "typing-inspection"})
# A distribution that provides one of these would shadow our own packages in a worker.
_OUR_PACKAGES = ("pipeline", "shared", "stages")


@dataclass(frozen=True)
class EnvironmentStatus:
    """The state of a family on this machine. `detail` says what is wrong if it is not ready."""

    family: str
    state: State
    folder: Path
    detail: str = ""


class Environments:
    """The environments of one project. `core` is the environment of this process; `torch` is the build of torch that
    environments with torch get on this machine."""

    def __init__(
        self, root: Path, locks: Path, cache: Path, families: Mapping[str, Family], torch: TorchBuild = LOCKED
    ) -> None:
        self._root, self._locks, self._cache = root, locks, cache
        self._families, self._torch = families, torch

    @property
    def families(self) -> Mapping[str, Family]:
        """Return the declared families by name."""
        return self._families

    def family(self, name: str) -> Family:
        """Return a declared family. Raises `UsageError`."""
        if name not in self._families:
            raise UsageError(
                "environment.unknown",
                f"there is no environment `{name}`",
                hint=suggestion(name, self._families, f"the environments are {', '.join(self._families)}"),
            )
        return self._families[name]

    def digest(self, family: str) -> str:
        """Return the environment's part of a result key: a digest of its lock and the interpreter's minor version.

        Of the core environment only the packages of workers count: a new version of the installer, or of a library of
        the command line, does not change results.
        """
        lock = self._lock(family).read_text(encoding="utf-8")
        if family == CORE_ENVIRONMENT:
            lock = " ".join(text.split()[0] for name, text in requirements_of(lock) if name in WORKER_PACKAGES)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return hashlib.sha256((lock + python).encode()).hexdigest()

    def version(self, family: str, package: str) -> str | None:
        """Return the version of a package in a family's lock; None if the lock does not hold it."""
        for name, text in requirements_of(self._lock(family).read_text(encoding="utf-8")):
            if name == package:
                return text.split()[0].partition("==")[2]
        return None

    def torch(self, family: str) -> str | None:
        """Return the torch that a family's environment has or will have; None if it has no torch."""
        asked = self._torch.name(self._lock(family).read_text(encoding="utf-8"))
        built = self._marker(family)
        return built.get(TORCH, asked) if asked and built and built.get("asked") == asked else asked

    def python(self, family: str) -> Path:
        """Return the interpreter of a family's environment."""
        if family == CORE_ENVIRONMENT:  # the system's own may be called `python3` alone
            return Path(sys.executable)
        return self._programs(family) / ("python.exe" if os.name == "nt" else "python")

    def programs(self, family: str) -> Path:
        """Return the folder of an environment's programs, to go first on a child's PATH."""
        return self._programs(family)

    def site_packages(self, family: str) -> Path:
        """Return the folder of an environment's packages."""
        if os.name == "nt":
            return self._folder(family) / "Lib" / "site-packages"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self._folder(family) / "lib" / version / "site-packages"

    def status(self, family: str) -> EnvironmentStatus:
        """Return the state of a family, from its marker. Takes milliseconds."""
        folder = self._folder(family)
        if family == CORE_ENVIRONMENT:
            return EnvironmentStatus(family, "ready", folder)
        if not folder.exists():
            return EnvironmentStatus(family, "missing", folder, "it has not been built yet")
        marker = self._marker(family)
        if marker is None:
            return EnvironmentStatus(family, "unfinished", folder, "its building was interrupted")
        if marker.get("digest") != self.digest(family):
            return EnvironmentStatus(
                family, "outdated", folder, "its lock or the Python has changed since it was built"
            )
        asked = self._torch.name(self._lock(family).read_text(encoding="utf-8"))
        if marker.get("asked") != asked:
            return EnvironmentStatus(
                family, "outdated", folder, f"it was built for torch {marker.get('asked')}, this machine gets {asked}"
            )
        if not os.access(self.python(family), os.X_OK):
            why = f"{self.python(family)} is not there, or may not be run by this account"
            return EnvironmentStatus(family, "broken", folder, why)
        return EnvironmentStatus(family, "ready", folder)

    def check(self, family: str) -> EnvironmentStatus:
        """Return the status after importing the family's packages in its interpreter. Takes seconds."""
        status = self.status(family)
        if status.state != "ready" or family == CORE_ENVIRONMENT:
            return status
        if why := self._run_code(family, "-I", f"import {self._families[family].probe}"):
            return EnvironmentStatus(family, "broken", status.folder, f"`import {self._families[family].probe}`: {why}")
        return status

    def prove(self, family: str, library: str, device: DeviceKind = "cuda", card: str = "") -> str:
        """Have a library compute something small on the card with this UUID. Return why it cannot, or an empty text.
        Takes seconds."""
        code = f"from stages.toolkit.card.{library} import prove; prove({device!r})"
        return self._run_code(family, "-P", code, {VISIBLE: card} if card else {})

    def _run_code(self, family: str, isolation: str, code: str, variables: Mapping[str, str] = {}) -> str:
        """Run code in a family's interpreter. Return the last line that it prints if it fails, else an empty text."""
        with tempfile.TemporaryDirectory() as scratch:  # some libraries write into the home folder on import
            places = ChildPaths(CODE_ROOT, Path(scratch), (), Path(scratch))
            try:
                done = subprocess.run(
                    [self.python(family), isolation, "-c", code],
                    env=child_environment(places, os.environ, offline=True) | dict(variables), cwd=scratch,
                    capture_output=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL, timeout=_LIMIT_S,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"no end within {span(_LIMIT_S)}"
        if number := ending_signal(done.returncode):
            return f"ended by signal {number}"
        return (done.stderr.strip().splitlines() or ["no message"])[-1] if done.returncode else ""

    def ensure(self, family: str, emit: Emit, *, offline: bool = False) -> None:
        """Build the family's environment unless it is ready. Raises `Missing`."""
        if self.status(family).state == "ready":
            return
        self._require_support(family)
        self._require_writable(family)
        with FileLock(self._root / f"{family}.lock"):
            if self.status(family).state == "ready":  # another process built it while we waited
                return
            started = time.monotonic()
            emit(events.SetupStarted(f"environment {family}"))
            shutil.rmtree(self._folder(family), ignore_errors=True)
            (self._root / f"{family}.log").unlink(missing_ok=True)
            self._build(family, emit, offline)
            emit(events.SetupFinished(f"environment {family}", time.monotonic() - started))

    def _require_support(self, family: str) -> None:
        """Raise `Missing` if the family's packages do not run with this Python or on this machine."""
        if not self._families[family].runs_here:
            raise Missing(
                "environment.python",
                f"the environment {family} needs Python {self._families[family].python} or newer, and this is "
                f"{platform.python_version()}",
                hint="install reel again with a newer Python, as by `uv tool install --python 3.13 --force`"
                if INSTALLED
                else f"delete {sys.prefix} and run `REEL_PYTHON=/path/to/python3 ./reel envs ensure {family}`",
            )
        if absent := self._families[family].absent_on(sys.platform, platform.machine()):
            raise Missing(
                "environment.absent",
                f"the environment {family} cannot be set up on {sys.platform} {platform.machine()}: there is no "
                f"package of {', '.join(absent)} for it",
                hint="on Windows, run reel in WSL; elsewhere, use another backend, or a machine with Linux on x86-64",
            )

    def _require_writable(self, family: str) -> None:
        """Create the folder of all environments. Raises `Missing` if this account may not build in it."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            why = "" if os.access(self._root, os.W_OK) else "Permission denied"
        except OSError as error:
            why = error.strerror or str(error)
        if why:
            raise Missing(
                "environment.unwritable",
                f"the environment {family} cannot be used ({self.status(family).detail}), and nothing can be built in "
                f"{self._root}: {why}",
                hint=f"let the owner of that folder run `./reel envs ensure {family}`, or choose a folder of "
                "your own with the variable REEL_ENVIRONMENTS_DIR",
            )

    def download(self, family: str, folder: Path) -> None:
        """Download the wheels of a family's lock for this platform and Python into `folder`. Raises `Missing`.

        pip does it, since uv has no such command, and uv's cache holds unpacked packages that no hash can prove.
        """
        command = pip_command(
            sys.executable, "download", "--no-deps", "--only-binary=:all:", "--require-hashes",
            "--dest", str(folder), "--requirement", str(self._lock(family)),
        )  # fmt: skip
        done = subprocess.run(
            command, env=index_environment(self._cache, os.environ), capture_output=True, encoding="utf-8",
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            why = failure_reason(done.stdout + done.stderr)
            raise Missing(
                "environment.download",
                f"the packages of the environment {family} could not be downloaded: {why}",
                hint=certificate_hint(why, "./reel models export ...")
                or "check that pip can reach a package index, or omit `--with-environments`",
            )

    def wheel_digests(self) -> frozenset[str]:
        """Return the sha256 of every package in any of the locks, including that of the core environment."""
        texts = (self._lock(family).read_text(encoding="utf-8") for family in (CORE_ENVIRONMENT, *self._families))
        return frozenset(digest for text in texts for digest in re.findall(r"--hash=sha256:([0-9a-f]{64})", text))

    def remove(self, family: str) -> bool:
        """Delete a family's environment, and return whether there was one."""
        folder = self._folder(family)
        if family == CORE_ENVIRONMENT or not folder.exists():
            return False
        with FileLock(self._root / f"{family}.lock"):
            # The marker first, so that an interrupted removal does not count as an environment.
            (folder / MARKER).unlink(missing_ok=True)
            shutil.rmtree(folder)
        return True

    def _build(self, family: str, emit: Emit, offline: bool) -> None:
        folder, lock = self._folder(family), self._lock(family).read_text(encoding="utf-8")
        asked, torch = self._torch.name(lock), self._torch if self._torch.name(lock) else LOCKED
        make = uv_command("venv", "--no-config", "--no-project", "--python", sys.executable, str(folder))
        self._install(make, family, emit)
        try:
            self._install_lock(family, torch, lock, emit, offline)
        except Missing as error:
            if not torch.backend:
                raise  # an archive brings the locked build, so without a network that one is tried too
            kind = "smaller build" if torch.backend == "cpu" else "build for cards"
            text = f"torch's own index gave no {kind} ({error.message}), so the locked one is installed"
            emit(events.Notice(f"environment {family}", None, text))
            torch = LOCKED
            self._install_lock(family, torch, lock, emit, offline)
        for name in _OUR_PACKAGES:
            if (self.site_packages(family) / name).exists():
                raise Missing(
                    "environment.shadow",
                    f"a package in the environment {family} provides `{name}`, which is a name of reel",
                )
        marker = {"digest": self.digest(family), "python": sys.version.split()[0]}
        if asked:
            marker |= {"asked": asked, TORCH: str(torch.name(lock))}
        write_atomically(folder / MARKER, json.dumps(marker).encode())

    def _install_lock(self, family: str, torch: TorchBuild, lock: str, emit: Emit, offline: bool) -> None:
        """Install the packages of the lock, with `torch` in place of the locked build."""
        with tempfile.TemporaryDirectory(dir=self._root, prefix=f".{family}-") as scratch:
            wanted = Path(scratch) / "lock.txt"
            wanted.write_text(torch.lock(lock), encoding="utf-8")
            built = [word for name in self._families[family].builds for word in ("--no-binary", name)]
            network = ["--offline"] if offline else []
            if (wheels := wheel_folder(self._cache)).is_dir():  # brought here by an archive; the lock's hashes decide
                network += ["--find-links", str(wheels)]
            uv = uv_command("pip")
            into = ["--no-config", "--python", str(self.python(family)), *network]
            locked = [*uv, "sync", "--require-hashes", "--only-binary", ":all:", *built, *into, str(wanted)]
            self._install(locked, family, emit, offline)
        if torch.backend:
            other = [*uv, "install", "--no-deps", "--torch-backend", torch.backend, *into, *torch.from_index(lock)]
            self._install(other, family, emit, offline)
        elif torch.wheel is not None:
            self._install([*uv, "install", "--no-deps", "--no-index", *into, str(torch.wheel)], family, emit, offline)
            for part in self.site_packages(family).glob(COMPILED_PARTS):
                part.unlink()

    def _install(self, command: Sequence[str], family: str, emit: Emit, offline: bool = False) -> None:
        log = self._root / f"{family}.log"
        variables = index_environment(self._cache, os.environ)
        if variables.get("UV_NO_INDEX"):  # uv 0.13 reads no such variable
            command = [*command, "--no-index"]
        if not install(command, variables, log, f"environment {family}", emit):
            why = "the setting `offline` forbids downloading its packages" if offline else reason_in(log)
            again = f"./reel envs ensure {family}"
            raise Missing(
                "environment.build",
                f"the environment {family} could not be built: {why}",
                hint=certificate_hint(why, again) or f"correct that, then run `{again}`",
                log=log,
            )

    def _marker(self, family: str) -> dict[str, str] | None:
        """Return what an environment was built from; None if the build did not finish."""
        try:
            marker: dict[str, str] = json.loads((self._folder(family) / MARKER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return marker

    def _folder(self, family: str) -> Path:
        if family == CORE_ENVIRONMENT:
            return Path(sys.prefix)
        self.family(family)
        return self._root / family

    def _programs(self, family: str) -> Path:
        if family == CORE_ENVIRONMENT:
            return Path(sys.executable).parent
        return self._folder(family) / ("Scripts" if os.name == "nt" else "bin")

    def _lock(self, family: str) -> Path:
        return self._locks / f"{family}.lock"


def wheel_folder(cache: Path) -> Path:
    """Return the folder for packages from an archive, from which environments are built."""
    return cache / "wheels"
