"""Read the text that stands in the picture: title cards, signs, subtitles burnt in. What comes out are timed cues.

The picture is looked at every few seconds. A text is on the screen from the first look that shows it to the last, so
its times are as exact as the looks are close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator

from shared.documents.cue import Cue, CueSheet
from shared.documents.media import Media
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.text.language import UNDETERMINED
from shared.text.language_names import known_language

_SAME = 0.8  # two readings so alike are one text: a letter flickers
_SAME_PLACE = 0.04  # of the picture's height

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as parts of the picture."""


class OcrInputs(Files):
    """`media`: the file; `info`: `shared.documents.media.Media`, for its picture."""

    media: Path
    info: Path


class OcrParams(Params):
    """The areas and times to look at, and the confidence to demand."""

    every_s: float = Field(2.0, ge=0.1, le=600, description="seconds from one look at the picture to the next")
    region: Literal["all", "top", "bottom"] = Field(
        "all", description="the part of the picture to read: all of it, or a third, where subtitles are burnt in"
    )
    width: int = Field(960, ge=160, le=4096, description="a wider picture is scaled to this width in pixels")
    min_confidence: float = Field(0.7, ge=0, le=1, description="a reading below it is left out")
    language: str = Field(UNDETERMINED, description="language of the text, BCP-47; used only in the name of the output")

    _known = field_validator("language")(known_language)


class OcrOutputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`; `text`: each text once, in order of time."""

    cues: Path
    text: Path


OcrJob = Job[OcrInputs, OcrParams]


@dataclass(frozen=True)
class Reading:
    """A line of text in a picture. `box` is None where a backend does not say where it stands."""

    text: str
    confidence: float = 1.0
    box: Box | None = None


@dataclass(frozen=True)
class Look:
    """The text in the picture at one time."""

    at_ms: int
    readings: tuple[Reading, ...]


class Engine(Protocol):
    """A backend: yield looks in order of time, as many as the parameters want."""

    def watch(
        self, media: Path, info: Media, params: OcrParams, progress: Callable[[float], None]
    ) -> Iterator[Look]: ...


@dataclass(frozen=True)
class _Shown:
    """A text with the looks that it was seen in."""

    reading: Reading
    first_ms: int
    last_ms: int


def run(engine: Engine, job: OcrJob) -> OcrOutputs:
    """Look through the whole film. Raises `StageError` where there is no picture."""
    info, params = Media.read(job.inputs.info), job.params
    if info.picture is None:
        raise StageError("ocr.no-picture", f"{job.inputs.media} has no moving picture to read text from")
    looks = list(_believed(engine.watch(job.inputs.media, info, params, job.progress), params.min_confidence))
    sheet = CueSheet(language=params.language, cues=tuple(cues_of(looks, round(params.every_s * 1000))))
    job.note("cues", len(sheet.cues))
    job.note("looks", len(looks))
    return _write(job, sheet)


def stub(job: OcrJob) -> OcrOutputs:
    """Return no text."""
    return _write(job, CueSheet(language=job.params.language, cues=()))


def cues_of(looks: Sequence[Look], step_ms: int) -> Iterator[Cue]:
    """Yield a cue for all that stood on the screen together; two cues never overlap.

    A text that several looks in a row show is one, whatever single letters flicker; the reading with the most
    confidence counts. What was seen once is there for a step.
    """
    shown = sorted(_followed(looks), key=lambda one: one.first_ms)
    edges = sorted({*(one.first_ms for one in shown), *(one.last_ms + step_ms for one in shown)})
    before: Cue | None = None
    for start_ms, end_ms in pairwise(edges):
        here = [one for one in shown if one.first_ms <= start_ms < one.last_ms + step_ms]
        lines = tuple(one.reading.text for one in sorted(here, key=_from_top))
        if before and before.lines == lines and before.end_ms == start_ms:
            before = before.model_copy(update={"end_ms": end_ms})
            continue
        if before:
            yield before
        before = Cue(start_ms=start_ms, end_ms=end_ms, lines=lines) if lines else None
    if before:
        yield before


def _believed(looks: Iterable[Look], least: float) -> Iterator[Look]:
    for look in looks:
        plain = (replace(one, text=" ".join(one.text.split())) for one in look.readings if one.confidence >= least)
        yield replace(look, readings=tuple(one for one in plain if any(map(str.isalnum, one.text))))


def _followed(looks: Sequence[Look]) -> Iterator[_Shown]:
    """Yield each text from the first look in a row that shows it to the last."""
    open_: list[_Shown] = []
    for look in looks:
        going_on: list[_Shown] = []
        for reading in look.readings:
            known = next((one for one in open_ if _is_same(one.reading, reading)), None)
            if known is None:
                going_on.append(_Shown(reading, look.at_ms, look.at_ms))
                continue
            open_.remove(known)
            better = max(known.reading, reading, key=lambda one: one.confidence)
            going_on.append(_Shown(better, known.first_ms, look.at_ms))
        yield from open_
        open_ = going_on
    yield from open_


def _is_same(one: Reading, other: Reading) -> bool:
    if one.box and other.box and abs(one.box[1] - other.box[1]) > _SAME_PLACE:
        return False
    return one.text == other.text or SequenceMatcher(None, one.text, other.text).ratio() >= _SAME


def _from_top(one: _Shown) -> tuple[float, float, int]:
    """Sort lines into reading order: by their middle, and side by side from the left."""
    if one.reading.box is None:
        return 0.0, 0.0, one.first_ms
    left, top, _, bottom = one.reading.box
    return round((top + bottom) / 2 / _SAME_PLACE), left, one.first_ms


def _write(job: OcrJob, sheet: CueSheet) -> OcrOutputs:
    job.note("language", sheet.language)
    text = job.out_dir / "screen.txt"
    seen = dict.fromkeys(line for cue in sheet.cues for line in cue.lines)
    write_atomically(text, "".join(f"{line}\n" for line in seen).encode())
    return OcrOutputs(cues=sheet.write(job.out_dir / "screen.json"), text=text)


STAGE = Stage(
    name="ocr",
    version=1,
    summary="read the text that stands in the picture, as timed cues",
    inputs=OcrInputs,
    params=OcrParams,
    outputs=OcrOutputs,
    backends={
        "rapidocr": Backend(
            module="stages.ocr.rapidocr",
            environment="ocr",
            summary="PP-OCR's small models for Latin and Chinese letters; they come with rapidocr",
            tools=("ffmpeg",),
            licence_note="the package and the models inside are under Apache-2.0",
            resources=Resources(cpus=2, memory_gib=1.0, time_per_media_s=15.0),
        ),
        "nanonets": Backend(
            module="stages.ocr.nanonets",
            environment="transformers",
            accelerators=("cuda",),
            card_library="torch",
            summary="Nanonets OCR-s, a vision-language model: more scripts, and much slower",
            models=("reader",),
            tools=("ffmpeg",),
            licence_note="no licence is stated on the model's page, and its base is under a research licence",
            resources=Resources(cpus=4, memory_gib=9.0, gpu_memory_gib=9.0, time_base_s=600.0, time_per_media_s=120.0),
        ),
    },
    run=run,
    stub=stub,
)
