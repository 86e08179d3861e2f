"""`reel plan`: show what `run` would do and why."""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from pipeline.base.display import one_line
from pipeline.base.display_paths import as_text
from pipeline.base.errors import EXIT_OK, EXIT_SOME_FAILED, BadInput, ReelError
from pipeline.cli.arguments import CommandResult, project_of, requests_of, selecting, table, walk_of
from pipeline.cli.options.jobs import PlanMedia
from pipeline.cli.plan_needs import needs_data, needs_texts
from pipeline.engine.admission import Admission, check_media, unreadable
from pipeline.engine.costs import Estimate, estimates
from pipeline.engine.folder_walk import describe_skipped
from pipeline.engine.item import Item
from pipeline.engine.library.chosen_subtitle import SubtitleChooser
from pipeline.engine.library.skip_existing import ExistingFilter, open_chooser
from pipeline.engine.media_list import Request
from pipeline.engine.preview import StepPreview, published_before
from pipeline.engine.project import Project
from pipeline.engine.set_up_needs import needs_of
from pipeline.plan.result_key import short
from pipeline.publishing.batch_media import BatchMedia
from pipeline.store.results import ResultStore
from shared.language_model import Usage


def plan(arguments: PlanMedia) -> CommandResult:
    """Preview the plan of every media file; writes nothing."""
    project = selecting(project_of(arguments), arguments)
    items: list[JsonValue] = []
    without = "" if project.settings.makes_film else ", no copy of the film"
    due: list[StepPreview] = []
    asked: list[tuple[str, Estimate]] = []
    walk = walk_of(project)
    requests = requests_of(arguments, Path.cwd(), walk)
    texts = [f"recipe {project.settings.recipe}, profile {project.planner.profile.name}{without}"]
    texts += filter(None, [describe_skipped(walk.passed)])
    admission = _checked_admission(project, requests)
    passing, chooser = _passing(project, admission, requests), _chooser(project)
    refused: list[ReelError] = []
    for request in requests:
        try:
            check_media(request.media)
            request, skipped = passing.decide(request) if passing else (request, "")
            if skipped:
                name = admission.name(request.media)
                items.append({"name": name, "media": str(request.media), "steps": [], "skipped": skipped})
                texts.append(f"{name}\nskipped: {skipped}")
                continue
            item, previews = _look_at(chooser.choose(request), project.store, admission)
        except (BadInput, OSError) as error:
            refused.append(error if isinstance(error, BadInput) else unreadable(request.media, error))
            if len(requests) == 1:
                raise refused[0] from error
            name, code = admission.name(request.media), refused[-1].code
            items.append({"name": name, "media": as_text(request.media), "steps": [], "error": code})
            texts.append(f"{one_line(name)}\nwould fail: {refused[-1].message} [{code}]")
            continue
        due += [preview for preview in previews if preview.verdict != "reused"]
        asked += [(item.name, estimate) for estimate in estimates(previews, project.store)]
        places: dict[str, JsonValue] = {"media": str(item.media), "folder": str(item.folder)}
        items.append({"name": item.name, **places, "steps": [_data(preview) for preview in previews]})
        texts.append(f"{one_line(item.name)}\n{_listed(previews, explain=arguments.explain)}")
    needs = needs_of([preview.step for preview in due], project.installed, admission.surroundings.fallbacks)
    texts += needs_texts(needs)
    texts += [f"estimated use of services:\n{table([_told(*estimate) for estimate in asked])}"] if asked else []
    data: dict[str, JsonValue] = {
        "recipe": project.settings.recipe,
        "profile": project.planner.profile.name,
        "film": project.settings.makes_film,
        "items": items,
        "passed_over": dict(walk.passed),
        **needs_data(needs),
        "services": [_service(*estimate) for estimate in asked],
    }
    return CommandResult(data, "\n\n".join(texts), EXIT_SOME_FAILED if refused else EXIT_OK, tuple(refused))


def _checked_admission(project: Project, requests: list[Request]) -> Admission:
    """Return what prepares the items of these requests. Raises `UsageError` for settings that cannot be."""
    batch = BatchMedia(request.media for request in requests)
    records, surroundings = project.records(), project.surroundings()
    admission = Admission(project.planner, records, surroundings, project.folders.output, batch)
    admission.check(requests)
    return admission


def _passing(project: Project, admission: Admission, requests: list[Request]) -> ExistingFilter | None:
    """Return what decides which files are passed over, where the settings ask for that."""
    if not project.settings.skip_existing:
        return None
    passing = ExistingFilter(project.installed, project.store.index, admission)
    passing.look_ahead(requests)
    return passing


def _chooser(project: Project) -> SubtitleChooser:
    """Return what chooses the existing subtitle of each film."""
    return open_chooser(project.installed, project.store.index, project.planner)


def _look_at(request: Request, store: ResultStore, admission: Admission) -> tuple[Item, list[StepPreview]]:
    """Return the item of a request and what a run would do for it. Raises `BadInput` and `OSError`."""
    digest = store.media(request.media).digest
    if before := admission.finished(request, digest):
        return before[0], published_before(before[0].plan, before[1].keys)
    item = admission.item(request, digest)
    return item, admission.preview(item)


def _listed(previews: list[StepPreview], *, explain: bool) -> str:
    rows = [(p.step.id, p.step.backend_name, p.verdict, p.why) for p in previews]
    return _explained(previews) if explain else table(rows)


def _explained(previews: list[StepPreview]) -> str:
    """Return each step, with every ingredient of its key that has changed since it last ran for this file."""
    lines = []
    for preview in previews:
        lines.append(f"{preview.step.id}  {preview.step.backend_name}  {preview.verdict}")
        changed = [(f"  {change.place}", f"{short(change.old)} -> {short(change.new)}") for change in preview.changes]
        lines += table(changed).splitlines() or [f"  {preview.reason}"]
        if preview.changes and (waiting := sorted(preview.step.needs & _due(previews))):
            lines.append(f"  and what {', '.join(waiting)} will give")
    return "\n".join(lines)


def _due(previews: list[StepPreview]) -> set[str]:
    return {preview.step.id for preview in previews if preview.verdict != "reused"}


def _data(preview: StepPreview) -> JsonValue:
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


def _told(name: str, estimate: Estimate) -> tuple[str, ...]:
    """Return an estimate as a row."""
    usage = estimate.usage
    if usage is None:
        amount = "not known until the media file has been read"
    else:
        amount = f"{usage.requests} requests, {usage.input_tokens} tokens sent, {usage.output_tokens} back"
    amount += f", {estimate.cost:.4f} at your prices" if estimate.cost is not None else ""
    return name, estimate.step, estimate.asked.host, amount


def _service(name: str, estimate: Estimate) -> JsonValue:
    usage = estimate.usage.model_dump() if estimate.usage else dict.fromkeys(Usage.model_fields)
    return {"name": name, "step": estimate.step, "host": estimate.asked.host, **usage, "cost": estimate.cost}
