"""Find the folders of a project and its own files.

The project of a checkout is the checkout, unless another folder is named. The project of an installed reel is the
current folder, or the one that is named: nothing is written to the installed package.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.errors import UsageError
from pipeline.base.launcher import INSTALLED, ROOT

if TYPE_CHECKING:
    from pipeline.base.settings import Settings  # pydantic, which `reel version` does not need, takes 0.1 s

CODE_ROOT = ROOT
CONFIG = CODE_ROOT / "config"
"""The data that reel ships; it is only read."""
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
    """Return the folder of the project. Relative folders in the settings start there."""
    if named := os.environ.get(PROJECT):
        return Path(named).expanduser().resolve()
    return Path.cwd() if INSTALLED else CODE_ROOT


def choose_project(folder: str | None) -> None:
    """Make a folder the project of this process and its children; None leaves the project as it is. Raises `UsageError`
    if it is not a folder."""
    named = folder if folder is not None else os.environ.get(PROJECT)
    if named is None and not INSTALLED:
        return
    path = Path(os.path.expanduser(named)) if named else project_root()  # noqa: PTH111 - raises for no odd name
    if folder == "" or not os.path.isdir(path):  # noqa: PTH112 - nor does this
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
    """Return the folder of the user's own files: secrets, and what was detected of the machine."""
    return project_root() / "config"


def home_folder() -> Path | None:
    """Return the user's home folder; None without one, as for a user of a container who has only a number."""
    home = os.path.expanduser("~")  # noqa: PTH111 - `Path.home` raises instead
    return None if home == "~" else Path(home)


def project_folders(settings: Settings) -> ProjectFolders:
    """Return the folders that the settings name, and create none. `output_dir` starts at the working directory. Raises
    `UsageError` for a folder that cannot exist."""
    root = project_root()
    results = _folder("results_dir", settings.results_dir, root)
    return ProjectFolders(
        cache=_folder("cache_dir", settings.cache_dir, root),
        results=results,
        index=_folder("index_dir", settings.index_dir, root) if settings.index_dir else results,
        environments=_folder("environments_dir", settings.environments_dir, root),
        output=_folder("output_dir", settings.output_dir, Path.cwd(), resolved=False),
        own_models=_folder("own_models_dir", settings.own_models_dir, root),
    )


def _folder(setting: str, value: str, start: Path, *, resolved: bool = True) -> Path:
    """Return the folder that a setting names. It need not exist, but its nearest existing parent must be a folder."""
    try:
        path = start / Path(value).expanduser()
        folder = path.resolve() if resolved else path
        nearest = next(part for part in (folder, *folder.parents) if _exists(part))
        why = "" if nearest.is_dir() else f"{nearest} is not a folder"
    except RuntimeError:  # a home folder that is not known, or links in a circle
        folder, why = start, "its `~` or its links lead nowhere"
    except OSError as error:
        folder, why = start, error.strerror or str(error)
    if why:
        raise UsageError(
            "settings.value",
            f"setting `{setting}` cannot be '{value}': expected a folder, or the name for a new one; {why}",
            hint="name another folder; `./reel config show --origin` shows which file or variable sets it",
        )
    return folder


def _exists(path: Path) -> bool:
    """Tell whether anything has this name. Raises `OSError` for a name that the system does not accept."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
