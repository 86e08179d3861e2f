"""Carry a user's corrections into a text: new words get times from the old ones, all others keep theirs."""

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

_BEGIN = 4_000  # characters in which a cue sheet names its cues
_SHOWN = 60


class CorrectInputs(Files):
    """`transcript` as it was made, and `translation` if that is to be corrected; `rttm`: the speakers' turns.

    `corrections`: corrected files, oldest first, each a subtitle file in any format or a transcript. `bases`: the same
    before the user's changes; a base with the content of its correction is not known. `sources`: the transcript that
    each corrected translation was made for; the content of the base stands for one that is not known.
    """

    transcript: Path
    translation: Path | None = None
    rttm: Path | None = None
    corrections: tuple[Path, ...] = ()
    bases: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()


class CorrectParams(Params):
    """Corrections that are not used."""

    without: tuple[str, ...] = Field((), description="the ids of single corrections that are not used")


class CorrectOutputs(Files):
    """`transcript`, or `translation`, with the corrections, and its plain `text`, one segment a line.

    `pins`: `shared.documents.pins.Pins`, the corrections with their places; `rttm`: the turns with speakers' new names.
    """

    text: Path
    pins: Path
    transcript: Path | None = None
    translation: Path | None = None
    rttm: Path | None = None


CorrectJob = Job[CorrectInputs, CorrectParams]


@dataclass(frozen=True)
class Correction:
    """A corrected file, the same before the changes, and the transcript that it translates; None if not known."""

    edited: Transcript | ReadCues
    base: Transcript | ReadCues | None = None
    source: Transcript | None = None


@dataclass(frozen=True)
class Corrected:
    """A text with corrections, a pin for each, and the speakers' new names by label."""

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
    """Return the text with the corrections in their order: each changes only the places where it differs from its
    base."""
    transcript, translation = _read(job)
    found = engine.correct(transcript, translation, list(_corrections(engine, job.inputs)), job.params.without)
    stale = [pin for pin in found.pins if pin.source_now is not None]
    for pin in stale:
        cues = pin.cues or pin.before
        text = " / ".join(line for cue in pin.cues for line in cue.lines)[:_SHOWN]
        then, now = (pin.source or "")[:_SHOWN], (pin.source_now or "")[:_SHOWN]
        job.warn(
            f"the correction `{text}` at {timecode(cues[0].start_ms)} was made for `{then}`, which is now `{now}`; the"
            " correction is kept; check it"
        )
    job.note("corrections", len(found.pins))
    if stale:
        job.note("source_changed", len(stale))
    return _write(job, found)


def _read(job: CorrectJob) -> tuple[Transcript, Translation | None]:
    translation = Translation.read(job.inputs.translation) if job.inputs.translation else None
    return Transcript.read(job.inputs.transcript), translation


def _corrections(engine: Engine, inputs: CorrectInputs) -> Iterator[Correction]:
    for edited, base, source in zip_longest(inputs.corrections, inputs.bases, inputs.sources):
        content = edited.read_bytes()
        known = base if base and base.read_bytes() != content else None
        if _is_document(content):
            yield Correction(_document(edited), Transcript.read(known) if known else None)
            continue
        then = Transcript.read(source) if source and base and source.read_bytes() != base.read_bytes() else None
        yield Correction(engine.read(edited), engine.read(known) if known else None, then)


def _is_document(content: bytes) -> bool:
    """Tell whether a file is a transcript, and not a cue sheet or another subtitle file."""
    begin = content[:_BEGIN].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return begin.startswith("{") and '"cues"' not in begin


def _document(path: Path) -> Transcript:
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
    """Return the text unchanged: only the library reads subtitles."""
    return _write(job, Corrected(*_read(job)))


def _write(job: CorrectJob, found: Corrected) -> CorrectOutputs:
    out, translation = job.out_dir, found.translation
    job.note("language", translation.target if translation else found.transcript.language)
    text = out / ("translation.txt" if translation else "transcript.txt")
    segments = translation.segments if translation else found.transcript.segments
    write_atomically(text, "".join(f"{segment.text}\n" for segment in segments).encode())
    return CorrectOutputs(
        text=text,
        pins=Pins(pins=found.pins).write(out / "pins.json"),
        transcript=None if translation else found.transcript.write(out / "transcript.json"),
        translation=translation.write(out / "translation.json") if translation else None,
        rttm=_turns(job.inputs.rttm, found.renames, out) if job.inputs.rttm else None,
    )


def _turns(rttm: Path, names: Mapping[str, str], out: Path) -> Path:
    """Write the turns with the speakers' new names."""
    text = rttm.read_text(encoding="utf-8")
    if names:
        file_id = next((line.split()[1] for line in text.splitlines() if line.startswith("SPEAKER ")), "audio")
        turns = [
            turn.model_copy(update={"speaker": _one_field(names.get(turn.speaker, turn.speaker))})
            for turn in from_rttm(text)
        ]
        text = to_rttm(turns, file_id)
    place = out / rttm.name if rttm.suffix == ".rttm" else out / "speakers.rttm"
    write_atomically(place, text.encode())
    return place


def _one_field(name: str) -> str:
    """Return a name for a field of RTTM, which white space would end."""
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
