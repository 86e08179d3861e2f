"""`reel serve`: reel over HTTP."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.base.errors import UsageError
from pipeline.base.project import CODE_ROOT
from pipeline.base.secret_file import checked
from pipeline.cli.arguments import CommandResult, flags_given, project_of
from pipeline.cli.options.serve import ServeFlags
from pipeline.cli.reporters import open_reporter
from pipeline.web.access import is_loopback
from pipeline.workers.installation import Installation

FAMILY = "serve"
TOKEN = "REEL_TOKEN"


def serve(arguments: ServeFlags) -> CommandResult:
    """Serve until the user ends the command."""
    project = project_of(arguments)
    token = _token(arguments)
    _check(arguments, token)
    _enter(project.installed)
    # Imported here: only the environment that this process has entered holds a web server.
    from pipeline.web.server import ServeOptions, run_server

    flags = flags_given(arguments)
    options = ServeOptions(
        arguments.listen, arguments.port, token, arguments.hosts, arguments.media, arguments.maps,
        _base_path(arguments.base_path), arguments.trusted_proxies, arguments.max_upload, arguments.keep_free,
        arguments.linger,
    )  # fmt: skip
    run_server(project, flags, options)
    return CommandResult(None)


def _enter(installed: Installation) -> None:
    """Replace this process by the same command in the environment that has a web server, unless it runs there."""
    environments = installed.environments
    with open_reporter(installed.settings.progress) as emit:
        environments.ensure(FAMILY, emit, offline=installed.settings.offline)
    python = environments.python(FAMILY)
    if not Path(sys.prefix).samefile(python.parent.parent):
        sys.stdout.flush()
        sys.stderr.flush()
        variables = {**os.environ, "PYTHONPATH": str(CODE_ROOT)}
        os.execve(python, [str(python), "-P", "-m", "pipeline", *sys.argv[1:]], variables)


def _token(arguments: ServeFlags) -> str | None:
    if arguments.token_file:
        try:
            text = Path(arguments.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = f"the token's file {arguments.token_file} cannot be read: {error}"
            raise UsageError("serve.token-file", why, hint="write the token into it, on one line") from error
        return checked(text, arguments.token_file).value
    text = os.environ.get(TOKEN, "").strip()
    return checked(text, f"the variable {TOKEN}").value if text else None


def _check(arguments: ServeFlags, token: str | None) -> None:
    """Raise `UsageError` for what is not safe or cannot be."""
    if token is None and not is_loopback(arguments.listen):
        raise UsageError(
            "serve.open", f"whoever reaches {arguments.listen} could use this server, which has no token",
            hint=f"set the variable {TOKEN} to a long random text, or name a file that holds one with `--token-file`",
        )  # fmt: skip
    if not 0 <= arguments.port <= 65_535:
        raise UsageError("serve.port", f"{arguments.port} is not a port", hint="a port is a number up to 65535")
    for folder in arguments.media:
        if not Path(folder).is_dir():
            raise UsageError("serve.media", f"`--media {folder}` is not a folder", hint="make it, or correct its name")


def _base_path(text: str) -> str:
    return f"/{text.strip('/')}" if text.strip("/") else ""
