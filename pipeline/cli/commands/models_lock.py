"""`reel models lock`: look up facts about models, or take them from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue, ValidationError

from pipeline.base.errors import EXIT_MISSING, EXIT_OK, BadInput, Missing, ReelError, UsageError
from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.options.models import LockModels
from pipeline.cli.reporters import open_reporter
from pipeline.model_cache.facts import Change, merge_facts
from pipeline.model_cache.manifest import ModelLock, lock_text
from pipeline.model_cache.selection import select_models
from shared.files import write_atomically
from shared.mistakes import first_mistake


def lock(arguments: LockModels) -> CommandResult:
    """Look up on the network what the lock lacks, and write it to the lock. Entries that cannot be looked up stay as
    they are."""
    from pipeline.model_cache.lock_models import merged, resolve_model, unresolved

    if arguments.facts:
        return _take_facts(Path(arguments.facts).expanduser().absolute())
    project = project_of(arguments)
    cache, own = project.installed.models, project.installed.own_models
    names = select_models(arguments.names, cache.models) if arguments.names else list(cache.models)
    declared = {name: entry for name, entry in cache.locked.items() if name not in own.models}
    if mine := [name for name in names if name in own.models and arguments.names]:
        raise UsageError(
            "models.own", f"`{mine[0]}` is your own model", hint=f"`./reel models add {mine[0]} FOLDER` locks it again"
        )
    if not arguments.names:
        names = unresolved(declared, cache.models, cache.locked)
    if arguments.revision and len(arguments.names) != 1:
        raise UsageError("models.revision", "`--revision` is for one model", hint="name the model")
    if project.settings.offline and names:
        raise Missing("models.offline", "the lock is resolved with a network, and the setting `offline` forbids it")
    found, errors, rows = {}, list[ReelError](), []
    with open_reporter(project.settings.progress) as emit:
        for name in names:
            try:
                revision = arguments.revision if name in arguments.names else None
                found[name] = resolve_model(name, revision, cache, emit)
                rows.append((name, "locked", found[name].revision, megabytes(found[name].size)))
            except ReelError as error:
                errors.append(error)
                rows.append((name, "unresolved", error.code, ""))
    if found:
        write_atomically(CONFIG / "models.lock.json", lock_text(merged(declared, found)).encode())
    told = [f"error: {error.message} [{error.code}]" for error in errors]
    text = "\n".join([table(rows), *told]) if rows else "the lock knows every model"
    data: list[JsonValue] = [
        {"name": name, "revision": entry.revision, "bytes": entry.size, "files": len(entry.files)}
        for name, entry in found.items()
    ]
    return CommandResult({"models": data}, text, EXIT_MISSING if errors else EXIT_OK, tuple(errors))


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
            {"model": one.model, "file": one.file, "fact": one.fact, "old": one.old, "new": one.new}
            for one in changes
        ],
        "resolved": list(resolved),
    }  # fmt: skip
    return CommandResult(data, _changes_text(changes, resolved))


def _changes_text(changes: Sequence[Change], resolved: Sequence[str]) -> str:
    if not changes:
        return "the lock knows all of these facts"
    rows = [(one.model, one.file or "-", one.fact, str(one.old or "unknown"), str(one.new)) for one in changes]
    last = f"{len(changes)} facts taken; now complete: {', '.join(resolved) or 'no further model'}"
    return f"{table(rows, ('MODEL', 'FILE', 'FACT', 'WAS', 'IS'))}\n{last}"
