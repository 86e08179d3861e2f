"""`reel models verify`, `prune`, `adopt` and `key`: check, clean up and extend the model cache, and name it for CI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import EXIT_MISSING, EXIT_OK, BadInput, ReelError
from pipeline.base.events import Emit
from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, agreed, megabytes, project_of, table
from pipeline.cli.commands.model_fetch import names_of
from pipeline.cli.first_use import require_accepted
from pipeline.cli.options.models import AdoptModels, PruneModels, SelectModels, VerifyModels
from pipeline.cli.reporters import open_reporter
from pipeline.engine.planner import Planner
from pipeline.model_cache.fetch_lock import hold_fetch_locks
from pipeline.model_cache.first_use import lock_found
from pipeline.model_cache.selection import with_needs
from pipeline.model_cache.upkeep.adopt import Adopted, Adoption, adopt
from pipeline.model_cache.upkeep.ci_key import cache_key
from pipeline.model_cache.upkeep.proof import proven
from pipeline.model_cache.upkeep.prune import Surplus, delete, find_surplus, repositories
from pipeline.model_cache.upkeep.verify import Problem, check_models, drop
from pipeline.plan.profile import load_profiles
from pipeline.workers.installation import Installation

_SHOWN_IGNORED = 20


def present_models(arguments: SelectModels, planner: Planner) -> list[str]:
    """Return the selected models. `--all` selects those in the cache: others can be neither checked nor exported."""
    names = names_of(arguments, planner)
    return [name for name in names if planner.models.snapshot(name).exists()] if arguments.all else names


def key(arguments: SelectModels) -> CommandResult:
    """Print the key of a CI cache that holds the selected models."""
    project = project_of(arguments)
    names = names_of(arguments, project.planner)
    text = cache_key(names, project.installed.models.locked)
    return CommandResult({"key": text, "models": list(names)}, text)


def verify(arguments: VerifyModels) -> CommandResult:
    """Check every byte of the selected models, and repair them if asked."""
    project = project_of(arguments)
    names, repair = present_models(arguments, project.planner), arguments.repair
    errors: list[ReelError] = []
    with open_reporter(project.settings.progress) as emit:
        problems = check_models(names, project.folders.cache, project.installed.models.locked, emit)
        if repair and any(problems.values()):
            errors = _repair(problems, project.installed, emit)
            again = [name for name, found in problems.items() if found]
            problems |= check_models(again, project.folders.cache, project.installed.models.locked, emit)
    there = {name: project.installed.models.snapshot(name).exists() for name in names}
    rows = [(name, _verdict(found, there[name])) for name, found in problems.items()]
    sentences = [f"{p.model}: {p.sentence}" for name, found in problems.items() if there[name] for p in found]
    sentences += [f"error: {error.message} [{error.code}]" for error in errors]
    if any(problems.values()) and not repair:
        wrong = " ".join(name for name, found in problems.items() if found)
        sentences.append(f"`./reel models verify {wrong} --repair` fetches what is missing or wrong")
    data: JsonValue = {
        "models": [{"name": name, "problems": [p.sentence for p in found]} for name, found in problems.items()]
    }
    exit_code = EXIT_MISSING if any(problems.values()) else EXIT_OK
    return CommandResult(data, "\n".join([table(rows), *sentences]), exit_code, tuple(errors))


def _repair(problems: dict[str, list[Problem]], installed: Installation, emit: Emit) -> list[ReelError]:
    """Delete the wrong files of each model and fetch it again: a model that fails does not stop the others."""
    errors: list[ReelError] = []
    for name, found in problems.items():
        if found:
            try:
                drop(found, installed.folders.cache, installed.models.locked)
                installed.models.fetch(name, emit, offline=installed.settings.offline)
            except ReelError as error:
                errors.append(error)
    return errors


def _verdict(problems: list[Problem], there: bool) -> str:
    if not problems:
        return "verified"
    return f"{len(problems)} wrong" if there else "not fetched yet"


def prune(arguments: PruneModels) -> CommandResult:
    """Show the content of the cache that no profile needs, and delete it if the user agrees."""
    project = project_of(arguments)
    cache = project.folders.cache
    needed = _needed(project.installed)
    found = find_surplus(cache, project.installed.models.locked, needed)
    if not found:
        return CommandResult({"surplus": [], "deleted": False}, "nothing to delete")
    yes = agreed("delete this?", _surplus_text(found), yes=arguments.yes)
    if yes:
        with hold_fetch_locks(repositories(cache)):
            # Another process may just have fetched or deleted something.
            found = find_surplus(cache, project.installed.models.locked, needed)
            for surplus in found:
                delete(surplus)
    data: JsonValue = {
        "surplus": [{"path": str(s.path), "reason": s.reason, "bytes": s.bytes} for s in found], "deleted": yes
    }  # fmt: skip
    last = "deleted" if yes else "nothing was deleted; `./reel models prune --yes` does it"
    return CommandResult(data, f"{_surplus_text(found)}\n{last}")


def _needed(installed: Installation) -> set[str]:
    """Return the models that may not be deleted: those of the user, those of all profiles, also for single languages,
    and the models that these need."""
    names = dict.fromkeys(installed.own_models.models)
    for profile in load_profiles(CONFIG / "profiles").values():
        names |= dict.fromkeys((*profile.models, *profile.language_models))
    return set(with_needs(names, installed.models.models))


def _surplus_text(found: Sequence[Surplus]) -> str:
    rows = [(megabytes(surplus.bytes), str(surplus.path), surplus.reason) for surplus in found]
    return f"{table(rows, ('FREES', 'WHAT', 'WHY'))}\n{megabytes(sum(surplus.bytes for surplus in found))} in all"


def adopt_caches(arguments: AdoptModels) -> CommandResult:
    """Copy or link models from the caches of other tools."""
    project = project_of(arguments)
    folders = [Path(folder).expanduser().absolute() for folder in arguments.folders]
    for folder in folders:
        if not folder.is_dir():
            raise BadInput("adopt.folder", f"{folder} is not a folder", hint="name the cache to take models from")
    installed, models = project.installed, project.installed.models
    if (found := proven(folders, models.models, models.locked)) and not models.overlay.refused:
        require_accepted(found, installed)
        with open_reporter(project.settings.progress) as emit:
            lock_found(found, models, emit, "the other cache")
    outcome = adopt(folders, project.folders.cache, models.locked)
    data: JsonValue = {
        "adopted": [
            {
                "name": a.model, "linked": a.linked, "copied": a.copied, "present": a.present, "bytes": a.bytes,
                "missing": list(a.missing),
            }
            for a in outcome.adopted
        ],
        "wrong": list(outcome.wrong),
        "not_looked_for": dict(outcome.ignored),
    }  # fmt: skip
    return CommandResult(data, _adoption_text(outcome))


def _adoption_text(outcome: Adoption) -> str:
    head = ("MODEL", "FILES", "SIZE", "STATE")
    rows = [(a.model, _origin_counts(a), megabytes(a.bytes), _state(a)) for a in outcome.adopted]
    parts = [table(rows, head) if rows else "no model of the lock was found"]
    if outcome.wrong:
        parts.append("\n".join(["wrong content, not adopted:", *(f"  {sentence}" for sentence in outcome.wrong)]))
    if outcome.ignored:
        largest = sorted(outcome.ignored.items(), key=lambda item: (-item[1], item[0]))
        ignored = [(f"  {label}", megabytes(size)) for label, size in largest[:_SHOWN_IGNORED]]
        more = len(largest) - len(ignored)
        parts.append("\n".join(["not searched:", table(ignored), *([f"  and {more} more"] if more else [])]))
    return "\n\n".join(parts)


def _origin_counts(adopted: Adopted) -> str:
    counts = {"linked": adopted.linked, "copied": adopted.copied, "there before": adopted.present}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or "none"


def _state(adopted: Adopted) -> str:
    if not adopted.missing:
        return "complete"
    return f"without {', '.join(adopted.missing)}; run `./reel models fetch {adopted.model}`"
