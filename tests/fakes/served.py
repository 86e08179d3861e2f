"""Models that tests make, in a cache as the product fills it: served by a hub on the loopback, locked by their bytes,
fetched by the real fetch, and checked byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.base.secret_file import Token
from pipeline.engine.project import Project
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch_many import fetch_all
from pipeline.model_cache.lock_models import locked_paths
from pipeline.model_cache.manifest import HubSource, LockedModel, Model, UrlSource
from pipeline.plan.profile import ProfileStage
from tests.fakes.hub import serve
from tests.fakes.models import lock
from tests.fakes.verified import wrong_files

_TOKEN = "hf_of_a_test"


def serve_project(
    project: Project, cache: Path, models: Mapping[str, Path], roles: Mapping[str, Mapping[str, str]]
) -> Project:
    """Return `project` with a cache of its own that holds `models`: the manifest's names, each with a folder of files.

    `roles` says which model fills which role, by stage, or is for which language; everything else is as in the
    project's profile. Only the bytes differ from the manifest: the repository, the kind of source and the gate are the
    same. The hub is gone when this returns.
    """
    contents = {name: _files(folder) for name, folder in models.items()}
    locked = {name: lock(project.installed.models.locked[name].repo, files) for name, files in contents.items()}
    served = {
        f"{locked[name].repo or name}/resolve/{locked[name].revision}/{file}": content
        for name, files in contents.items()
        for file, content in files.items()
    }
    with serve(served) as hub:
        hub.redirects = True
        hub.users[_TOKEN] = "tester"
        hub.gated = {
            str(locked[name].repo): {"tester"} for name in models if project.installed.models.models[name].gated
        }
        manifest = {}
        for name, files in contents.items():
            source = _source(project.installed.models.models[name], hub.address, name, locked[name], files)
            manifest[name] = project.installed.models.models[name].model_copy(update={"sources": (source,)})
        found = ModelCache(cache, manifest, locked, hub.address, token=lambda: Token(_TOKEN, "a test"))
        assert fetch_all(list(models), found, lambda event: None) == {}
    for name in models:
        assert wrong_files(found, name) == []
    stages = dict(project.planner.profile.profile.stages)
    for stage, filled in roles.items():
        before = stages.get(stage, ProfileStage(backend="auto"))
        stages[stage] = before.model_copy(
            update={"models": {**before.models, **filled}, "languages": {**before.languages, **filled}}
        )
    profile = replace(
        project.planner.profile, profile=project.planner.profile.profile.model_copy(update={"stages": stages})
    )
    folders = replace(project.folders, cache=cache.resolve())
    return replace(
        project,
        installed=replace(project.installed, folders=folders, models=found),
        planner=replace(project.planner, models=found, profile=profile),
    )


def _source(model: Model, hub: str, name: str, locked: LockedModel, files: Iterable[str]) -> HubSource | UrlSource:
    """Return the manifest's own where that is a repository: a file that it would not take must not help a test."""
    for source in model.sources:
        if isinstance(source, HubSource):
            assert (extra := set(files) - locked_paths(source, list(files))) == set(), f"{name} does not take {extra}"
            return source
    address = f"{hub}/{name}/resolve/{locked.revision}"
    return UrlSource(kind="url", files={file: f"{address}/{file}" for file in files})


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
