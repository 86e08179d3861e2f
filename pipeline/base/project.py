"""The folders of a project: the checkout that holds the code, and those that its settings name."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.settings import Settings

CODE_ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = CODE_ROOT / "config"
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


def home_folder() -> Path | None:
    """The user's home folder; None where there is none, as for a container's number without a name."""
    home = os.path.expanduser("~")  # noqa: PTH111 - `Path.home` raises instead
    return None if home == "~" else Path(home)


def project_folders(settings: Settings) -> ProjectFolders:
    """Return the folders that the settings name, and create none. `output_dir` starts at the working directory."""

    def place(folder: str) -> Path:
        return (CODE_ROOT / Path(folder).expanduser()).resolve()

    return ProjectFolders(
        cache=place(settings.cache_dir),
        results=place(settings.results_dir),
        index=place(settings.index_dir or settings.results_dir),
        environments=place(settings.environments_dir),
        output=Path(settings.output_dir).expanduser().absolute(),
        own_models=place(settings.own_models_dir),
    )
