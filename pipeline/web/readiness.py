"""Tells whether a job can begin at once, or what has to be set up first."""

from __future__ import annotations

import asyncio

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from pipeline.base.errors import ReelError
from pipeline.engine.model_needs import ModelState, model_state
from pipeline.engine.project import Project, open_project
from pipeline.web.replies import json_reply

_OK, _NOT_READY = 200, 503


class Readiness:
    """Handler of `/ready`, about the settings that the server was started with."""

    def __init__(self, project: Project) -> None:
        self._project = project

    async def tell(self, request: Request) -> Response:
        """Return 200 if everything is there, else 503 with the environments and models that are missing. `models` tells
        whether those are `complete`, `fetched when needed` or `missing`, in which folder, and whether they are `local`,
        never to be fetched by this server."""
        report = await asyncio.to_thread(self._report)
        return json_reply(report, _OK if report["ready"] else _NOT_READY)

    def _report(self) -> dict[str, JsonValue]:
        project, installed = self._project, self._project.installed
        try:
            state = model_state(project.planner)
            if state.missing:  # a job or a command may have locked them since, which only a project opened later knows
                project = self._project = open_project(project.settings)
                state = model_state(project.planner)
        except ReelError as error:
            return {"ready": False, "missing": [error.message], "profile": project.planner.profile.name}
        families = () if project.settings.stub else project.needed_environments()
        lacking = [family for family in families if installed.environments.status(family).state != "ready"]
        missing = [*(f"environment {family}" for family in lacking), *(f"model {name}" for name in state.missing)]
        return {
            "ready": not missing, "missing": [*missing], "profile": project.planner.profile.name,
            "models": _as_json(state),
        }  # fmt: skip


def _as_json(state: ModelState) -> dict[str, JsonValue]:
    return {
        "state": state.state, "local": state.local, "folder": str(state.folder), "missing": [*state.missing],
        "missing_bytes": state.missing_bytes,
    }  # fmt: skip
