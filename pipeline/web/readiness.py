"""Tells whether a job can begin at once, or what has to be set up first."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from pipeline.base.errors import ReelError
from pipeline.engine.model_needs import needed_models
from pipeline.engine.project import Project
from pipeline.web.replies import json_reply


class Readiness:
    """Handler of `/ready`, about the settings that the server was started with."""

    def __init__(self, project: Project) -> None:
        self._project = project

    async def tell(self, request: Request) -> Response:
        """Return 200 if everything is there, else 503 with the environments and models that are missing."""
        missing = await asyncio.to_thread(self._missing)
        return json_reply({"ready": not missing, "missing": missing}, 503 if missing else 200)

    def _missing(self) -> list[str]:
        project, installed = self._project, self._project.installed
        if project.settings.stub:
            return []
        try:
            steps = project.planner.plan().steps
        except ReelError as error:
            return [error.message]
        families = [
            family for family in project.needed_environments() if installed.environments.status(family).state != "ready"
        ]
        models = needed_models(steps, installed.models, offline=True)
        lacking = [name for name in sorted(models) if installed.models.problem(name) is not None]
        return [*(f"environment {family}" for family in families), *(f"model {name}" for name in lacking)]
