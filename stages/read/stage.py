"""Read an existing subtitle, from a file or a track of a film: its cues, and its language.

The text of the cues is unchanged. A damaged file is read as far as that is certain, and repairs are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pydantic import Field, field_validator

from shared.documents.cue import Cue, CueSheet, Kind, ReadCues
from shared.stage import Backend, Files, Job, Resources, Stage, StageError
from shared.text.language import UNDETERMINED, english_name, primary
from shared.text.language_names import known_or_none
from shared.text.language_params import LanguageParams


class ReadInputs(Files):
    """`subtitles`: a subtitle file in any format that reel reads, or a film with a text track."""

    subtitles: Path


class ReadParams(LanguageParams):
    """Facts that the file itself may not state."""

    language: str | None = Field(None, description="language of the subtitle, BCP-47; without it, the text tells it")
    kind: Kind = Field("full", description="what the subtitle holds: all dialogue, sounds too, or forced texts alone")
    track: int | None = Field(None, ge=0, description="number of the subtitle track in a film, from 0 among those")
    strict: bool = Field(True, description="fail if the subtitle cannot be read; else give no cues, with a warning")
    common_words: dict[str, tuple[str, ...]] = Field(
        {}, description="by language: short words that every text has, which tell the language"
    )

    _known = field_validator("language")(known_or_none)


class ReadOutputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`, one cue for each cue of the subtitle, in order of time. Cues may
    overlap, and may be before time 0."""

    cues: Path


ReadJob = Job[ReadInputs, ReadParams]


class Engine(Protocol):
    """A backend: it returns the cues, and the language of a text if that is certain. `work` is a folder for its
    files."""

    def read(self, subtitles: Path, params: ReadParams, work: Path) -> ReadCues: ...
    def language_of(self, texts: Sequence[str], params: ReadParams) -> str | None: ...


def run(engine: Engine, job: ReadJob) -> ReadOutputs:
    """Read the cues, and identify their language. Raises `StageError` if that fails and the job is `strict`."""
    try:
        return _read(engine, job)
    except StageError as error:
        if job.params.strict:
            raise
        job.warn(f"the subtitle is not used: {error.message}")
        language = job.params.language or UNDETERMINED
        return _write(job, CueSheet(language=language, kind=job.params.kind, cues=()))


def _read(engine: Engine, job: ReadJob) -> ReadOutputs:
    read = engine.read(job.inputs.subtitles, job.params, job.out_dir)
    for repair in read.repairs:
        job.warn(repair)
    cues = tuple(sorted(read.cues, key=lambda cue: (cue.start_ms, cue.end_ms)))
    texts = [line for cue in cues for line in cue.lines]
    if not texts:
        raise StageError(
            "read.empty",
            "the subtitle should hold cues with text, and holds none",
            "name another file; subtitles that are pictures cannot be read",
        )
    found = engine.language_of(texts, job.params)
    language = job.params.language or found
    if language is None:
        raise StageError(
            "read.language",
            "the language of the subtitle is neither in its name nor plain from its text",
            "say it with `--language`, for example `--language en`",
        )
    if found and primary(found) != primary(language):
        job.warn(
            f"the subtitle is taken for {english_name(language)}, and its text looks like {english_name(found)};"
            f" `--language {found}` says so"
        )
    job.note("language_from", "name or user" if job.params.language else "text")
    job.note("format", read.format)
    return _write(job, CueSheet(language=language, kind=job.params.kind, cues=cues))


def stub(job: ReadJob) -> ReadOutputs:
    """Write one cue, whatever the file contains; only a backend reads it."""
    cues = (Cue(start_ms=500, end_ms=1000, lines=("Hello.",)),)
    return _write(job, CueSheet(language=job.params.language or UNDETERMINED, kind=job.params.kind, cues=cues))


def _write(job: ReadJob, sheet: CueSheet) -> ReadOutputs:
    job.note("language", sheet.language)
    job.note("cues", len(sheet.cues))
    job.note("kind", sheet.kind)
    return ReadOutputs(cues=sheet.write(job.out_dir / "cues.json"))


STAGE = Stage(
    name="read",
    version=1,
    summary="read an existing subtitle, a file or a track of a film",
    inputs=ReadInputs,
    params=ReadParams,
    outputs=ReadOutputs,
    backends={
        "pysubs2": Backend(
            module="stages.read.files",
            environment="lite",
            summary="subtitle files: SubRip, WebVTT, ASS, TTML, SCC and older ones by pysubs2 and ttconv",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
        "ffmpeg": Backend(
            module="stages.read.tracks",
            environment="lite",
            tools=("ffmpeg",),
            summary="a text track of a film, taken out by ffmpeg",
            resources=Resources(cpus=1, memory_gib=0.5, time_per_media_s=1.0),
        ),
    },
    run=run,
    stub=stub,
)
