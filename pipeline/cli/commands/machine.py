"""`reel doctor` and `reel setup`: what this machine is, what is set up on it, and setting it up."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import replace

from pydantic import JsonValue

from pipeline.base.card_support import load_card_libraries, usable_hardware
from pipeline.base.errors import EXIT_MISSING, EXIT_OK
from pipeline.base.hardware import REMEMBERED, Hardware, describe, detect
from pipeline.base.nvidia import ask_use
from pipeline.base.project import CONFIG, own_config
from pipeline.cli.arguments import CommandResult, megabytes, project_of, say, table
from pipeline.cli.card_rows import card_rows, proof_rows
from pipeline.cli.commands import envs, model_fetch
from pipeline.cli.options.machine import CheckMachine, SetUpMachine
from pipeline.cli.options.models import FetchModels
from pipeline.cli.profile_offer import choose_profile_aloud, tell, wants_models
from pipeline.engine.project import Project
from pipeline.engine.size_limit import limit_of
from pipeline.plan.profile import load_profiles, suggest_profile


def doctor(arguments: CheckMachine) -> CommandResult:
    """Report on everything and change nothing, except that `--remember` writes down the hardware. A part that the next
    run builds by itself is not a problem; a broken part is. Only the profile's environments are tried, because the
    first import of some takes half a minute; `reel envs check` tries all."""
    project = project_of(arguments)
    environments, models = project.installed.environments, project.installed.models
    needed_environments = project.needed_environments()
    rows: list[tuple[str, str, str]] = [
        ("ok", "system", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{_memory()}"),
        ("ok", "python", f"{platform.python_version()} in {sys.prefix}"),
        ("ok", "ffmpeg", f"{project.installed.tool.version} from {project.installed.tool.origin}"),
    ]
    free = shutil.disk_usage(
        next(path for path in (project.folders.cache, *project.folders.cache.parents) if path.exists())
    ).free
    rows.append(("ok" if free > 2e9 else "low", "disk", f"{megabytes(free)} free for {project.folders.cache}"))
    limit, held = limit_of(project.settings.results_limit, project.store), project.store.contents.bytes
    most = "with no limit" if limit is None else f"of {megabytes(limit)} at most (`results_limit`)"
    rows.append(("ok" if limit is None or held <= limit else "low", "results", f"{megabytes(held)} {most}"))
    for family in environments.families:
        look = environments.check if family in needed_environments else environments.status
        status = look(family)
        word = {"ready": "ok", "broken": "wrong"}.get(status.state, "later")
        torch = environments.torch(family)
        detail = status.detail or (f"ready, with torch {torch}" if torch else "ready")
        rows.append(
            (
                word,
                f"environment {family}",
                detail if word != "wrong" else f"{detail}; run `./reel envs ensure {family}`",
            )
        )
    incomplete = models.incomplete(models.models)
    needed = {name for profile in load_profiles(CONFIG / "profiles").values() for name in profile.models}
    for name in (name for name in models.models if name in needed or name not in incomplete):
        whole = name not in incomplete
        rows.append(
            ("ok" if whole else "later", f"model {name}", "complete" if whole else "it has not been fetched yet")
        )
    machine, usable = look_at_machine()
    rows.append(("ok", "hardware", describe(usable)))
    rows += card_rows(machine, usable, ask_use(os.environ.get("PATH")) if machine.cuda else {}, os.environ)
    rows += proof_rows(usable, environments, needed_environments, project.installed.card_proofs())
    if arguments.remember:
        machine.remember(own_config() / REMEMBERED)
    rows.append(("ok", "profile", _profile_text(project.planner.profile.name, project.planner.profile.better)))
    wrong = [row for row in rows if row[0] == "wrong"]
    data: list[JsonValue] = [{"state": state, "what": what, "detail": detail} for state, what, detail in rows]
    return CommandResult({"checks": data}, table(rows), EXIT_MISSING if wrong else EXIT_OK)


def set_up_machine(arguments: SetUpMachine) -> CommandResult:
    """Choose a profile, build its environments, and fetch its models if that is wanted."""
    machine, usable = look_at_machine()
    try:
        machine.remember(own_config() / REMEMBERED)
    except OSError as error:
        say(f"config/{REMEMBERED} cannot be written: {error.strerror}")
    project = project_of(arguments)
    tell(f"this machine: {describe(usable)}")
    chosen = choose_profile_aloud(project.planner)
    models = chosen and wants_models(chosen, fetch=arguments.cache_models, skip=arguments.skip_cache)
    if chosen is None or models is None:
        return CommandResult({"profile": None}, "nothing was set up")
    project = project_of(replace(arguments, profile=chosen.name))
    if models and (refused := _refused(project)):
        return _joined(chosen.name, refused)
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


def _refused(project: Project) -> CommandResult | None:
    """Return why models of the profile cannot be had, before gigabytes of environments are built for them; None where
    nothing is known that speaks against it."""
    cache = project.installed.models
    names = model_fetch.needed_models(project.planner, project.planner.profile.profile)
    missing = list(cache.incomplete(names))
    failed = model_fetch.lock_missing(missing, project.installed)
    if failed:
        tell("nothing is built or fetched, because some models cannot be had; the same command goes on when they can")
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
    """Return the machine as it is, and what of it the locked libraries can use; each names the profile that suits."""
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
