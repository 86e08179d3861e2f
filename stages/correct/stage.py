"""Apply a user's corrections to a transcript or its translation. New words get times from the old ones; all other words
keep theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.base import DocumentError
from shared.documents.cue import ReadCues
from shared.documents.diarization import from_rttm, to_rttm
from shared.documents.pins import Pin, Pins
from shared.documents.transcript import Transcript
from shared.documents.translation import Translation
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.text.timecode import timecode

_HEAD_BYTES = 4_000  # a cue sheet has the field `cues` within them
_MOST_QUOTED = 60  # characters of a text in a message


class CorrectInputs(Files):
    """`transcript` as the stages made it, and `translation` if that is to be corrected; `rttm`: the speakers' turns.

    `corrections`: the corrected files, oldest first, each a subtitle file in any format or a transcript. `bases`: the
    same files before the user's changes, in the same order; a base with the content of its correction means that the
    base is not known. `sources`: the transcript from which each corrected translation was made; a source with the
    content of its base means that it is not known.
    """

    transcript: Path
    translation: Path | None = None
    rttm: Path | None = None
    corrections: tuple[Path, ...] = ()
    bases: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()


class CorrectParams(Params):
    """Parameters of the stage."""

    without: tuple[str, ...] = Field((), description="the ids of single corrections that are not used")


class CorrectOutputs(Files):
    """`transcript` or `translation` with the corrections, and its plain `text`, one segment a line.

    `pins`: `shared.documents.pins.Pins`, the corrections with their places; `rttm`: the turns with the speakers' new
    names.
    """

    text: Path
    pins: Path
    transcript: Path | None = None
    translation: Path | None = None
    rttm: Path | None = None


CorrectJob = Job[CorrectInputs, CorrectParams]


@dataclass(frozen=True)
class Correction:
    """A corrected file, the file before the changes (`base`), and the transcript that it translates (`source`). The
    latter two are None if they are not known."""

    edited: Transcript | ReadCues
    base: Transcript | ReadCues | None = None
    source: Transcript | None = None


@dataclass(frozen=True)
class Corrected:
    """A corrected text, a pin for each correction, and the speakers' new names by label."""

    transcript: Transcript
    translation: Translation | None = None
    pins: tuple[Pin, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """A backend."""

    def read(self, subtitles: Path) -> ReadCues: ...
    def correct(
        self, transcript: Transcript, translation: Translation | None, corrections: Sequence[Correction],
        without: Collection[str] = (),
    ) -> Corrected: ...  # fmt: skip


def run(engine: Engine, job: CorrectJob) -> CorrectOutputs:
    """Apply the corrections in their order. Each changes only the places where it differs from its base."""
    transcript, translation = _read(job)
    corrected = engine.correct(transcript, translation, list(_corrections(engine, job.inputs)), job.params.without)
    stale = [pin for pin in corrected.pins if pin.source_now is not None]
    for pin in stale:
        cues = pin.cues or pin.before
        text = " / ".join(line for cue in pin.cues for line in cue.lines)[:_MOST_QUOTED]
        then, now = (pin.source or "")[:_MOST_QUOTED], (pin.source_now or "")[:_MOST_QUOTED]
        job.warn(
            f"the correction `{text}` at {timecode(cues[0].start_ms)} was made for `{then}`, which is now `{now}`; the"
            " correction is kept; check it"
        )
    job.note("corrections", len(corrected.pins))
    if stale:
        job.note("source_changed", len(stale))
    return _write(job, corrected)


def _read(job: CorrectJob) -> tuple[Transcript, Translation | None]:
    translation = Translation.read(job.inputs.translation) if job.inputs.translation else None
    return Transcript.read(job.inputs.transcript), translation


def _corrections(engine: Engine, inputs: CorrectInputs) -> Iterator[Correction]:
    """Yield the corrections in their order. Raises `StageError` for a transcript that is no longer valid."""
    for edited, base, source in zip_longest(inputs.corrections, inputs.bases, inputs.sources):
        content = edited.read_bytes()
        known_base = base if base and base.read_bytes() != content else None
        if _is_transcript(content):
            yield Correction(_transcript(edited), Transcript.read(known_base) if known_base else None)
            continue
        is_source_known = source and base and source.read_bytes() != base.read_bytes()
        yield Correction(
            engine.read(edited),
            engine.read(known_base) if known_base else None,
            Transcript.read(source) if is_source_known else None,
        )


def _is_transcript(content: bytes) -> bool:
    """Tell whether a file is a transcript, and not a cue sheet or another subtitle file."""
    head = content[:_HEAD_BYTES].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return head.startswith("{") and '"cues"' not in head


def _transcript(path: Path) -> Transcript:
    try:
        return Transcript.read(path)
    except DocumentError as error:
        _, _, what = str(error).partition(": ")
        raise StageError(
            "correct.transcript",
            f"the corrected transcript is no longer valid: {what}",
            "correct that place, or drop the correction with `./reel edits drop`",
        ) from error


def stub(job: CorrectJob) -> CorrectOutputs:
    """Write the text unchanged; only a backend reads subtitles."""
    return _write(job, Corrected(*_read(job)))


def _write(job: CorrectJob, corrected: Corrected) -> CorrectOutputs:
    out, translation = job.out_dir, corrected.translation
    job.note("language", translation.target if translation else corrected.transcript.language)
    text = out / ("translation.txt" if translation else "transcript.txt")
    segments = translation.segments if translation else corrected.transcript.segments
    write_atomically(text, "".join(f"{segment.text}\n" for segment in segments).encode())
    return CorrectOutputs(
        text=text,
        pins=Pins(pins=corrected.pins).write(out / "pins.json"),
        transcript=None if translation else corrected.transcript.write(out / "transcript.json"),
        translation=translation.write(out / "translation.json") if translation else None,
        rttm=_write_turns(job.inputs.rttm, corrected.renames, out) if job.inputs.rttm else None,
    )


def _write_turns(rttm: Path, names: Mapping[str, str], out: Path) -> Path:
    """Write the turns with the speakers' new names."""
    text = rttm.read_text(encoding="utf-8")
    if names:
        file_id = next((line.split()[1] for line in text.splitlines() if line.startswith("SPEAKER ")), "audio")
        turns = [
            turn.model_copy(update={"speaker": _rttm_field(names.get(turn.speaker, turn.speaker))})
            for turn in from_rttm(text)
        ]
        text = to_rttm(turns, file_id)
    path = out / rttm.name if rttm.suffix == ".rttm" else out / "speakers.rttm"
    write_atomically(path, text.encode())
    return path


def _rttm_field(name: str) -> str:
    """Return a name without white space, which would end a field of RTTM."""
    return "_".join(name.split())


STAGE = Stage(
    name="correct",
    version=4,
    summary="take a user's corrections into the transcript",
    inputs=CorrectInputs,
    params=CorrectParams,
    outputs=CorrectOutputs,
    backends={
        "corrections": Backend(
            module="stages.correct.corrections",
            environment="lite",
            summary="the project's own alignment of words; files read as by `check`",
            resources=Resources(cpus=1, memory_gib=0.5),
        ),
    },
    run=run,
    stub=stub,
)
