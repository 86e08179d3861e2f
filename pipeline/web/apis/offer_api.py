"""Serves what a page offers before a job is queued: choices, files of the media folders, a plan with its needs.
Also the chart of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.base.errors import ReelError
from pipeline.base.launcher import REEL
from pipeline.base.project import CONFIG, version
from pipeline.engine.admission import Admission
from pipeline.engine.media_list import Request as MediaRequest
from pipeline.engine.preview import StepPreview
from pipeline.engine.project import Project, open_project
from pipeline.engine.set_up import Needs, needs_of
from pipeline.plan.profile import AUTO, load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.subtitle_guides import load_guide
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.run_report.gantt import as_svg, chart
from pipeline.web.apis.bodies import json_body
from pipeline.web.apis.own_api import API, OwnApi
from pipeline.web.job_maker import Ordered
from pipeline.web.media_roots import PAGE_SUFFIXES
from pipeline.web.refused import Refused
from pipeline.web.replies import json_reply
from pipeline.web.service import Service
from shared.containers import MEDIA_SUFFIXES
from shared.text.language_names import named_languages

_READ_AT_ONCE = 256 << 20
"""A larger file is not read for a plan: what is known of its content is known by its date and size."""
_PAGES = "pages"  # the stage that reads them
_UNREAD = "0" * 64  # in the place of a digest that is not known


@dataclass(frozen=True)
class _PlanRequest:
    """Request for a plan: settings by dotted names, and a file, if it is chosen yet."""

    overrides: dict[str, JsonValue]
    ordered: Ordered | None


class OfferApi:
    """Handlers of what a page offers."""

    def __init__(self, project: Project, service: Service, own: OwnApi, *, asks_for_token: bool) -> None:
        self._project, self._service, self._own = project, service, own
        self._asks_for_token = asks_for_token

    def routes(self) -> list[Route]:
        """Return the routes of this interface."""
        return [
            Route(f"{API}/choices", self.choices, methods=["GET"]),
            Route(f"{API}/folders", self.list_folder, methods=["GET"]),
            Route(f"{API}/plan", self.plan, methods=["POST"]),
            Route(f"{API}/runs/{{id}}/chart.svg", self.show_chart, methods=["GET"]),
        ]

    async def choices(self, request: Request) -> Response:
        """Return the recipes, profiles, guides and languages that there are, and those that are taken by themselves."""
        return json_reply(await asyncio.to_thread(self._choices))

    def _choices(self) -> dict[str, Any]:
        project = self._project
        settings, hardware = project.settings, project.planner.hardware
        recipes = {path.stem: load_recipe(path.stem, CONFIG / "recipes") for path in _files("recipes")}
        profiles = load_profiles(CONFIG / "profiles")
        return {
            "version": version(),
            "recipes": [
                {"name": name, "summary": recipe.summary, "needs_target": recipe.needs_target,
                 "takes_targets": any(step.each for step in recipe.steps.values()),
                 "reads_pages": any(step.stage == _PAGES for step in recipe.steps.values())}
                for name, recipe in recipes.items() if recipe.publish
            ],
            "profiles": [
                {"name": name, "summary": profile.summary, "suits": profile.suits.accepts(hardware)}
                for name, profile in profiles.items()
            ],
            "guides": [
                {"name": path.stem, "summary": load_guide(path.stem, CONFIG / "guides").summary}
                for path in _files("guides")
            ],
            "languages": [{"tag": tag, "names": names} for tag, names in named_languages().items()],
            "defaults": {
                "recipe": settings.recipe, "profile": project.planner.profile.name, "to": [*settings.to],
                "guide": settings.guide, "named_profile": settings.profile != AUTO,
            },
            "has_folders": bool(self._service.roots.folders),
            "asks_for_token": self._asks_for_token,
        }  # fmt: skip

    async def list_folder(self, request: Request) -> Response:
        """Return the folders and media files in a folder, by its absolute path; the media folders without one. With
        `pages=true`, return PDF and picture files instead."""
        path = request.query_params.get("path", "")
        suffixes = PAGE_SUFFIXES if request.query_params.get("pages") == "true" else MEDIA_SUFFIXES
        return json_reply(asdict(await asyncio.to_thread(self._service.roots.listing, path, suffixes)))

    async def plan(self, request: Request) -> Response:
        """Return what a job would do and why, and what it would set up first. Without a file, of a file in general."""
        body = await json_body(request)
        has_file = body.get("path") is not None or body.get("upload") is not None
        wanted = _PlanRequest(self._own.overrides(body), self._own.ordered(body) if has_file else None)
        return json_reply(await asyncio.to_thread(self._plan, wanted))

    def _plan(self, wanted: _PlanRequest) -> dict[str, Any]:
        project = open_project(self._project.settings)  # as it is now: models may have come meanwhile
        key_context = project.key_context()
        try:
            planner = project.planner.with_overrides(wanted.overrides)
            if wanted.ordered is None:
                previews = [StepPreview(step, "new", "") for step in planner.plan().steps]
            else:
                request = MediaRequest(wanted.ordered.media, wanted.overrides)
                admission = Admission(
                    project.planner, project.records(), key_context, project.folders.output,
                    BatchMedia([request.media]),
                )  # fmt: skip
                previews = _previews(project, admission, request, wanted.ordered.digest)
        except (ReelError, OSError) as error:
            raise (
                Refused.by(error)
                if isinstance(error, ReelError)
                else Refused(422, "media.unreadable", f"the file cannot be read: {error.strerror}")
            ) from error
        due = [preview.step for preview in previews if preview.is_due]
        needs = (
            Needs((), (), (), ()) if project.settings.stub else needs_of(due, project.installed, key_context.fallbacks)
        )
        return {"program": REEL, "profile": planner.profile.name, "steps": [*map(_step, previews)], **_needs(needs)}

    async def show_chart(self, request: Request) -> Response:
        """Return the chart of a run: what each worker did when."""
        name = request.path_params["id"]
        svg = await asyncio.to_thread(self._chart, name)
        return Response(svg, headers={"cache-control": "no-cache"}, media_type="image/svg+xml")

    def _chart(self, name: str) -> str:
        project = open_project(self._project.settings)
        try:
            drawn = chart(project.records().history.details(name))
        except ReelError as error:
            raise Refused.by(error, 404) from error
        if drawn is None:
            raise Refused(404, "runs.no-workers", "the run started no worker, so there is nothing to draw")
        return as_svg(drawn, f"reel run {name}")


def _files(folder: str) -> list[Path]:
    return sorted((CONFIG / folder).glob("*.toml"))


def _previews(project: Project, admission: Admission, request: MediaRequest, digest: str) -> list[StepPreview]:
    """Return the preview of each step. Raises `BadInput` and `OSError`."""
    if not digest:
        small = request.media.stat().st_size <= _READ_AT_ONCE
        known = project.store.media(request.media) if small else project.store.known_media(request.media)
        digest = known.digest if known else _UNREAD
    _, previews = admission.preview_request(request, digest)
    return previews


def _step(preview: StepPreview) -> dict[str, Any]:
    return {
        "step": preview.step.id, "stage": preview.step.stage.name, "backend": preview.step.backend_name,
        "verdict": preview.verdict, "reason": preview.why,
    }  # fmt: skip


def _needs(needs: Needs) -> Mapping[str, Any]:
    return {
        "environments": [*needs.environments],
        "models": [asdict(model) for model in needs.models],
        "notes": [*needs.notes],
        "obstacles": [
            {"code": error.code, "message": error.message, "hint": error.hint} for error in needs.obstacles
        ],
    }  # fmt: skip
