"""Opens a project: builds its parts from the settings, in one place. Other modules get only the parts that they use."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.project import CODE_ROOT, STAGE_PINS, ProjectFolders
from pipeline.base.settings import Settings
from pipeline.engine.planner import Planner, open_planner
from pipeline.environments.ffmpeg import FFMPEG
from pipeline.model_cache.cache import ModelDigests
from pipeline.plan.registry import STAGES
from pipeline.plan.result_key import KeyContext
from pipeline.plan.stage_sources import changed_sources, read_pins
from pipeline.publishing.edits import EditStore
from pipeline.store.history import Runs
from pipeline.store.results import ResultStore
from pipeline.workers.installation import Installation, open_installation
from shared.stage import CORE_ENVIRONMENT


@dataclass(frozen=True)
class Records:
    """Everything that a run keeps for later ones: results, the user's corrections, and the history."""

    store: ResultStore
    edits: EditStore
    history: Runs


@dataclass(frozen=True)
class Project:
    """Opened project: its installed parts, its planner, its results, and the user's corrections."""

    installed: Installation
    planner: Planner
    store: ResultStore
    edits: EditStore

    @property
    def settings(self) -> Settings:
        """Return the settings that the project was opened with."""
        return self.installed.settings

    @property
    def folders(self) -> ProjectFolders:
        """Return the folders of the project."""
        return self.installed.folders

    def records(self) -> Records:
        """Return the records, with a history for one run."""
        return Records(self.store, self.edits, Runs(self.store, self.folders.runs))

    def key_context(self) -> KeyContext:
        """Return the digests of everything beyond the plan that decides results: see `KeyContext`."""
        installed, language_models = self.installed, self.planner.profile.profile.language_models
        families = (CORE_ENVIRONMENT, *installed.environments.families)
        return KeyContext(
            environments={family: installed.environments.digest(family) for family in families},
            models=ModelDigests(installed.models),
            tools={FFMPEG: installed.tool.version},
            sources=changed_sources(STAGES.values(), CODE_ROOT, read_pins(STAGE_PINS)),
            torch=installed.torch,
            fallbacks=installed.measurements().fallbacks,
            complete_models=frozenset(name for name in language_models if installed.models.problem(name) is None),
        )

    def needed_environments(self) -> tuple[str, ...]:
        """Return the environments that jobs with this profile always need, and that of ffmpeg if it has one."""
        tool = (self.installed.tool.family,) if self.installed.tool.family else ()
        return (*tool, *self.planner.environments())


def open_project(settings: Settings) -> Project:
    """Return the project with these settings. Reads the disk, and writes only caches to it."""
    installed = open_installation(settings)
    folders = installed.folders
    planner = open_planner(settings, installed.models, installed.hardware)
    store, edits = ResultStore(folders.results, folders.index), EditStore(folders.results / "edits")
    return Project(installed, planner, store, edits)
