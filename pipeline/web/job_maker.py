"""Makes a job from what a request asks for, and refuses at once what no run could do."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput, Missing, UsageError
from pipeline.base.setting_names import SHORT_NAMES, STAGES
from pipeline.base.settings import check_override
from pipeline.engine.library.chosen_subtitle import names_a_file
from pipeline.engine.planner import Planner
from pipeline.plan.registry import PARAMETERS
from pipeline.web.job_queue import NewJob, Place
from pipeline.web.media_roots import MediaRoots
from pipeline.web.refused import Refused
from shared.text.language_names import split_languages

_NAME = re.compile(r"[\w.-]+")
_NAMES = ("recipe", "profile", "guide")  # a file may be named for them at the command line, by a request it may not
_CHECKED = 256


@dataclass(frozen=True)
class Ordered:
    """The facts that a job is made of: file, name for people, place of the results, and the interface that asked."""

    media: Path
    label: str
    place: Place
    source: str
    priority: float = 0.0
    digest: str = ""  # of an uploaded file


class JobMaker:
    """Maker of jobs under the server's settings."""

    def __init__(self, planner: Planner, roots: MediaRoots) -> None:
        self._planner, self._roots = planner, roots
        self._checked: dict[str, Refused | None] = {}

    @property
    def planner(self) -> Planner:
        """Return the planner under the server's settings."""
        return self._planner

    def overrides(self, fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return settings of one job by their dotted names, from the short names that a list of media files takes.
        Raises `Refused`."""
        overrides: dict[str, JsonValue] = {"recipe": self._planner.settings.recipe}
        for name, value in fields.items():
            if value is None:
                continue
            full = SHORT_NAMES.get(name, name)
            full = f"{STAGES}.{full}" if "." in full and not full.startswith(f"{STAGES}.") else full
            try:
                check_override(full, PARAMETERS)
            except UsageError as error:
                raise Refused.by(error, param=name) from error
            if full in _NAMES and not (isinstance(value, str) and _NAME.fullmatch(value)):
                raise Refused(422, "serve.name", f"`{name}` must be a name", param=name)
            if full == "glossary" or (full == "subtitles" and names_a_file(str(value))):
                value = str(self._roots.find(str(value)))
            overrides[full] = split_languages(value) if full == "to" and isinstance(value, str) else value  # type: ignore[assignment]
        self._check(overrides)
        return overrides

    def job(self, ordered: Ordered, overrides: Mapping[str, JsonValue]) -> NewJob:
        """Return the job for a media file and its settings."""
        try:
            status = ordered.media.stat()
        except OSError as error:
            raise Refused(404, "media.missing", "the media file is not there") from error
        content = ordered.digest or f"{ordered.media}|{status.st_size}|{status.st_mtime_ns}"
        ingredients = json.dumps([content, dict(overrides), ordered.place], sort_keys=True)
        same = hashlib.sha256(ingredients.encode()).hexdigest()
        return NewJob(
            ordered.media, ordered.label, overrides, ordered.place, ordered.source, same, ordered.priority
        )  # fmt: skip

    def _check(self, overrides: Mapping[str, JsonValue]) -> None:
        """Make the plan, which finds a mistake in any setting. Raises `Refused`."""
        name = json.dumps(overrides, sort_keys=True)
        if name not in self._checked:
            if len(self._checked) >= _CHECKED:
                self._checked.clear()
            self._checked[name] = self._mistake(overrides)
        if refused := self._checked[name]:
            raise refused

    def _mistake(self, overrides: Mapping[str, JsonValue]) -> Refused | None:
        try:
            self._planner.with_overrides(overrides).plan()
        except (UsageError, BadInput, Missing) as error:
            return Refused.by(error)
        return None
