"""`reel models fetch` and `add`: download models, and add folders of the user as models."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import EXIT_MISSING, EXIT_OK, Missing
from pipeline.cli.arguments import CommandResult, agreed, has_terminal, megabytes, project_of, say, table
from pipeline.cli.failure_lines import error_text
from pipeline.cli.first_use import lock_with_progress, with_accepted_code
from pipeline.cli.options.models import AddModel, FetchModels, SelectModels
from pipeline.cli.reporters import open_reporter
from pipeline.engine.planner import Planner
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch_many import fetch_all, obstacles
from pipeline.model_cache.first_use import LookupResult, code_to_accept, look_up, shown_code, unlocked
from pipeline.model_cache.manifest import stated_bytes
from pipeline.model_cache.selection import select_models, with_needs
from pipeline.model_cache.user_models import add_folder
from pipeline.plan.language_needs import languages_without, models_for_languages
from pipeline.plan.profile import Profile
from pipeline.plan.registry import stage_named
from pipeline.workers.installation import Installation


def names_of(arguments: SelectModels, planner: Planner) -> list[str]:
    """Return the models that the command selects: the named ones, all, or those of the profile.

    The models for the languages of the settings belong to the profile. Together with named models, they are selected
    only if this call has `--languages`.
    """
    models = planner.models.models
    if arguments.all:
        return list(models)
    named = select_models(arguments.names, models)
    if named and not arguments.languages:
        return named
    return with_needs(
        [*named, *needed_models(planner, planner.profile.profile, for_languages_only=bool(named))], models
    )


def needed_models(planner: Planner, profile: Profile, *, for_languages_only: bool = False) -> list[str]:
    """Return the models that jobs with a profile need in the languages of the settings."""
    settings, models = planner.settings, planner.models.models
    by_language = models_for_languages(profile, settings.languages, settings.to, models)
    return with_needs([*(() if for_languages_only else profile.models), *by_language], models)


def fetch(arguments: FetchModels) -> CommandResult:
    """Download models into the cache, and report the outcome of each. Models without a lock entry are locked first."""
    project = project_of(arguments)
    installed, models = project.installed, project.installed.models
    names = names_of(arguments, project.planner)
    missing = list(models.incomplete(names))
    for note in () if arguments.all or arguments.names else _notes(project.planner):
        say(note)
    if arguments.ask and missing and not has_terminal():
        print("no model is fetched, because there is no terminal to ask on", file=sys.stderr)
        return _nothing_fetched(names, models)
    if arguments.ask and missing:
        looked_up, failed = _look_ahead(missing, installed)
        failed |= looked_up.failed
        wanted = [name for name in missing if name not in failed]
        if wanted and not _agreed(wanted, failed, models.with_locked(looked_up.found)):
            return _nothing_fetched(names, models)
        lock_with_progress(looked_up.found, installed)
    else:
        failed = lock_missing(missing, installed)
    with open_reporter(project.settings.progress) as emit:
        rest = [name for name in names if name not in failed]
        failed |= fetch_all(rest, models, emit, offline=project.settings.offline)
    return outcome(names, {name: failed[name] for name in names if name in failed}, models)


def _notes(planner: Planner) -> Iterator[str]:
    """Yield the notes about the profile: a better one for this machine, and languages without a model."""
    chosen = planner.profile
    if chosen.better:
        yield (
            f"these are the models of the profile {chosen.name}; {chosen.better} suits this machine better:"
            f" `./reel models fetch --profile {chosen.better}`"
        )
    for sentence in languages_without(chosen.profile, planner.settings.languages):
        yield f"in the profile {chosen.name} {sentence}"


def lock_missing(missing: Sequence[str], installed: Installation) -> dict[str, Missing]:
    """Lock the models without a lock entry, after a question about code that they bring. Return the errors of models
    that cannot be fetched, as far as they are known before the download."""
    looked_up, refused = _look_ahead(missing, installed)
    looked_up = with_accepted_code(looked_up, installed.models)
    lock_with_progress(looked_up.found, installed)
    return refused | dict(looked_up.failed)


def _look_ahead(missing: Sequence[str], installed: Installation) -> tuple[LookupResult, dict[str, Missing]]:
    """Return the facts about models without a lock entry, and the errors of models that cannot be fetched: all that can
    be known before the download."""
    models, settings = installed.models, installed.settings
    if not missing:
        return LookupResult(), {}
    with open_reporter(settings.progress) as emit:
        refused = obstacles(missing, models, emit, offline=settings.offline)
        new = [name for name in unlocked(missing, models) if name not in refused]
        return look_up(new, models, emit), refused


def _nothing_fetched(names: Sequence[str], models: ModelCache) -> CommandResult:
    data: JsonValue = {"models": [_item(name, models, None) for name in names]}
    return CommandResult(data, "nothing was fetched; `./reel models fetch` does it when you want it")


def outcome(names: Sequence[str], failed: dict[str, Missing], models: ModelCache) -> CommandResult:
    """Return a table of these models, and the errors of those that could not be fetched."""
    sizes = {name: megabytes(stated_bytes(models.models[name], models.locked[name])) for name in names}
    rows = [(name, sizes[name], _state(name, failed), _why(name, failed)) for name in names]
    lines = [table(rows, ("MODEL", "SIZE", "STATE", "WHY"))]
    lines += [f"\n{error_text(error)}" for error in failed.values()]
    data: JsonValue = {"models": [_item(name, models, failed.get(name)) for name in names]}
    return CommandResult(data, "\n".join(lines), EXIT_MISSING if failed else EXIT_OK, tuple(failed.values()))


def _state(name: str, failed: dict[str, Missing]) -> str:
    return "missing" if name in failed else "complete"


def _why(name: str, failed: dict[str, Missing]) -> str:
    return failed[name].code if name in failed else ""


def _item(name: str, models: ModelCache, error: Missing | None) -> JsonValue:
    return {"name": name, "complete": models.problem(name) is None, "code": error.code if error else None}


def _agreed(names: Sequence[str], barred: Mapping[str, Missing], cache: ModelCache) -> bool:
    """Show sizes, licences, the code that models bring and the models that cannot be fetched, and ask the user once
    about all of it. `cache` includes the facts that were looked up. Raises `Missing` if the disk is too full."""
    cache.check_space(names)
    rows = []
    for name in names:
        model = cache.models[name]
        size = megabytes(stated_bytes(model, cache.locked[name]))
        rows.append((name, size, model.licence, model.restriction, "terms accepted" if model.gated else ""))
    shown = table(rows, ("MODEL", "SIZE", "LICENCE", "", ""))
    new = {name: cache.locked[name] for name in names if not cache.overlay.knows(name)}
    if code := code_to_accept(new, cache):
        shown += f"\n\n{shown_code(code, cache)}"
    for error in barred.values():
        shown += f"\n\nnot part of this: {error.message} [{error.code}]"
    return agreed(f"\nFetch {megabytes(cache.missing_bytes(names))} now?", shown, yes=False)


def add(arguments: AddModel) -> CommandResult:
    """Add a folder of the user as a model: lock its content, and copy it into the cache."""
    project = project_of(arguments)
    models, before = project.installed.models, project.installed.own_models
    declared = [name for name in models.models if name not in before.models]
    source = Path(arguments.folder).expanduser().absolute()
    stages = tuple(stage_named(stage).name for stage in arguments.stages)
    own = add_folder(arguments.name, source, arguments.licence, stages, before, declared)
    cache = ModelCache(project.folders.cache, own.models, own.locked, models.hub)
    with open_reporter(project.settings.progress) as emit:
        cache.fetch(arguments.name, emit)
    locked = own.locked[arguments.name]
    data: JsonValue = {"name": arguments.name, "files": len(locked.files), "bytes": locked.size, "lock": str(own.lock)}
    text = f"{arguments.name}: {len(locked.files)} files, {megabytes(locked.size)}, verified and in the cache\n"
    settings = [setting for stage in stages for setting in _model_settings(stage)] or ["STAGE.models.ROLE"]
    uses = " or ".join(f"`--set {setting}={arguments.name}`" for setting in settings)
    return CommandResult(data, f"{text}use it with {uses}")


def _model_settings(stage: str) -> list[str]:
    """Return the names of the settings of a stage that can select a model."""
    names = dict[str, None]()
    for backend in stage_named(stage).backends.values():
        names |= dict.fromkeys(f"{stage}.models.{role}" for role in backend.models)
        if backend.by_language:
            names[f"{stage}.languages.LANGUAGE"] = None
    return list(names)
