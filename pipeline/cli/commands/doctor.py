"""`reel doctor`: the machine's hardware, the state of the set-up, and problems."""

from __future__ import annotations

import os
import platform
import shutil
import sys

from pydantic import JsonValue

from pipeline.base.card_support import load_card_libraries, usable_hardware
from pipeline.base.errors import EXIT_MISSING, EXIT_OK
from pipeline.base.hardware import REMEMBERED, describe, detect
from pipeline.base.nvidia import ask_use
from pipeline.base.project import CONFIG
from pipeline.cli.arguments import CommandResult, megabytes, project_of, table
from pipeline.cli.card_rows import card_rows
from pipeline.cli.options.machine import CheckMachine
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
    machine = detect(os.environ.get("PATH"))
    usable = usable_hardware(machine, load_card_libraries(CONFIG / "cards.toml"), os.environ)
    profile = suggest_profile(load_profiles(CONFIG / "profiles"), usable)
    rows.append(("ok", "hardware", describe(usable.model_copy(update={"profile": profile}))))
    rows += card_rows(machine, usable, ask_use(os.environ.get("PATH")) if machine.cuda else {}, os.environ)
    if arguments.remember:
        machine.model_copy(update={"profile": profile}).write(CONFIG / REMEMBERED)
    rows.append(("ok", "profile", _profile_text(project.planner.profile.name, project.planner.profile.better)))
    wrong = [row for row in rows if row[0] == "wrong"]
    data: list[JsonValue] = [{"state": state, "what": what, "detail": detail} for state, what, detail in rows]
    return CommandResult({"checks": data}, table(rows), EXIT_MISSING if wrong else EXIT_OK)


def _profile_text(name: str, better: str | None) -> str:
    return f"{name}; for {better} run `./reel models fetch --profile {better}`" if better else name


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    except (ValueError, OSError, AttributeError):
        return ""
