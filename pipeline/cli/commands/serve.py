"""`reel serve` and `reel hook`: serve reel over HTTP, and report a new film to such a server."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipeline.base.errors import ReelError, UsageError
from pipeline.base.project import CODE_ROOT
from pipeline.base.secret_file import checked
from pipeline.cli.arguments import CommandResult, flags_given, project_of
from pipeline.cli.options.serve import HookFlags, ServeFlags
from pipeline.cli.reporters import open_reporter
from pipeline.engine.model_needs import model_state, models_of_jobs, require_on_disk
from pipeline.engine.planner import Planner
from pipeline.engine.project import open_project
from pipeline.web.access import is_loopback
from pipeline.web.apis.hook_payloads import payload_of_variables
from pipeline.web.apis.media_servers import MediaServer
from pipeline.workers.installation import Installation
from shared.files import read_regular
from shared.mistakes import text_mistake

FAMILY = "serve"
TOKEN = "REEL_TOKEN"
MEDIA_SERVER_TOKENS = {"plex": "PLEX_TOKEN", "jellyfin": "JELLYFIN_API_KEY"}
_HOOK_LIMIT_S = 30.0
_ANSWER_BYTES = 2000  # of an error, shown to the user


def serve(arguments: ServeFlags) -> CommandResult:
    """Serve until the user ends the command."""
    project, flags = project_of(arguments), flags_given(arguments)
    token = _token(arguments.token_file)
    _check(arguments, token)
    if project.planner.profile.profile.local_models and not project.settings.local_models:
        flags = {**flags, "local_models": True}
        project = open_project(project.settings.model_copy(update={"local_models": True}))
    if project.settings.local_models and not project.settings.stub:
        require_on_disk(models_of_jobs(project.planner), project.installed.models)
    _enter_environment(project.installed)
    print(_models_sentence(project.planner), file=sys.stderr, flush=True)
    # Imported here: only the environment that this process has entered holds a web server.
    from pipeline.web.server import ServeOptions, run_server

    options = ServeOptions(
        arguments.listen, arguments.port, token, arguments.hosts, arguments.media, arguments.maps,
        _base_path(arguments.base_path), arguments.trusted_proxies, arguments.max_upload, arguments.keep_free,
        arguments.linger, _media_servers(arguments),
    )  # fmt: skip
    run_server(project, flags, options)
    return CommandResult(None)


def hook(arguments: HookFlags) -> CommandResult:
    """Report the film that Sonarr or Radarr has imported to the server, by the variables that they set for a script."""
    message = payload_of_variables(os.environ)
    if message is None:
        raise UsageError(
            "hook.variables", "there is no variable of Sonarr or Radarr, which set some for their custom scripts",
            hint="add this command as a custom script there, under Connect",
        )  # fmt: skip
    sender, payload = message
    if payload["eventType"] != "Download":
        return CommandResult({"taken": False}, f"{payload['eventType']}: nothing to do")
    data = _post(f"{arguments.url.rstrip('/')}/hooks/{sender}", payload, _token(arguments.token_file))
    return CommandResult(data, f"queued: {', '.join(data.get('jobs', ()))}")


def _post(url: str, payload: Mapping[str, JsonValue], token: str | None) -> dict[str, Any]:
    """Send a message to the server. Raises `ReelError` if it refuses, and `UsageError` if it does not answer."""
    import urllib.error
    import urllib.request

    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    try:
        request = urllib.request.Request(url, json.dumps(payload).encode(), headers)
        with urllib.request.urlopen(request, timeout=_HOOK_LIMIT_S) as reply:
            data: dict[str, Any] = json.loads(reply.read())
            return data
    except urllib.error.HTTPError as error:
        answer = error.read(_ANSWER_BYTES).decode("utf-8", "replace")
        raise ReelError("hook.refused", f"{url} refuses with {error.code}: {answer}") from error
    except (OSError, ValueError) as error:
        hint = "start `./reel serve`, or name its address with `--url`"
        raise UsageError("hook.unreachable", f"{url} does not answer: {error}", hint=hint) from error


def _media_servers(arguments: ServeFlags) -> dict[str, MediaServer]:
    """Return the media servers that the command names, with the tokens of their variables."""
    tokens = {kind: os.environ.get(name, "") for kind, name in MEDIA_SERVER_TOKENS.items()}
    return {kind: MediaServer(kind, url, tokens[kind]) for kind, url in arguments.media_servers}


def _enter_environment(installed: Installation) -> None:
    """Replace this process by the same command in the environment with a web server, unless it runs there already."""
    environments = installed.environments
    with open_reporter(installed.settings.progress) as emit:
        environments.ensure(FAMILY, emit, offline=installed.settings.offline)
    python = environments.python(FAMILY)
    if not Path(sys.prefix).samefile(python.parent.parent):
        sys.stdout.flush()
        sys.stderr.flush()
        variables = {**os.environ, "PYTHONPATH": str(CODE_ROOT)}
        os.execve(python, [str(python), "-P", "-m", "pipeline", *sys.argv[1:]], variables)


def _models_sentence(planner: Planner) -> str:
    """Return the sentence about the models of jobs that use the server's settings."""
    try:
        return str(model_state(planner))
    except UsageError as error:
        return f"models: known when a request says more: {error.message}"


def _token(file: str | None) -> str | None:
    """Return the token from a file, or else from the variable; None if there is neither."""
    if file:
        try:
            text = read_regular(Path(file)).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = text_mistake(error) if isinstance(error, UnicodeDecodeError) else error.strerror or error
            raise UsageError(
                "serve.token-file",
                f"the token's file {file} cannot be read: {why}",
                hint="write the token into it, on one line",
            ) from error
        return checked(text, file).value
    text = os.environ.get(TOKEN, "").strip()
    return checked(text, f"the variable {TOKEN}").value if text else None


def _check(arguments: ServeFlags, token: str | None) -> None:
    """Raise `UsageError` for flags that would make an open server, or that name no port or no folder."""
    if token is None and not is_loopback(arguments.listen):
        raise UsageError(
            "serve.open", f"anyone who reaches {arguments.listen} could use this server, which has no token",
            hint=f"set the variable {TOKEN} to a long random text, or name a file that holds one with `--token-file`",
        )  # fmt: skip
    if not 0 <= arguments.port <= 65_535:
        raise UsageError("serve.port", f"{arguments.port} is not a port", hint="a port is a number up to 65535")
    for folder in arguments.media:
        if not Path(folder).is_dir():
            raise UsageError("serve.media", f"`--media {folder}` is not a folder", hint="make it, or correct its name")


def _base_path(text: str) -> str:
    return f"/{text.strip('/')}" if text.strip("/") else ""
