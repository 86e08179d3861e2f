"""`reel models lock`: look up facts about models, or take them from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock
from pydantic import JsonValue, ValidationError

from pipeline.base.errors import EXIT_MISSING, EXIT_OK, BadInput, Missing, UsageError
from pipeline.base.launcher import INSTALLED
from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.commands.model_fetch import needed_models
from pipeline.cli.failure_lines import error_text
from pipeline.cli.first_use import lock_with_progress, look_up_with_progress, with_accepted_code
from pipeline.cli.options.models import LockModels
from pipeline.engine.project import Project
from pipeline.model_cache.facts import Change, merge_facts
from pipeline.model_cache.first_use import LookupResult
from pipeline.model_cache.manifest import LockedModel, ModelLock, lock_text
from pipeline.model_cache.overlay import read_overlay, update_overlay
from pipeline.model_cache.selection import select_models
from pipeline.workers.installation import Installation
from shared.files import write_atomically
from shared.mistakes import first_mistake


def lock(arguments: LockModels) -> CommandResult:
    """Look up models without a lock entry on the network, and lock them. An entry that cannot be looked up stays as it
    is."""
    if INSTALLED and (arguments.facts or arguments.shipped):
        raise UsageError(
            "models.installed",
            "the shipped lock is part of the installed package, where nothing is changed",
            hint="`./reel models lock NAME` locks a model in this project; only a checkout changes the shipped lock",
        )
    if arguments.facts:
        return _take_facts(Path(arguments.facts).expanduser().absolute())
    project = project_of(arguments)
    installed = project.installed
    names = _names(arguments, project)
    if arguments.drop:
        return _drop(names, installed)
    if arguments.revision and len(arguments.names) != 1:
        raise UsageError("models.revision", "`--revision` is for one model", hint="name the model")
    if project.settings.offline and names:
        raise Missing("models.offline", "the lock is resolved with a network, and the setting `offline` forbids it")
    looked_up = with_accepted_code(look_up_with_progress(names, installed, arguments.revision), installed.models)
    if arguments.shipped:
        _write_shipped(looked_up.found, installed)
    else:
        _write_here(looked_up.found, installed)
    return _outcome(names, looked_up)


def _names(arguments: LockModels, project: Project) -> list[str]:
    """Return the models that the command names, or those of the profile or of the manifest that have gaps in the
    lock."""
    cache, own = project.installed.models, project.installed.own_models.models
    if arguments.names:
        names = select_models(arguments.names, cache.models)
    elif arguments.profile:
        names = needed_models(project.planner, project.planner.profile.profile)
    else:
        names = list(cache.models)
    if mine := [name for name in names if name in own and arguments.names]:
        raise UsageError(
            "models.own", f"`{mine[0]}` is your own model", hint=f"`./reel models add {mine[0]} FOLDER` locks it again"
        )
    if arguments.names:
        return names
    of_shipped = [name for name in names if name not in own]
    return [name for name in of_shipped if arguments.drop or not cache.locked[name].resolved]


def _outcome(names: Sequence[str], looked_up: LookupResult) -> CommandResult:
    rows: list[tuple[str, ...]] = []
    for name in names:
        if entry := looked_up.found.get(name):
            rows.append((name, "locked", entry.revision, megabytes(entry.size)))
        else:
            rows.append((name, "unresolved", looked_up.failed[name].code, ""))
    failures = [error_text(error) for error in looked_up.failed.values()]
    text = "\n".join([table(rows), *failures]) if rows else "the lock knows every model"
    data: list[JsonValue] = [
        {"name": name, "revision": entry.revision, "bytes": entry.size, "files": len(entry.files)}
        for name, entry in looked_up.found.items()
    ]
    errors = tuple(looked_up.failed.values())
    return CommandResult({"models": data}, text, EXIT_MISSING if errors else EXIT_OK, errors)


def _write_here(found: Mapping[str, LockedModel], installed: Installation) -> None:
    """Lock models in the overlay. An entry that equals that of the shipped lock is removed from the overlay."""
    shipped = installed.models.overlay.shipped
    same = [name for name, entry in found.items() if shipped.get(name) == entry]
    if same:
        update_overlay(installed.folders.own_models, dict.fromkeys(same))
    lock_with_progress({name: entry for name, entry in found.items() if name not in same}, installed)


def _write_shipped(found: Mapping[str, LockedModel], installed: Installation) -> None:
    """Write the entries to the checkout's lock, which is read again: another process may have changed it."""
    lock = CONFIG / "models.lock.json"
    installed.folders.scratch.mkdir(parents=True, exist_ok=True)
    with FileLock(installed.folders.scratch / "models.lock.json.lock"):
        now = ModelLock.model_validate_json(lock.read_bytes()).models
        write_atomically(lock, lock_text({name: found.get(name, entry) for name, entry in now.items()}).encode())


def _drop(names: Sequence[str], installed: Installation) -> CommandResult:
    """Remove the entries of these models from the overlay; their files stay in the cache."""
    held = [name for name in names if name in read_overlay(installed.folders.own_models)]
    if held:
        update_overlay(installed.folders.own_models, dict.fromkeys(held))
    text = f"the shipped lock counts again for: {', '.join(held)}" if held else "none of these was locked here"
    return CommandResult({"dropped": list(held)}, text)


def _take_facts(source: Path) -> CommandResult:
    """Merge a file in the form of the lock into the checkout's lock. Raises `BadInput` and `UsageError`."""
    lock = CONFIG / "models.lock.json"
    try:
        more = ModelLock.model_validate_json(source.read_bytes()).models
    except OSError as error:
        raise BadInput("models.facts", f"{source} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        raise BadInput("models.facts", f"{source} does not hold a lock: {first_mistake(error)}") from error
    before = ModelLock.model_validate_json(lock.read_bytes()).models
    merged, changes = merge_facts(before, more)
    if changes:
        write_atomically(lock, lock_text(merged).encode())
    resolved = [name for name, entry in merged.items() if entry.resolved and not before[name].resolved]
    data: JsonValue = {
        "changes": [
            {"model": change.model, "file": change.file, "fact": change.fact, "old": change.old, "new": change.new}
            for change in changes
        ],
        "resolved": list(resolved),
    }  # fmt: skip
    return CommandResult(data, _changes_text(changes, resolved))


def _changes_text(changes: Sequence[Change], resolved: Sequence[str]) -> str:
    if not changes:
        return "the lock knows all of these facts"
    rows = [
        (change.model, change.file or "-", change.fact, str(change.old or "unknown"), str(change.new))
        for change in changes
    ]
    last = f"{len(changes)} facts taken; now complete: {', '.join(resolved) or 'no further model'}"
    return f"{table(rows, ('MODEL', 'FILE', 'FACT', 'WAS', 'IS'))}\n{last}"
