"""Stage `pages` makes a picture of each page that was asked for, and a sentence where there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.documents.pages import Pages
from shared.stage import Job, StageError
from stages.pages.stage import PagesInputs, PagesJob, PagesParams, run, stub
from tests.fakes.listener import Audience


@dataclass
class Picture:
    size: tuple[int, int] = (30, 40)

    def save(self, path: Path) -> None:
        path.write_bytes(b"picture")


@dataclass
class Document:
    count: int
    drawn: list[int] = field(default_factory=list)
    closed: bool = False

    def open(self, media: Path) -> Document:
        return self

    def __len__(self) -> int:
        return self.count

    def draw(self, index: int, dpi: int, longest_side: int) -> Picture:
        self.drawn.append(index)
        return Picture()

    def close(self) -> None:
        self.closed = True


def a_job(folder: Path, **params: int) -> PagesJob:
    return Job(PagesInputs(media=folder / "a.pdf"), PagesParams(**params), folder, "pdfium", Audience())


def test_every_page_is_drawn_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    document = Document(3)
    done = run(document, a_job(tmp_path))
    pages = Pages.read(done.pages)
    assert document.drawn == [0, 1, 2]
    assert [page.number for page in pages.pages] == [1, 2, 3]
    assert (pages.pages[0].width, pages.pages[0].height, pages.of) == (30, 40, 3)
    assert [path.name for path in done.pictures] == ["page-0001.png", "page-0002.png", "page-0003.png"]
    assert document.closed


def test_one_page_is_drawn_where_one_is_named(tmp_path: Path) -> None:
    document = Document(900)
    done = run(document, a_job(tmp_path, page=812))
    assert document.drawn == [811]
    assert [page.number for page in Pages.read(done.pages).pages] == [812]


def test_a_page_that_is_not_there_and_too_many_pages_are_refused_before_any_is_drawn(tmp_path: Path) -> None:
    document = Document(1)
    with pytest.raises(StageError, match=r"expected a page 2, found 1 page$"):
        run(document, a_job(tmp_path, page=2))
    with pytest.raises(StageError, match="has 4 pages, expected at most 3"):
        run(Document(4), a_job(tmp_path, most_pages=3))
    assert document.drawn == []
    assert document.closed


def test_the_stub_is_a_page_too(tmp_path: Path) -> None:
    done = stub(a_job(tmp_path))
    assert done.pictures[0].read_bytes().startswith(b"\x89PNG")
    assert len(Pages.read(done.pages).pages) == 1
