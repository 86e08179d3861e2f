"""Finds the existing subtitles of a film, in files beside it and in tracks inside, and compares them with the requested
languages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.settings import Settings
from pipeline.engine.library.sidecars import Sidecar, Sidecars
from pipeline.engine.library.tracks import InnerTrack, TrackIndex
from pipeline.plan.model import Plan
from pipeline.plan.registry import ASR, DEMUX, SUBTITLE, choose_track, stage_named
from pipeline.publishing.beside import JOBS
from pipeline.publishing.film_records import own_names
from pipeline.publishing.names import alike
from pipeline.publishing.record import JOB, read_job
from shared.documents.media import Probe, Track
from shared.stage import Params, StageError
from shared.text.language import is_covered, language_of_track


@dataclass(frozen=True)
class RequestedSubtitles:
    """Subtitles that a job requests. Without targets, they are in the spoken language: `spoken` if the user states it,
    else that of the audio track that `sound`, the parameters of `demux`, chooses."""

    targets: tuple[str, ...]
    spoken: str | None
    sound: Params


@dataclass(frozen=True)
class Found:
    """Existing subtitles of a film: their languages `there`, the requested targets that are `missing`, and the `reason`
    for skipping the film, empty if it is not skipped."""

    there: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class _Subtitle:
    """Complete text subtitle, with its language if that is known, and its description for the user."""

    language: str | None
    description: str


def requested_subtitles(plan: Plan) -> RequestedSubtitles | None:
    """Return the subtitles that a plan requests; None if it makes no subtitle files."""
    published = {publication.step for publication in plan.publications if publication.role == "files"}
    steps = [step for step in plan.steps if step.stage.name == SUBTITLE and step.id in published]
    sound = next((step.params for step in plan.steps if step.stage.name == DEMUX), None)
    if not steps or sound is None:
        return None
    asr_params = next((step.params for step in plan.steps if step.stage.name == ASR), None)
    targets = dict.fromkeys(step.target for step in steps if step.target)
    return RequestedSubtitles(tuple(targets), language_of_track(getattr(asr_params, "language", None)), sound)


def requested_sound(settings: Settings) -> Params:
    """Return the parameters that choose the audio track."""
    params = stage_named(DEMUX).params
    chosen = settings.stages.get(DEMUX, {})
    return params.model_validate({name: value for name, value in chosen.items() if name in params.model_fields})


class Existing:
    """Finds subtitles that reel did not write itself."""

    def __init__(self, sidecars: Sidecars, tracks: TrackIndex) -> None:
        self._sidecars, self._tracks = sidecars, tracks

    def forget(self) -> None:
        """Look at the folders again from now on."""
        self._sidecars.forget()

    def look_ahead(self, films: Iterable[tuple[Path, RequestedSubtitles]]) -> None:
        """Forget earlier results, and read the tracks of all films that have to be opened, several at once."""
        self._sidecars.forget()
        self._tracks.look_into([film for film, requested in films if not self._by_names(film, requested)])

    def find(self, film: Path, requested: RequestedSubtitles) -> Found:
        """Return which of the requested subtitles the film has."""
        if found := self._by_names(film, requested):
            return found
        tracks = self._tracks.of(film)
        inside = [_Subtitle(track.language, "a track inside") for track in tracks if track.is_full_text]
        spoken = requested.spoken or language_of_sound(film, tracks, requested.sound)
        return _compare(requested, spoken, [*self._beside(film), *inside])

    def _by_names(self, film: Path, requested: RequestedSubtitles) -> Found | None:
        """Return the subtitles beside the film, if their names alone are a reason to skip it."""
        if not requested.targets and requested.spoken is None:
            return None
        found = _compare(requested, requested.spoken, self._beside(film))
        return found if found.reason else None

    def _beside(self, film: Path) -> list[_Subtitle]:
        return [_Subtitle(subtitle.language, subtitle.name) for subtitle in self.beside(film) if not subtitle.forced]

    def beside(self, film: Path) -> list[Sidecar]:
        """Return the subtitle files beside a film that reel did not write and that are not empty."""
        found = self._sidecars.of(str(film.parent), film.name)
        records = self._sidecars.folders_of(str(film.parent / JOBS), film.name) if found else ()
        ours = own_names(film.parent, records) if found else frozenset()
        return [
            subtitle
            for subtitle in found
            if alike(subtitle.name) not in ours and _has_content(film.parent / subtitle.name)
        ]

    def tracks(self, film: Path) -> Sequence[InnerTrack]:
        """Return the tracks of a film, as far as they are known."""
        return self._tracks.of(film)

    def language_of_sound(self, film: Path, sound: Params) -> str | None:
        """Return the language that the film states for the audio track chosen by `sound`; None if it states none."""
        return language_of_sound(film, self._tracks.of(film), sound)

    def is_ours(self, film: Path) -> bool:
        """Tell whether reel made the film, so that its tracks are reel's own subtitles."""
        job = read_job(film.parent) if (film.parent / JOB).is_file() else None
        return job is not None and film.name in job.names


def _has_content(path: Path) -> bool:
    """Tell whether a file has content; an empty one is only a placeholder."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _compare(requested: RequestedSubtitles, spoken: str | None, there: Sequence[_Subtitle]) -> Found:
    languages = tuple(dict.fromkeys(subtitle.language for subtitle in there if subtitle.language))
    if not requested.targets:
        serving = [
            subtitle
            for subtitle in there
            if spoken is None or subtitle.language is None or is_covered(spoken, subtitle.language)
        ]
        return Found(languages, reason=_skip_reason(serving[:1]) if serving else "")
    serving, missing = [], []
    for target in requested.targets:
        matching = [subtitle for subtitle in there if subtitle.language and is_covered(target, subtitle.language)]
        serving += matching[:1]
        missing += [] if matching else [target]
    return Found(languages, tuple(missing), "" if missing else _skip_reason(serving))


def _skip_reason(serving: Sequence[_Subtitle]) -> str:
    words = [
        f"{subtitle.description} ({subtitle.language})" if subtitle.language else subtitle.description
        for subtitle in serving
    ]
    return f"has subtitles already: {', '.join(words)}"


def language_of_sound(film: Path, tracks: Sequence[InnerTrack], sound: Params) -> str | None:
    """Return the language that the film states for the audio track that a run would take; None if it states none."""
    audio = [
        Track(
            index=number, kind="audio", codec=track.codec, language=track.language, title=track.title or None,
            default="default" in track.flags, commentary=track.is_aside,
        )
        for number, track in enumerate(track for track in tracks if track.kind == "audio")
    ]  # fmt: skip
    probe = Probe(container="", start_ms=0, duration_ms=None, tracks=tuple(audio))
    try:
        return choose_track(film, probe, sound)[0].language  # type: ignore[arg-type]
    except StageError:  # the run itself reports the missing track
        return None
