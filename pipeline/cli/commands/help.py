"""`reel` without a command, `reel help`, `reel version` and `reel completion`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.base.errors import ReelError
from pipeline.base.project import version
from pipeline.cli.arguments import CommandResult, megabytes, project_of
from pipeline.cli.help_pages import OVERVIEW, quick_page
from pipeline.cli.options.commands import command_named
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.machine import PrintCompletion, ShowHelp
from pipeline.cli.usage_errors import unknown_command

if TYPE_CHECKING:  # `reel version` needs none of it
    from pydantic import JsonValue

    from pipeline.engine.project import Project


def show_help(arguments: ShowHelp) -> CommandResult:
    """Show the help of one command, of a group, or of all."""
    command = command_named(arguments.words)
    page = quick_page([*(command.words if command else arguments.words), "--help"])
    if page is None:
        raise unknown_command(arguments.words)
    return CommandResult({"help": page}, page)


def show_version(arguments: Arguments) -> CommandResult:
    """Show the version of reel."""
    return CommandResult({"version": version()}, f"reel {version()}")


def print_completion(arguments: PrintCompletion) -> CommandResult:
    """Print the code that makes a shell complete `reel`."""
    from pipeline.cli.completion import shell_code  # imports argcomplete, which only this command needs

    code = shell_code(arguments.shell)
    return CommandResult({"shell": arguments.shell, "code": code}, code)


def welcome(arguments: Arguments) -> CommandResult:
    """Say what reel does and whether it is set up. Changes nothing and never fails: an error in the settings is part of
    the text."""
    try:
        project = project_of(arguments)
        missing = _missing(project)
        state = _state(project, missing)
        data: dict[str, JsonValue] = {
            "profile": project.planner.profile.name,
            "missing": list(missing),
            "set_up": not missing,
        }
    except ReelError as error:
        state = f"This project cannot be used yet: {error.message} [{error.code}]"
        data = {"profile": None, "missing": [], "set_up": False}
    last = "`./reel --help` lists all commands, and `./reel doctor` looks for problems."
    return CommandResult({"version": version(), **data}, f"reel {version()}\n\n{OVERVIEW}\n{state}\n{last}")


def _missing(project: Project) -> list[str]:
    """Return the environments and models of the profile that the first run has to set up."""
    environments = project.installed.environments
    unbuilt = [name for name in project.needed_environments() if environments.status(name).state != "ready"]
    return [f"environment {name}" for name in unbuilt] + [f"model {name}" for name in _incomplete(project)]


def _incomplete(project: Project) -> list[str]:
    return list(project.installed.models.incomplete(project.planner.profile.profile.models))


def _state(project: Project, missing: list[str]) -> str:
    profile = f"the profile {project.planner.profile.name}"
    if not missing:
        return f"This project is set up for {profile}."
    size = project.installed.models.missing_bytes(_incomplete(project))
    models = f", {megabytes(size)} of models" if size else ""
    return f"The first run sets up {profile}: {len(missing)} parts{models}.\n`./reel setup --cache-models` does it now."
