"""`reel doctor` and `reel setup`: report on this machine and what is set up on it, and set it up."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pydantic import JsonValue

from pipeline.base.card_support import load_card_libraries, usable_hardware
from pipeline.base.errors import EXIT_MISSING, EXIT_OK, UsageError
from pipeline.base.hardware import REMEMBERED, Hardware, describe, detect
from pipeline.base.launcher import as_called
from pipeline.base.nvidia import ask_use
from pipeline.base.project import CONFIG, home_folder, own_config
from pipeline.cli.arguments import CommandResult, megabytes, project_of, say, table
from pipeline.cli.card_rows import Row, card_rows, proof_rows
from pipeline.cli.commands import envs, model_fetch
from pipeline.cli.options.machine import CheckMachine, SetUpMachine
from pipeline.cli.options.models import FetchModels
from pipeline.cli.profile_offer import choose_profile_with_user, tell, wants_models
from pipeline.engine.project import Project
from pipeline.engine.size_limit import held_bytes, limit_of
from pipeline.environments.environments import Environments
from pipeline.model_cache.hub_token import find_token
from pipeline.plan.profile import load_profiles, suggest_profile

_OTHER_CACHE = "MODEL_CACHE_PATH"  # the variable for the cache of other model servers, with the layout of the hub
_UNUSED = "unused"  # the state of a missing part that this profile never needs
_LITTLE_BYTES = 2e9
_HOW_TO_FREE = "; `./reel runs prune` and `./reel models prune` show what may go"


def doctor(arguments: CheckMachine) -> CommandResult:
    """Report on everything and change nothing, except that `--remember` writes down the hardware.

    A missing part is not a problem, because the next run sets it up; a broken part is one. Only the environments of the
    profile are imported, because the first import of some takes half a minute; `reel envs check` imports all. Missing
    parts that this profile never needs are listed by `--json`; the text only counts them.
    """
    project = project_of(arguments)
    environments = project.installed.environments
    needed_environments = project.needed_environments()
    rows: list[Row] = [
        ("ok", "system", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{_memory()}"),
        ("ok", "python", f"{platform.python_version()} in {sys.prefix}"),
        ("ok", "ffmpeg", f"{project.installed.tool.version} from {project.installed.tool.origin}"),
        *_cache_row(project),
        *_space_rows(project),
        *_environment_rows(environments, needed_environments),
        *_model_rows(project),
        _token_row(project),
    ]
    machine, usable = look_at_machine()
    rows.append(("ok", "hardware", describe(usable)))
    use = ask_use(os.environ.get("PATH")) if machine.cuda else {}
    rows += card_rows(machine, usable, use, os.environ)
    rows += proof_rows(usable, use, environments, needed_environments, project.installed.card_proofs())
    if arguments.remember:
        machine.remember(own_config() / REMEMBERED)
    rows.append(("ok", "profile", _profile_text(project.planner.profile.name, project.planner.profile.better)))
    data: list[JsonValue] = [
        {"state": state, "what": what, "detail": as_called(detail)} for state, what, detail in rows
    ]
    wrong = any(state == "wrong" for state, *_ in rows)
    return CommandResult({"checks": data}, table(_counted(rows)), EXIT_MISSING if wrong else EXIT_OK)


def _cache_row(project: Project) -> Iterator[Row]:
    """Yield a row if a variable names a cache that reel does not use."""
    if other := os.environ.get(_OTHER_CACHE):
        yield "ok", "cache", (
            f"{project.folders.cache}; {_OTHER_CACHE}={other} is not read: `REEL_CACHE_DIR` chooses the folder, and its"
            " folder `huggingface` is the cache of the hub"
        )  # fmt: skip


def _space_rows(project: Project) -> list[Row]:
    cache, store = project.folders.cache, project.store
    free = shutil.disk_usage(next(path for path in (cache, *cache.parents) if path.exists())).free
    disk = f"{megabytes(free)} free for {cache}" + (_HOW_TO_FREE if free <= _LITTLE_BYTES else "")
    limit, held = limit_of(project.settings.results_limit, store), held_bytes(store)
    most = "with no limit" if limit is None else f"of {megabytes(limit)} at most (`results_limit`)"
    fits = limit is None or held <= limit
    return [
        ("ok" if free > _LITTLE_BYTES else "low", "disk", disk),
        ("ok" if fits else "low", "results", f"{megabytes(held)} {most}" + ("" if fits else _HOW_TO_FREE)),
    ]


def _environment_rows(environments: Environments, needed: Collection[str]) -> Iterator[Row]:
    for family in environments.families:
        status = (environments.check if family in needed else environments.status)(family)
        torch = environments.torch(family)
        detail = status.detail or (f"ready, with torch {torch}" if torch else "ready")
        if status.state == "broken":
            yield "wrong", f"environment {family}", f"{detail}; run `./reel envs ensure {family}`"
        elif status.state == "ready":
            yield "ok", f"environment {family}", detail
        elif family in needed:
            yield "later", f"environment {family}", f"{detail}; `./reel envs ensure {family}` builds it now"
        else:
            yield _UNUSED, f"environment {family}", detail


def _model_rows(project: Project) -> Iterator[Row]:
    models, needed = project.installed.models, project.planner.profile.profile.models
    incomplete = models.incomplete(models.models)
    known = {name for profile in load_profiles(CONFIG / "profiles").values() for name in profile.models}
    for name in (name for name in models.models if name in known or name not in incomplete):
        if name not in incomplete:
            yield "ok", f"model {name}", "complete"
        elif name in needed:
            yield "later", f"model {name}", f"it has not been fetched yet; `./reel models fetch {name}` does it now"
        else:
            yield _UNUSED, f"model {name}", "it has not been fetched yet"


def _token_row(project: Project) -> Row:
    """Return the row about the token for the model hub, with its origin and without the token itself."""
    try:
        token = find_token(os.environ, own_config(), home_folder())
    except UsageError as error:
        return "wrong", "token", f"{error.message}; {error.hint}"
    gated = [name for name in project.planner.profile.profile.models if project.installed.models.models[name].gated]
    if token:
        return "ok", "token", f"for the model hub, from {token.origin}"
    missing = list(project.installed.models.incomplete(gated))
    if missing:
        return "later", "token", f"none, and {', '.join(missing)} needs one: see docs/how-to/gated-models.md"
    return "ok", "token", "none for the model hub; no model of this profile needs one"


def _counted(rows: Sequence[Row]) -> list[Row]:
    """Return the rows for the text, with one row for all missing parts of a kind that this profile never needs."""
    shown = [row for row in rows if row[0] != _UNUSED]
    for kind, more in (("environment", "a run that needs one builds it"), ("model", "`./reel models list` shows them")):
        names = [what.removeprefix(f"{kind} ") for state, what, _ in rows if state == _UNUSED and what.startswith(kind)]
        if names:
            shown.append((_UNUSED, f"{kind}s", f"not here, and not needed by this profile: {len(names)}; {more}"))
    return shown


def set_up_machine(arguments: SetUpMachine) -> CommandResult:
    """Choose a profile, build its environments, and fetch its models if the user wants them."""
    machine, usable = look_at_machine()
    try:
        machine.remember(own_config() / REMEMBERED)
    except OSError as error:
        say(f"config/{REMEMBERED} cannot be written: {error.strerror}")
    project = project_of(arguments)
    tell(f"this machine: {describe(usable)}")
    chosen = choose_profile_with_user(project.planner)
    models = chosen and wants_models(chosen, fetch=arguments.cache_models, skip=arguments.skip_cache)
    if chosen is None or models is None:
        return CommandResult({"profile": None}, "nothing was set up")
    project = project_of(replace(arguments, profile=chosen.name))
    if models and (obstacles := _fetch_obstacles(project)):
        return _joined(chosen.name, obstacles)
    built = envs.build(project.needed_environments(), project)
    if not models or built.exit_code != EXIT_OK:
        return _joined(chosen.name, built)
    fetched = model_fetch.fetch(
        FetchModels(
            profile=chosen.name, languages=arguments.languages, locked=arguments.locked,
            accept_code=arguments.accept_code, offline=arguments.offline, progress=arguments.progress,
        )
    )  # fmt: skip
    return _joined(chosen.name, built, fetched)


def _fetch_obstacles(project: Project) -> CommandResult | None:
    """Return the result of the command if some models of the profile cannot be fetched, else None. Called before
    gigabytes of environments are built for them."""
    cache = project.installed.models
    names = model_fetch.needed_models(project.planner, project.planner.profile.profile)
    missing = list(cache.incomplete(names))
    failed = model_fetch.lock_missing(missing, project.installed)
    if failed:
        tell(
            "nothing is built or fetched, because some models cannot be fetched: mend that, then run this command again"
        )
        return model_fetch.outcome(names, failed, cache)
    cache.check_space(missing)
    return None


def _joined(profile: str, *results: CommandResult) -> CommandResult:
    data: dict[str, JsonValue] = {"profile": profile}
    for result in results:
        data |= result.data if isinstance(result.data, dict) else {}
    last = results[-1]
    return CommandResult(data, "\n\n".join(result.text for result in results), last.exit_code, last.errors)


def look_at_machine() -> tuple[Hardware, Hardware]:
    """Return the machine, and the part of it that the locked libraries can use. Both name the profile that suits."""
    machine = detect(os.environ.get("PATH"))
    usable = usable_hardware(machine, load_card_libraries(CONFIG / "cards.toml"), os.environ)
    suited = {"profile": suggest_profile(load_profiles(CONFIG / "profiles"), usable)}
    return machine.model_copy(update=suited), usable.model_copy(update=suited)


def _profile_text(name: str, better: str | None) -> str:
    return f"{name}; for {better} run `./reel models fetch --profile {better}`" if better else name


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    except (ValueError, OSError, AttributeError):
        return ""
