"""`reel plan`: show what `run` would do, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.display import one_line
from pipeline.base.display_paths import as_text
from pipeline.base.errors import EXIT_OK, EXIT_SOME_FAILED, BadInput, ReelError
from pipeline.cli.arguments import CommandResult, project_of, requests_of, selecting, table, walk_of
from pipeline.cli.options.jobs import PlanMedia
from pipeline.cli.plan_needs import needs_data, needs_texts
from pipeline.engine.admission import Admission
from pipeline.engine.costs import Estimate, estimates
from pipeline.engine.folder_walk import describe_skipped
from pipeline.engine.library.skip_existing import ExistingFilter, open_chooser
from pipeline.engine.media_list import Request, check_media, unreadable
from pipeline.engine.preview import StepPreview
from pipeline.engine.project import Project
from pipeline.engine.set_up import needs_of
from pipeline.plan.result_key import short
from pipeline.publishing.batch_media import BatchMedia
from shared.language_model import Usage


@dataclass(frozen=True)
class _FilePreview:
    """Preview of one media file: `entry` for `--json`, the same as text, and the error that a run would report."""

    entry: dict[str, JsonValue]
    text: str
    due: tuple[StepPreview, ...] = ()  # steps that a run would do
    estimates: tuple[tuple[str, Estimate], ...] = ()  # use of services, each with the name of the file
    error: ReelError | None = None


def plan(arguments: PlanMedia) -> CommandResult:
    """Preview the plan of every media file; writes nothing."""
    project = selecting(project_of(arguments), arguments)
    walk = walk_of(project)
    requests = requests_of(arguments, Path.cwd(), walk)
    admission = _checked_admission(project, requests)
    previewer = _Previewer(project, admission, requests, explain=arguments.explain)
    files = [previewer.preview(request) for request in requests]
    errors = tuple(file.error for file in files if file.error)
    if errors and len(requests) == 1:
        raise errors[0]
    due = [preview.step for file in files for preview in file.due]
    needs = needs_of(due, project.installed, admission.key_context.fallbacks)
    asked = [estimate for file in files for estimate in file.estimates]
    film = "" if project.settings.makes_film else ", no copy of the film"
    texts = [f"recipe {project.settings.recipe}, profile {project.planner.profile.name}{film}"]
    texts += filter(None, [describe_skipped(walk.passed)])
    texts += [*(file.text for file in files), *needs_texts(needs)]
    texts += [f"estimated use of services:\n{table([_service_row(*estimate) for estimate in asked])}"] if asked else []
    data: dict[str, JsonValue] = {
        "recipe": project.settings.recipe,
        "profile": project.planner.profile.name,
        "film": project.settings.makes_film,
        "items": [file.entry for file in files],
        "passed_over": dict(walk.passed),
        **needs_data(needs),
        "services": [_service_data(*estimate) for estimate in asked],
    }
    return CommandResult(data, "\n\n".join(texts), EXIT_SOME_FAILED if errors else EXIT_OK, errors)


def _checked_admission(project: Project, requests: Sequence[Request]) -> Admission:
    """Return the admission of these requests. Raises `UsageError` for settings that cannot be."""
    batch = BatchMedia(request.media for request in requests)
    records, key_context = project.records(), project.key_context()
    admission = Admission(project.planner, records, key_context, project.folders.output, batch)
    admission.check(requests)
    return admission


class _Previewer:
    """Previews the media files of one command."""

    def __init__(self, project: Project, admission: Admission, requests: Sequence[Request], *, explain: bool) -> None:
        self._store, self._admission, self._explain = project.store, admission, explain
        self._chooser = open_chooser(project.installed, project.store.index, project.planner)
        self._existing: ExistingFilter | None = None
        if project.settings.skip_existing:
            self._existing = ExistingFilter(project.installed, project.store.index, admission)
            self._existing.look_ahead(requests)

    def preview(self, request: Request) -> _FilePreview:
        """Return the preview of a media file. An error about the file is part of it."""
        try:
            return self._preview(request)
        except BadInput as error:
            return self._failed(request, error)
        except OSError as error:
            return self._failed(request, unreadable(request.media, error))

    def _preview(self, request: Request) -> _FilePreview:
        check_media(request.media)
        request, skipped = self._existing.decide(request) if self._existing else (request, "")
        if skipped:
            name = self._admission.name(request.media)
            entry: dict[str, JsonValue] = {"name": name, "media": str(request.media), "steps": [], "skipped": skipped}
            return _FilePreview(entry, f"{name}\nskipped: {skipped}")
        request = self._chooser.choose(request)
        item, previews = self._admission.preview_request(request, self._store.media(request.media).digest)
        entry = {"name": item.name, "media": str(item.media), "folder": str(item.folder)}
        entry["steps"] = [_step_data(preview) for preview in previews]
        listed = _explained(previews) if self._explain else table([_step_row(preview) for preview in previews])
        return _FilePreview(
            entry,
            f"{one_line(item.name)}\n{listed}",
            tuple(preview for preview in previews if preview.is_due),
            tuple((item.name, estimate) for estimate in estimates(previews, self._store)),
        )

    def _failed(self, request: Request, error: BadInput) -> _FilePreview:
        name = self._admission.name(request.media)
        entry: dict[str, JsonValue] = {
            "name": name, "media": as_text(request.media), "steps": [], "error": error.code,
        }  # fmt: skip
        text = f"{one_line(name)}\nwould fail: {error.message} [{error.code}]"
        return _FilePreview(entry, text, error=error)


def _step_row(preview: StepPreview) -> tuple[str, ...]:
    return preview.step.id, preview.step.backend_name, preview.verdict, preview.why


def _explained(previews: Sequence[StepPreview]) -> str:
    """Return each step, with every ingredient of its key that has changed since it last ran for this file."""
    due = {preview.step.id for preview in previews if preview.is_due}
    lines = []
    for preview in previews:
        lines.append(f"{preview.step.id}  {preview.step.backend_name}  {preview.verdict}")
        changed = [(f"  {change.place}", f"{short(change.old)} -> {short(change.new)}") for change in preview.changes]
        lines += table(changed).splitlines() or [f"  {preview.reason}"]
        if preview.changes and (waiting := sorted(preview.step.needs & due)):
            lines.append(f"  and what {', '.join(waiting)} will give")
    return "\n".join(lines)


def _step_data(preview: StepPreview) -> JsonValue:
    return {
        "step": preview.step.id,
        "stage": preview.step.stage.name,
        "backend": preview.step.backend_name,
        "choice": preview.step.choice or None,
        "verdict": preview.verdict,
        "reason": preview.why,
        "key": preview.key,
        "changes": [{"ingredient": change.place, "old": change.old, "new": change.new} for change in preview.changes],
    }


def _service_row(name: str, estimate: Estimate) -> tuple[str, ...]:
    """Return an estimate as a row of a table."""
    usage = estimate.usage
    if usage is None:
        amount = "not known until the media file has been read"
    else:
        amount = f"{usage.requests} requests, {usage.input_tokens} tokens sent, {usage.output_tokens} back"
    amount += f", {estimate.cost:.4f} at your prices" if estimate.cost is not None else ""
    return name, estimate.step, estimate.service.host, amount


def _service_data(name: str, estimate: Estimate) -> JsonValue:
    usage = estimate.usage.model_dump() if estimate.usage else dict.fromkeys(Usage.model_fields)
    return {"name": name, "step": estimate.step, "host": estimate.service.host, **usage, "cost": estimate.cost}
