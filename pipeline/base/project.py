"""The folders of a project, and where its own files are.

The project of a checkout is the checkout, unless another folder is named. The project of an installed reel is the
current folder, or the one that is named: nothing is written to the installed package.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import UsageError
from pipeline.base.launcher import INSTALLED, ROOT
from pipeline.base.settings import Settings

CODE_ROOT = ROOT
CONFIG = CODE_ROOT / "config"
"""The data that reel brings along; it is only read."""
PROJECT = "REEL_PROJECT"
"""The variable that names the folder of the project; `--project` sets it for this process and its children."""
STAGE_PINS = CONFIG / "stage_versions.json"


@dataclass(frozen=True)
class ProjectFolders:
    """Folders of one project, absolute and with links resolved, so that no working directory changes them."""

    cache: Path
    results: Path
    index: Path
    environments: Path
    output: Path
    own_models: Path

    @property
    def runs(self) -> Path:
        """Return the folder of the logs of runs; each run has a folder in it."""
        return self.results / "runs"

    @property
    def scratch(self) -> Path:
        """Return the folder that libraries write to while they work: the cache, or one beside the results where the
        cache is read-only."""
        readable_only = self.cache.is_dir() and not os.access(self.cache, os.W_OK)
        return self.results / "scratch" if readable_only else self.cache

    @property
    def home(self) -> Path:
        """Return the home folder of stages."""
        return self.scratch / "home"


def version() -> str:
    """Return the version of reel, as `pyproject.toml` says."""
    text = (CODE_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def project_root() -> Path:
    """Return the folder of the project, which relative folders of the settings start at."""
    if named := os.environ.get(PROJECT):
        return Path(named).expanduser().resolve()
    return Path.cwd() if INSTALLED else CODE_ROOT


def choose_project(folder: str | None) -> None:
    """Make the folder the project of this process and its children; without one, the project stays what it is. Raises
    `UsageError` for what is not a folder."""
    named = folder if folder is not None else os.environ.get(PROJECT)
    if named is None and not INSTALLED:
        return
    path = Path(named).expanduser() if named else project_root()
    if folder == "" or not path.is_dir():
        origin = "--project" if folder is not None else f"the variable {PROJECT}"
        raise UsageError(
            "project.missing",
            f"{origin} names `{named}`, which is not a folder",
            hint="make the folder, or correct its name",
        )
    os.environ[PROJECT] = str(path.resolve())


def project_file() -> Path:
    """Return the path of the project's settings."""
    return project_root() / "reel.toml"


def own_config() -> Path:
    """Return the folder of what is the user's own: secrets, and what was remembered of the machine."""
    return project_root() / "config"


def home_folder() -> Path | None:
    """The user's home folder; None where there is none, as for a container's number without a name."""
    home = os.path.expanduser("~")  # noqa: PTH111 - `Path.home` raises instead
    return None if home == "~" else Path(home)


def project_folders(settings: Settings) -> ProjectFolders:
    """Return the folders that the settings name, and create none. `output_dir` starts at the working directory."""

    root = project_root()

    def place(folder: str) -> Path:
        return (root / Path(folder).expanduser()).resolve()

    return ProjectFolders(
        cache=place(settings.cache_dir),
        results=place(settings.results_dir),
        index=place(settings.index_dir or settings.results_dir),
        environments=place(settings.environments_dir),
        output=Path(settings.output_dir).expanduser().absolute(),
        own_models=place(settings.own_models_dir),
    )
