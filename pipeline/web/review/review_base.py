"""Reads the published results that a review begins with: which contents show what, by their digests."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePath

from pydantic import JsonValue

from pipeline.publishing.record import Job, read_job
from pipeline.store.results import ResultStore, StoredFile, StoredResult
from pipeline.web.refused import Refused
from shared.documents.base import Document, DocumentError, Frozen
from shared.documents.cue import Cue, CueSheet
from shared.documents.media import Media
from shared.documents.speech import Region
from shared.documents.transcript import Segment, Transcript
from shared.text.guide_limits import GuideParams

_FILES, _SUBTITLE = "files", "subtitle"
_ID_DIGITS, _BASE_DIGITS = 16, 12
_ID = re.compile(f"[0-9a-f]{{{_ID_DIGITS}}}")


TRANSCRIPT = "transcript"
"""The kind of the one track of results without subtitles: each segment of the transcript stands as a cue."""
_NO_LIMITS: dict[str, int | float] = {
    "line_length": 100_000, "lines": 100, "reading_speed": 1000.0, "min_duration_ms": 1, "max_duration_ms": 360_000_000,
    "gap_ms": 0, "chain_below_ms": 0, "shot_zone_ms": 0,
}  # fmt: skip


class ReviewTrack(Frozen):
    """A track of cues. `id` is its language, with its kind if that is not `full`; `step` made it, `files` show it.
    `sheet` and `report` are digests, `limits` those of `shared.text.guide_limits.Limits`. The `kind` may be
    `TRANSCRIPT`."""

    id: str
    step: str
    language: str
    kind: str
    spoken: bool
    files: tuple[str, ...]
    sheet: str
    report: str | None
    limits: dict[str, int | float]

    @property
    def origin(self) -> str:
        """Return the output that the files show, as `step.role`."""
        return f"{self.step}.{TRANSCRIPT if self.kind == TRANSCRIPT else _FILES}"

    @property
    def edit_name(self) -> str:
        """Return the name of a corrected sheet of the track."""
        return PurePath(self.files[0]).with_suffix(".json").name if self.files else f"{self.id}.json"

    def read(self, path: Path) -> CueSheet:
        """Return a content of the track as cues. Raises `DocumentError`, `OSError`."""
        if self.kind != TRANSCRIPT:
            return CueSheet.read(path)
        transcript = Transcript.read(path)
        return CueSheet(language=transcript.language, cues=tuple(map(cue_of, transcript.segments)))


class ReviewBase(Document):
    """Everything that a review is made from. The names of contents are digests; None for one that is not there."""

    folder: str
    media: str
    media_sha256: str
    recipe: str
    profile: str
    language: str
    tracks: tuple[ReviewTrack, ...]
    transcript: str | None
    transcript_name: str = ""
    transcript_origin: str = ""
    rttm: str | None = None
    removed: str | None = None
    shots: str | None = None
    info: str | None = None
    speech: str | None = None
    has_sound: bool = True  # the run has listened to it, whether or not it is kept

    @property
    def id(self) -> str:
        """Return the name of the review, made from its folder."""
        return review_id(Path(self.folder))

    @property
    def digest(self) -> str:
        """Return the name of these contents, which a changed content changes."""
        digests = [*(track.sheet for track in self.tracks), self.transcript or ""]
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:_BASE_DIGITS]

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the digests of the contents that a draft needs until it is applied."""
        texts = [self.transcript, self.rttm, self.removed, self.shots, self.info]
        sheets = [digest for track in self.tracks for digest in (track.sheet, track.report)]
        return tuple(digest for digest in (*sheets, *texts) if digest)


def cue_of(segment: Segment) -> Cue:
    """Return a segment of a transcript as a cue."""
    spoken = Region(start_ms=segment.start_ms, end_ms=segment.end_ms)
    return Cue(
        start_ms=segment.start_ms, end_ms=segment.end_ms, lines=(segment.text.strip(),), speaker=segment.speaker,
        spoken=spoken,
    )  # fmt: skip


def review_id(folder: Path) -> str:
    """Return the name under which a published folder is reviewed."""
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:_ID_DIGITS]


def is_review(name: str) -> bool:
    """Tell whether a name is one that `review_id` gives."""
    return _ID.fullmatch(name) is not None


def read_base(folder: Path, store: ResultStore) -> ReviewBase:
    """Return what a published folder holds. Reads the disk. Raises `Refused`."""
    job = read_job(folder)
    if job is None:
        raise Refused(410, "review.gone", "the published files are not there any more", "run the file again")
    results = {step: store.manifest(str(facts.get("key"))) for step, facts in job.steps.items()}
    shown = {name: origin for name, origin in job.origins.items() if name in job.files}
    roles = {origin.rpartition(".")[2]: (name, origin) for name, origin in sorted(shown.items(), reverse=True)}
    transcript, origin = roles.get("transcript", ("", ""))
    base = ReviewBase(
        folder=str(folder), media=job.media, media_sha256=job.media_sha256, recipe=job.recipe, profile=job.profile,
        language=_language(job, origin), tracks=_tracks(job, shown, results, store),
        transcript=_there(job.files.get(transcript), store), transcript_name=Path(transcript).name,
        transcript_origin=origin, rttm=_published(job, roles, "rttm", store),
        removed=_published(job, roles, "removed", store), shots=_there(_output(results, "shots", "shots"), store),
        info=_there(_output(results, "demux", "media"), store),
        speech=_there(_output(results, "demux", "speech"), store),
        has_sound="demux" in job.steps,
    )  # fmt: skip
    if not base.tracks and base.transcript:
        only = ReviewTrack(
            id=base.language, step=origin.rpartition(".")[0], language=base.language, kind=TRANSCRIPT, spoken=True,
            files=(transcript,), sheet=base.transcript, report=None, limits=_NO_LIMITS,
        )  # fmt: skip
        return base.model_copy(update={"tracks": (only,)})
    if not base.tracks:
        hint = "run the file again with the same settings: only what is missing is made"
        raise Refused(410, "review.gone", "the results that a review needs were deleted", hint)
    return base


def _tracks(
    job: Job, shown: Mapping[str, str], results: Mapping[str, StoredResult | None], store: ResultStore
) -> tuple[ReviewTrack, ...]:
    """Return the subtitle tracks whose cues are there: the spoken language first, then as the steps come."""
    frame_rate = _frame_rate(_there(_output(results, "demux", "media"), store), store)
    tracks: list[ReviewTrack] = []
    for step, result in results.items():
        if result is None or result.ingredients.get("stage") != _SUBTITLE:
            continue
        files = tuple(sorted(name for name, origin in shown.items() if origin == f"{step}.{_FILES}"))
        cues, report = result.outputs.get("cues"), result.outputs.get("report")
        published = files or any(origin == f"{step}.report" for origin in shown.values())
        if not published or not isinstance(cues, StoredFile) or not _there(cues.sha256, store):
            continue
        language, kind = _language(job, f"{step}."), str(result.facts.get("kind") or "full")
        name = language if kind == "full" else f"{language}.{kind}"
        while any(track.id == name for track in tracks):
            name += "-2"
        params = result.ingredients.get("params")
        tracks.append(ReviewTrack(
            id=name, step=step, language=language, kind=kind, spoken=":" not in step, files=files, sheet=cues.sha256,
            report=_there(report.sha256, store) if isinstance(report, StoredFile) else None,
            limits=_limits(params if isinstance(params, dict) else {}, language, frame_rate),
        ))  # fmt: skip
    return tuple(sorted(tracks, key=lambda track: not track.spoken))


def _limits(params: Mapping[str, JsonValue], language: str, frame_rate: float | None) -> dict[str, int | float]:
    known = {name: value for name, value in params.items() if name in GuideParams.model_fields}
    return asdict(GuideParams.model_validate(known).limits(language, frame_rate))


def _language(job: Job, origin: str) -> str:
    """Return the language that the step of an origin states."""
    facts = job.steps.get(origin.rpartition(".")[0], {}).get("facts")
    return str(facts.get("language") or "und") if isinstance(facts, dict) else "und"


def _frame_rate(info: str | None, store: ResultStore) -> float | None:
    if info is None:
        return None
    try:
        picture = Media.read(store.object_path(info)).picture
    except (OSError, DocumentError):
        return None
    return picture.frame_rate if picture else None


def _output(results: Mapping[str, StoredResult | None], step: str, role: str) -> str | None:
    result = results.get(step)
    output = result.outputs.get(role) if result else None
    return output.sha256 if isinstance(output, StoredFile) else None


def _published(job: Job, roles: Mapping[str, tuple[str, str]], role: str, store: ResultStore) -> str | None:
    return _there(job.files.get(roles[role][0]), store) if role in roles else None


def _there(digest: str | None, store: ResultStore) -> str | None:
    return digest if digest and store.object_path(digest).is_file() else None
