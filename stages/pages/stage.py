"""Make pictures of the pages of a PDF or of a picture file, from which text can be read.

The content of the file decides its format, not its name. A page is upright, without transparency, and no larger than
the parameters allow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pydantic import Field

from shared.documents.pages import Page, Pages
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError

# The smallest possible PNG: one grey pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000" "3a7e9b55"
    "0000000a49444154789c6368000000820081" "77cd72b6" "0000000049454e44ae426082"
)  # fmt: skip


class PagesInputs(Files):
    """`media`: a PDF, or a picture that Pillow reads: PNG, JPEG, WebP, AVIF, TIFF, GIF, BMP."""

    media: Path


class PagesParams(Params):
    """The pages to take, and their size as pictures."""

    page: int | None = Field(None, ge=1, description="number of the only page to take, from 1; none: all pages")
    most_pages: int = Field(200, ge=1, description="a document with more pages is refused unless `page` names one")
    dpi: int = Field(200, ge=36, le=1200, description="dots per inch at which a page of a PDF is drawn")
    longest_side: int = Field(3000, ge=100, le=10_000, description="a larger picture is scaled down to it, in pixels")


class PagesOutputs(Files):
    """`pictures`: a PNG for each page; `pages`: `shared.documents.pages.Pages`, in the same order."""

    pictures: tuple[Path, ...]
    pages: Path


PagesJob = Job[PagesInputs, PagesParams]


class Drawn(Protocol):
    """A page as a picture."""

    @property
    def size(self) -> tuple[int, int]: ...

    def save(self, path: Path) -> None: ...


class Document(Protocol):
    """An open file. Pages are counted from 0."""

    def __len__(self) -> int: ...

    def draw(self, index: int, dpi: int, longest_side: int) -> Drawn: ...

    def close(self) -> None: ...


class Engine(Protocol):
    """A backend: it opens a file. Raises `StageError` if the file cannot be read."""

    def open(self, media: Path) -> Document: ...


def run(engine: Engine, job: PagesJob) -> PagesOutputs:
    """Write a picture of each page. Raises `StageError` for a page that does not exist, and for too many pages."""
    document = engine.open(job.inputs.media)
    try:
        numbers = list(_page_numbers(job, len(document)))
        pictures, pages = [], []
        for done, number in enumerate(numbers, 1):
            picture = document.draw(number - 1, job.params.dpi, job.params.longest_side)
            pictures.append(job.out_dir / f"page-{number:04d}.png")
            picture.save(pictures[-1])
            wide, high = picture.size
            pages.append(Page(number=number, width=wide, height=high))
            job.progress(done / len(numbers))
        return _outputs(job, tuple(pictures), Pages(pages=tuple(pages), of=len(document)))
    finally:
        document.close()


def stub(job: PagesJob) -> PagesOutputs:
    """Write one page of one pixel."""
    picture = job.out_dir / "page-0001.png"
    picture.write_bytes(_PIXEL)
    return _outputs(job, (picture,), Pages(pages=(Page(number=1, width=1, height=1),), of=1))


def _page_numbers(job: PagesJob, count: int) -> Iterator[int]:
    """Return the numbers of the pages to draw, from 1."""
    page, most = job.params.page, job.params.most_pages
    if page is not None and page > count:
        text = f"{job.inputs.media}: expected a page {page}, found {count} page{'s' * (count != 1)}"
        raise StageError("pages.no-page", text, "name a page from 1 on")
    if page is None and count > most:
        text = f"{job.inputs.media} has {count} pages, expected at most {most}"
        raise StageError("pages.too-many", text, "name one page with `pages.page`, or raise `pages.most_pages`")
    return iter(range(1, count + 1) if page is None else (page,))


def _outputs(job: PagesJob, pictures: tuple[Path, ...], pages: Pages) -> PagesOutputs:
    job.note("pages", len(pages.pages))
    return PagesOutputs(pictures=pictures, pages=pages.write(job.out_dir / "pages.json"))


STAGE = Stage(
    name="pages",
    version=1,
    summary="draw the pages of a PDF, or take a picture file, for text to be read on them",
    inputs=PagesInputs,
    params=PagesParams,
    outputs=PagesOutputs,
    backends={
        "pdfium": Backend(
            module="stages.pages.pdfium",
            environment="ocr",
            summary="PDFium by pypdfium2 for PDF, Pillow for pictures",
            resources=Resources(cpus=1, memory_gib=1.0, time_base_s=600.0),
        )
    },
    run=run,
    stub=stub,
)
