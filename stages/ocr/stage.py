"""Read the text in pictures: title cards, signs and burnt-in subtitles of a film, or the pages of a document.

A film is read at one picture every few seconds, and the result is timed cues. A text is on the screen from the first to
the last picture in which it was read, so its times are as exact as the pictures are close. Each page is read once.
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
from shared.documents.pages import Box, Page, Pages, ReadText, TextLine
from shared.files import write_atomically
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.text.language import UNDETERMINED
from shared.text.language_names import known_language

_SAME = 0.8  # similarity of two readings of one text, of which single letters may differ
_SAME_PLACE = 0.04  # of the picture's height
_DIGITS = 4  # of a box: a tenth of a pixel in a picture of 1000

Region = Literal["all", "top", "bottom"]
_PART: dict[str, tuple[float, float]] = {"all": (0.0, 1.0), "top": (0.0, 1 / 3), "bottom": (2 / 3, 1.0)}


class OcrInputs(Files):
    """`media`: the file. For a film, `info`: `shared.documents.media.Media`. For a document, `pictures` and `pages`: a
    picture of each page, and `shared.documents.pages.Pages`."""

    media: Path
    info: Path | None = None
    pictures: tuple[Path, ...] = ()
    pages: Path | None = None


class OcrParams(Params):
    """The pictures to read, the part of them, and the least confidence."""

    every_s: float = Field(2.0, ge=0.1, le=600, description="seconds from one look at the picture to the next")
    region: Region = Field(
        "all", description="the part of the picture to read: all of it, or a third, where subtitles are burnt in"
    )
    width: int = Field(960, ge=160, le=4096, description="a film's wider picture is scaled to this width in pixels")
    min_confidence: float = Field(0.7, ge=0, le=1, description="a reading below it is left out")
    language: str = Field(UNDETERMINED, description="language of the text, BCP-47; used only in the name of the output")

    _known = field_validator("language")(known_language)


class OcrOutputs(Files):
    """`cues`: `shared.documents.cue.CueSheet`, of a film; `text`: each text of a film once in order of time, or the
    text of the pages; `lines`: `shared.documents.pages.ReadText`."""

    cues: Path | None = None
    text: Path
    lines: Path


OcrJob = Job[OcrInputs, OcrParams]


@dataclass(frozen=True)
class Reading:
    """A line of text in a picture. `box` is None if the backend gives no place. `confidence` is 1, and not `measured`,
    if the backend gives none."""

    text: str
    confidence: float = 1.0
    box: Box | None = None
    measured: bool = True


@dataclass(frozen=True)
class Look:
    """The text in the picture at one time."""

    at_ms: int
    readings: tuple[Reading, ...]


class Engine(Protocol):
    """A backend: it yields looks at a film in order of time, and returns the lines of a page."""

    def watch(
        self, media: Path, info: Media, params: OcrParams, progress: Callable[[float], None]
    ) -> Iterator[Look]: ...

    def read_page(self, picture: Path, params: OcrParams) -> tuple[Reading, ...]: ...


@dataclass(frozen=True)
class _Shown:
    """A text with the times of the first and the last look that shows it."""

    reading: Reading
    first_ms: int
    last_ms: int


def run(engine: Engine, job: OcrJob) -> OcrOutputs:
    """Read the pages, or the whole film. Raises `StageError` if there is no picture."""
    if job.inputs.pages is not None:
        return _read_pages(engine, job, Pages.read(job.inputs.pages).pages)
    if job.inputs.info is None:
        raise StageError("ocr.no-input", f"{job.inputs.media}: expected `info` about a film, or `pages`, found neither")
    info, params = Media.read(job.inputs.info), job.params
    if info.picture is None:
        raise StageError("ocr.no-picture", f"{job.inputs.media} has no moving picture to read text from")
    looks = list(_believed(engine.watch(job.inputs.media, info, params, job.progress), params.min_confidence))
    step_ms = round(params.every_s * 1000)
    sheet = CueSheet(language=params.language, cues=tuple(cues_of(looks, step_ms)))
    job.note("cues", len(sheet.cues))
    job.note("looks", len(looks))
    shown = sorted(_followed(looks), key=lambda line: (line.first_ms, _from_top(line)))
    lines = (
        _line(line.reading, params, start_ms=line.first_ms, end_ms=line.last_ms + step_ms) for line in shown
    )  # fmt: skip
    return _write_film(job, sheet, lines)


def stub(job: OcrJob) -> OcrOutputs:
    """Write no text, or a line for each page."""
    if job.inputs.pages is not None:
        pages = Pages.read(job.inputs.pages).pages
        made = [TextLine(text=f"Page {page.number}", box=None, probability=None, page=page.number) for page in pages]
        return _write_pages(job, pages, made)
    return _write_film(job, CueSheet(language=job.params.language, cues=()), ())


def _read_pages(engine: Engine, job: OcrJob, pages: Sequence[Page]) -> OcrOutputs:
    lines: list[TextLine] = []
    for done, (page, picture) in enumerate(zip(pages, job.inputs.pictures, strict=True), 1):
        look = Look(0, engine.read_page(picture, job.params))
        for page_look in _believed([look], job.params.min_confidence):
            lines += [_line(reading, job.params, page=page.number) for reading in page_look.readings]
        job.progress(done / len(pages))
    return _write_pages(job, pages, lines)


def _line(
    reading: Reading, params: OcrParams, *, page: int | None = None, start_ms: int | None = None,
    end_ms: int | None = None,
) -> TextLine:  # fmt: skip
    """Return a reading as a line, with its box in the whole picture instead of the part that was read."""
    box, (begin, end) = reading.box, _PART[params.region]
    if box is not None:
        left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
        top, bottom = begin + top * (end - begin), begin + bottom * (end - begin)
        box = round(left, _DIGITS), round(top, _DIGITS), round(right, _DIGITS), round(bottom, _DIGITS)
    sure = reading.confidence if reading.measured else None
    return TextLine(text=reading.text, box=box, probability=sure, page=page, start_ms=start_ms, end_ms=end_ms)


def cues_of(looks: Sequence[Look], step_ms: int) -> Iterator[Cue]:
    """Yield a cue for all texts that are on the screen at the same time; two cues never overlap.

    A text that is read in several looks in a row is one text, even if single letters differ; the reading with the
    highest confidence counts. A text that is read once lasts for one step.
    """
    shown = sorted(_followed(looks), key=lambda line: line.first_ms)
    edges = sorted({*(line.first_ms for line in shown), *(line.last_ms + step_ms for line in shown)})
    before: Cue | None = None
    for start_ms, end_ms in pairwise(edges):
        here = [line for line in shown if line.first_ms <= start_ms < line.last_ms + step_ms]
        lines = tuple(line.reading.text for line in sorted(here, key=_from_top))
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
        plain = (
            replace(reading, text=" ".join(reading.text.split()))
            for reading in look.readings
            if reading.confidence >= least
        )
        yield replace(look, readings=tuple(reading for reading in plain if any(map(str.isalnum, reading.text))))


def _followed(looks: Sequence[Look]) -> Iterator[_Shown]:
    """Yield each text from the first look in a row that shows it to the last."""
    open_: list[_Shown] = []
    for look in looks:
        going_on: list[_Shown] = []
        for reading in look.readings:
            known = next((candidate for candidate in open_ if _is_same(candidate.reading, reading)), None)
            if known is None:
                going_on.append(_Shown(reading, look.at_ms, look.at_ms))
                continue
            open_.remove(known)
            better = max(known.reading, reading, key=lambda candidate: candidate.confidence)
            going_on.append(_Shown(better, known.first_ms, look.at_ms))
        yield from open_
        open_ = going_on
    yield from open_


def _is_same(first: Reading, other: Reading) -> bool:
    if first.box and other.box and abs(first.box[1] - other.box[1]) > _SAME_PLACE:
        return False
    return first.text == other.text or SequenceMatcher(None, first.text, other.text).ratio() >= _SAME


def _from_top(shown: _Shown) -> tuple[float, float, int]:
    """Return the sort key of the reading order: from the top by their middles, and from left to right."""
    if shown.reading.box is None:
        return 0.0, 0.0, shown.first_ms
    left, top, _, bottom = shown.reading.box
    return round((top + bottom) / 2 / _SAME_PLACE), left, shown.first_ms


def _write_film(job: OcrJob, sheet: CueSheet, lines: Iterable[TextLine]) -> OcrOutputs:
    seen = dict.fromkeys(line for cue in sheet.cues for line in cue.lines)
    cues = sheet.write(job.out_dir / "screen.json")
    return _write(job, "".join(f"{line}\n" for line in seen), (), lines).model_copy(update={"cues": cues})


def _write_pages(job: OcrJob, pages: Sequence[Page], lines: Sequence[TextLine]) -> OcrOutputs:
    """Write the text with an empty line between pages."""
    job.note("lines", len(lines))
    texts = ["".join(f"{line.text}\n" for line in lines if line.page == page.number) for page in pages]
    return _write(job, "\n".join(text for text in texts if text), pages, lines)


def _write(job: OcrJob, text: str, pages: Sequence[Page], lines: Iterable[TextLine]) -> OcrOutputs:
    job.note("language", job.params.language)
    path = job.out_dir / "text.txt"
    write_atomically(path, text.encode())
    read = ReadText(language=job.params.language, pages=tuple(pages), lines=tuple(lines))
    return OcrOutputs(text=path, lines=read.write(job.out_dir / "lines.json"))


STAGE = Stage(
    name="ocr",
    version=2,
    summary="read the text that stands in the picture of a film, as timed cues, or on pages",
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
            resources=Resources(cpus=2, memory_gib=1.0, time_base_s=1200.0, time_per_media_s=15.0),
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
            resources=Resources(cpus=4, memory_gib=9.0, gpu_memory_gib=9.0, time_base_s=7200.0, time_per_media_s=120.0),
        ),
    },
    run=run,
    stub=stub,
)
