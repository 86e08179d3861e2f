"""Shows reports: on a run, and on the results in a folder. Their times lead to the review page, where the sound is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.base.errors import ReelError
from pipeline.engine.project import Project, open_project
from pipeline.publishing.record import Job, read_job
from pipeline.publishing.run_report.html import policy
from pipeline.publishing.run_report.job_facts import JobFacts, Materials
from pipeline.publishing.run_report.job_page import SoundLink, address_at, job_report
from pipeline.publishing.run_report.published import without_report
from pipeline.publishing.run_report.run_page import Links, run_report
from pipeline.web.refused import Refused
from pipeline.web.review.review_base import review_id
from pipeline.web.review.reviews import Reviews, unknown

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": f"{policy()}; frame-ancestors 'none'",  # a report has its style inside
}


class RunPages:
    """Handlers of the reports."""

    def __init__(self, project: Project, reviews: Reviews) -> None:
        self._project, self._reviews = project, reviews

    def routes(self) -> list[Route]:
        """Return the routes of the reports."""
        return [
            Route("/runs/{id}", self.show_run, methods=["GET"]),
            Route("/review/{id}/report", self.show_job, methods=["GET"]),
        ]

    async def show_run(self, request: Request) -> Response:
        """Return the report on a run, by the beginning of its id."""
        return await _page(self._run, request.path_params["id"])

    async def show_job(self, request: Request) -> Response:
        """Return the report on the results in a folder, by the name under which they are reviewed."""
        return await _page(self._job, request.path_params["id"])

    def _run(self, name: str) -> str:
        project = open_project(self._project.settings)  # an index of its own: each call is another thread's
        history = project.records().history
        try:
            details = history.details(name)
            redone = history.redone(details.run.id)
        except ReelError as error:
            raise Refused.by(error, 404) from error
        links = Links(
            sound=lambda job, folder: _sound(f"../review/{review_id(folder)}"),
            report=lambda path: f"../review/{review_id(path.parent)}/report",
        )
        return run_report(details, redone, Materials(project.store, project.installed.models), links)

    def _job(self, name: str) -> str:
        project = open_project(self._project.settings)
        folder = Path(self._reviews.base(name).folder)
        job: Job | None = read_job(folder)
        if job is None:
            raise unknown()
        materials = Materials(project.store, project.installed.models)
        return job_report(JobFacts(without_report(job), materials.results_of(job), materials), _sound(f"../{name}"))


async def _page(make: Callable[[str], str], name: str) -> Response:
    content = await asyncio.to_thread(make, name)
    return Response(content.encode(), headers=_HEADERS, media_type="text/html; charset=utf-8")


def _sound(review: str) -> SoundLink:
    """Return addresses of a review page at a time in seconds."""
    return lambda start_ms: address_at(review, start_ms)
