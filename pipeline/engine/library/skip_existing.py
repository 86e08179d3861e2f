"""Skips the media files of a run that have the requested subtitles: the setting `skip_existing`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from pipeline.base.errors import BadInput, Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.hardware import available_cores
from pipeline.engine.admission import Admission
from pipeline.engine.library.chosen_subtitle import SubtitleChooser, subtitles_mode
from pipeline.engine.library.existing import Existing, RequestedSubtitles, requested_subtitles
from pipeline.engine.library.sidecars import Sidecars
from pipeline.engine.library.tracks import TrackIndex
from pipeline.engine.media_list import Request
from pipeline.engine.planner import Planner
from pipeline.store.index import Index
from pipeline.workers.installation import Installation


def open_chooser(installed: Installation, index: Index, planner: Planner, emit: Emit | None = None) -> SubtitleChooser:
    """Return the chooser of existing subtitles. `emit` is given when a run begins: then ffmpeg is set up if the tracks
    of films matter, so that the first run finds the same subtitles as later ones."""
    if emit and subtitles_mode(planner.settings) == "auto":
        with contextlib.suppress(Missing):  # reported with the first step that needs it
            installed.tools.ensure(installed.tool, emit, offline=installed.settings.offline)
    tracks = TrackIndex(index, _describer(installed), installed.settings.cpus or available_cores())
    return SubtitleChooser(planner, Existing(Sidecars(), tracks))


class ExistingFilter:
    """Decides for each media file of one run whether to skip it. Only films that the index does not know are opened."""

    def __init__(self, installed: Installation, index: Index, admission: Admission) -> None:
        self._admission = admission
        tracks = TrackIndex(index, _describer(installed), installed.settings.cpus or available_cores())
        self._existing = Existing(Sidecars(), tracks)
        self._requested_by_plan: dict[int, RequestedSubtitles | None] = {}

    def look_ahead(self, requests: Sequence[Request]) -> None:
        """Read the films that have to be opened, several at once."""
        by_film = ((request.media, self._requested(request)) for request in requests)
        self._existing.look_ahead((film, requested) for film, requested in by_film if requested)

    def decide(self, request: Request) -> tuple[Request, str]:
        """Return the request without the targets that exist already, and the reason if the file is to be skipped."""
        requested = self._requested(request)
        if requested is None:
            return request, ""
        found = self._existing.find(request.media, requested)
        if found.reason:
            return request, found.reason
        reduced = {"to": list[JsonValue](found.missing)} if found.missing != requested.targets else {}
        return replace(request, overrides={**request.overrides, **reduced}, has=found.there), ""

    def _requested(self, request: Request) -> RequestedSubtitles | None:
        """Return the requested subtitles; None for a media file that is not to be skipped."""
        try:
            plan = self._admission.plan_for(request)
        except (BadInput, UsageError, Missing):  # reported when the file is admitted
            return None
        if request.order or not request.media.is_file() or self._admission.was_published(request):
            return None
        if id(plan) not in self._requested_by_plan:
            self._requested_by_plan[id(plan)] = requested_subtitles(plan)
        return self._requested_by_plan[id(plan)]


def _describer(installed: Installation) -> Callable[[Path], str] | None:
    """Return the function that describes a file with ffmpeg; None if ffmpeg is not set up. A plan sets nothing up, and
    then considers only the files beside films."""
    try:
        installed.tools.program(installed.tool)
    except Missing:
        return None
    return partial(installed.tools.describe, installed.tool)


def open_existing_filter(
    installed: Installation, index: Index, admission: Admission, emit: Emit
) -> ExistingFilter | None:
    """Return the filter of a run; None if the settings do not request one. Raises `Missing`."""
    if not installed.settings.skip_existing:
        return None
    installed.tools.ensure(installed.tool, emit, offline=installed.settings.offline)
    return ExistingFilter(installed, index, admission)
