"""The result of a batch: as text for a user, as paths for a script, as data for a program."""

from __future__ import annotations

from collections import Counter

from pydantic import JsonValue

from pipeline.base.display import counted
from pipeline.base.display_paths import as_text, shown
from pipeline.base.errors import EXIT_OK, EXIT_SOME_FAILED
from pipeline.base.events import Checked
from pipeline.cli.arguments import CommandResult, table
from pipeline.engine.batch import BatchResult
from pipeline.engine.item import ItemResult
from shared.language_model import NO_USAGE

SUMMARISED = ("auto", "plain", "verbose")
"""The kinds of progress after which a batch is summarised."""


def result_of(result: BatchResult) -> CommandResult:
    """Return the result of the command: as text the published files, one a line, for scripts; as data everything."""
    text = "\n".join(shown(path) for item in result.items if item.published for path in item.published.files)
    errors = tuple(item.error for item in result.failed if item.error)
    return CommandResult(_data(result), text, _exit_code(result), errors)


def summary(result: BatchResult) -> str:
    """Return the number of files by outcome, the subtitles over the limits of the guide, and the reasons of
    failures."""
    counts = Counter(item.state for item in result.items)
    words = [f"{counts[state]} {state}" for state in ("done", "reused", "failed", "skipped") if counts[state]]
    rows = [(item.name, item.state, _why(item)) for item in result.items if item.state in {"failed", "skipped"}]
    files = ": ".join(filter(None, [counted(len(result.items), "file"), ", ".join(words)]))
    checked = [check for item in result.items for check in item.checked]
    cues, over = sum(check.cues for check in checked), sum(check.over_limits for check in checked)
    quality = [f"{counted(cues, 'cue')}, {over} over the limits of their guide"] if checked else []
    return "\n".join([files, *quality, *([table(rows)] if rows else [])])


def service_usage(result: BatchResult) -> str | None:
    """Return the total use of services as a sentence; None if no service was used."""
    usage = sum((item.usage for item in result.items), NO_USAGE)
    costs = [item.cost for item in result.items if item.cost is not None]
    if not usage.requests:
        return None
    text = f"asked of services: {usage.requests} requests, {usage.input_tokens} tokens sent, {usage.output_tokens} back"
    return f"{text}, {sum(costs):.4f} at your prices" if costs else text


def _why(item: ItemResult) -> str:
    if item.error:
        failure = f"{item.error.message.splitlines()[0]} [{item.error.code}]"
        without = sorted({origin.rpartition(".")[0] for origin in item.missing})
        return f"published without {', '.join(without)}: {failure}" if item.published and without else failure
    return item.reason or "another failed before it"


def _exit_code(result: BatchResult) -> int:
    if not result.failed:
        return EXIT_OK
    if len(result.items) > 1:
        return EXIT_SOME_FAILED
    error = result.failed[0].error
    return error.exit_code if error else EXIT_OK


def _data(result: BatchResult) -> JsonValue:
    counts: dict[str, JsonValue] = dict(Counter(item.state for item in result.items))
    return {"items": [_item_data(item) for item in result.items], "counts": counts}


def _item_data(item: ItemResult) -> JsonValue:
    files: list[JsonValue] = [str(path) for path in item.published.files] if item.published else []
    renamed = zip(item.published.renamed, item.published.theirs, strict=True) if item.published else ()
    return {
        "name": item.name,
        "media": as_text(item.media),
        "state": item.state,
        "steps_run": item.steps_run,
        "seconds": round(item.seconds, 3),
        "services": {**item.usage.model_dump(), "cost": item.cost} if item.usage.requests else None,
        "folder": str(item.published.folder) if item.published else None,
        "files": files,
        "missing": dict(item.missing),
        "renamed": {str(ours): str(theirs) for ours, theirs in renamed},
        "checked": [_check_data(check) for check in item.checked],
        "error": item.error.code if item.error else None,
        "reason": item.error.message if item.error else item.reason or None,
    }


def _check_data(check: Checked) -> JsonValue:
    rules: dict[str, JsonValue] = dict(check.rules)
    return {
        "step": check.step,
        "language": check.language,
        "cues": check.cues,
        "over_limits": check.over_limits,
        "rules": rules,
    }
