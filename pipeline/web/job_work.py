"""Tells how far the jobs at work are, from the events of their run: steps, text so far, notices and failures."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

_LINES = 200
"""So many of the newest lines of text are kept for a job: a page shows the end, and the rest will be in a file."""

_STEP_STATES = {
    "StepWaiting": "waiting", "StepStarted": "running", "StepReused": "reused", "StepDone": "done",
    "StepFailedEvent": "failed", "StepSkipped": "skipped",
}  # fmt: skip
_OF_STEP = ("backend", "reason", "media_ms", "seconds", "waits_for")
_OF_FAILURE = ("step", "code", "message", "hint", "log", "log_lines")


class JobWork:
    """Progress of one job. `run` is the id of the run that works on it."""

    def __init__(self, run: str | None) -> None:
        self._run = run
        self._steps: dict[str, dict[str, Any]] = {}
        self._text: deque[dict[str, Any]] = deque(maxlen=_LINES)
        self._notices: list[str] = []
        self._failures: list[dict[str, Any]] = []
        self._checked: list[dict[str, Any]] = []

    def note(self, kind: str, event: Mapping[str, Any]) -> None:
        """Note what an event of the job's run tells."""
        match kind:
            case "ItemStarted":
                self._steps = {name: {"step": name, "state": "planned"} for name in event["plan"]}
            case "StepProgress":
                self._step(event)["done"] = event["done"]
            case "StepPartial":
                self._text.append({name: event[name] for name in ("step", "start_ms", "end_ms", "text")})
            case "Notice":
                self._notices.append(event["text"])
            case "Checked":
                self._checked.append({name: event[name] for name in ("language", "cues", "over_limits")})
            case _ if kind in _STEP_STATES:
                self._step_changes(kind, event)

    def data(self) -> dict[str, Any]:
        """Return the progress as JSON for programs; steps are in the order of the plan."""
        return {
            "run": self._run, "steps": [*self._steps.values()], "text": [*self._text], "notices": self._notices,
            "failures": self._failures, "checked": self._checked,
        }  # fmt: skip

    def _step(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return self._steps.setdefault(event["step"], {"step": event["step"], "state": "planned"})

    def _step_changes(self, kind: str, event: Mapping[str, Any]) -> None:
        step = self._step(event)
        step.pop("waits_for", None)
        step |= {"state": _STEP_STATES[kind], **{name: event[name] for name in _OF_STEP if name in event}}
        if kind == "StepStarted":
            step["started_ms"] = time.time_ns() // 1_000_000
            self._text = deque((line for line in self._text if line["step"] != event["step"]), maxlen=_LINES)
        elif kind == "StepFailedEvent":
            self._failures.append({name: event[name] for name in _OF_FAILURE})


class WorkBoard:
    """Progress of all jobs at work, and what their run is setting up."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobWork] = {}
        self._set_up: dict[str, dict[str, Any]] = {}
        self._run: str | None = None

    def note(self, kind: str, event: Mapping[str, Any]) -> None:
        """Note what an event tells. A notice that concerns no job concerns all of them."""
        name = event.get("job")
        match kind:
            case "RunStarted":
                self._run = event["run"]
            case "SetupStarted":
                self._set_up[event["what"]] = {"what": event["what"], "done_bytes": 0, "total_bytes": event["bytes"]}
            case "SetupProgress":
                self._set_up[event["what"]] = dict(event)
            case "SetupFinished" | "SetupFailed":
                self._set_up.pop(event["what"], None)
            case "Notice" if name is None:
                for work in self._jobs.values():
                    work.note(kind, event)
            case _ if name is not None:
                self._jobs.setdefault(name, JobWork(self._run)).note(kind, event)

    def of(self, name: str) -> dict[str, Any] | None:
        """Return the progress of a job at work; None if nothing was told of it."""
        return self._jobs[name].data() if name in self._jobs else None

    def end(self, name: str) -> dict[str, Any] | None:
        """Return the progress of a job that has ended, and forget it here."""
        work = self._jobs.pop(name, None)
        return work.data() if work else None

    def clear(self) -> None:
        """Forget everything: the process that worked is gone."""
        self._jobs.clear()
        self._set_up.clear()
        self._run = None

    def data(self) -> dict[str, Any]:
        """Return everything as JSON for programs."""
        return {"jobs": {name: work.data() for name, work in self._jobs.items()}, "set_up": [*self._set_up.values()]}
