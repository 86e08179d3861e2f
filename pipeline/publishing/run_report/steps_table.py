"""Shows the steps of one job with their backends and devices, and in the report on a run with times and memory.

A published report has no times, so that a job that is computed again publishes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.publishing.run_report.html import Html, Part, element, table, together
from pipeline.publishing.run_report.job_facts import JobFacts
from pipeline.store.results import StoredResult
from shared.text.timecode import span

_BAR_WIDTH = 100


def steps_table(facts: JobFacts) -> Html:
    """Return the table of the steps. A reused result has the figures of the run that made it."""
    if not facts.states:
        brief: list[list[Part]] = [[step, _backend(done), _key(done)] for step, done in facts.results.items()]
        return table(("Step", "Backend", "Result"), brief, "Steps")
    head = ("Step", "Backend", "In this run", "Time", "Share", "Speed", "Memory", "Result")
    rows = [list(_row(step, facts)) for step in (*facts.results, *_failed(facts))]
    explanation = element(
        "p", "Times and memory are those of the run that made each result. Speed is in times the length of the file.",
        class_="soft",
    )  # fmt: skip
    return together(explanation, table(head, rows, "Steps", (3, 5, 6)))


def _failed(facts: JobFacts) -> list[str]:
    return [step for step in facts.states if step not in facts.results]


def _row(step: str, facts: JobFacts) -> Iterator[Part]:
    result = facts.results.get(step)
    yield step
    yield _backend(result) if result else ""
    yield facts.states.get(step, "")
    if result is None:
        yield from ("", "", "", "", "")
        return
    yield span(result.seconds)
    yield _bar(result.seconds, facts.seconds)
    speed = facts.length_ms / 1000 / result.seconds if result.seconds else 0
    yield f"{speed:.{1 if speed < 100 else 0}f}x" if speed else ""
    yield f"{result.memory_mb:.0f} MB" if result.memory_mb else ""
    yield _key(result)


def _backend(result: StoredResult) -> str:
    device = str(result.ingredients.get("device") or "")
    return f"{result.ingredients['backend']}{f' on {device}' if device not in {'', 'cpu'} else ''}"


def _key(result: StoredResult) -> Html:
    return element("code", result.key[:12], class_="short")


def _bar(seconds: float, total: float) -> Html:
    width = max(round(_BAR_WIDTH * seconds / total), 1) if total else 0
    bar = element("rect", width=width, height=8)
    return element(
        "svg", bar, viewBox=f"0 0 {_BAR_WIDTH} 8", class_="bar", preserveAspectRatio="none", aria_hidden="true"
    )
