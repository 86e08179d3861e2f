"""Stage `ocr` makes cues from what single looks at the picture have shown, and the lines of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.documents.cue import CueSheet
from shared.documents.media import Media, Track
from shared.documents.pages import Page, Pages, ReadText, TextLine
from shared.stage import Job, StageError
from stages.ocr.stage import Look, OcrInputs, OcrJob, OcrOutputs, OcrParams, Reading, cues_of, run, stub
from tests.fakes.listener import Audience

TOP, BOTTOM = (0.1, 0.1, 0.9, 0.2), (0.1, 0.8, 0.9, 0.9)


@dataclass
class Fake:
    looks: tuple[Look, ...] = ()
    pages: dict[str, tuple[Reading, ...]] = field(default_factory=dict)

    def read_page(self, picture: Path, params: OcrParams) -> tuple[Reading, ...]:
        return self.pages[picture.name]

    def watch(self, media: Path, info: Media, params: OcrParams, progress: Callable[[float], None]) -> Iterator[Look]:
        yield from self.looks


def a_job(folder: Path, *, picture: bool = True, **params: float | str) -> OcrJob:
    tracks = (Track(index=0, kind="video", codec="h264", width=640, height=360),) if picture else ()
    info = Media(container="mp4", start_ms=0, duration_ms=9000, tracks=tracks, audio_track=1, decoded_ms=9000)
    inputs = OcrInputs(media=folder / "film.mp4", info=info.write(folder / "media.json"))
    return Job(inputs, OcrParams.model_validate(params), folder, "rapidocr", Audience())


def a_document(folder: Path, **params: float | str) -> OcrJob:
    pages = Pages(pages=tuple(Page(number=number, width=100, height=200) for number in (4, 7)), of=9)
    inputs = OcrInputs(
        media=folder / "a.pdf", pictures=(folder / "four.png", folder / "seven.png"),
        pages=pages.write(folder / "pages.json"),
    )  # fmt: skip
    return Job(inputs, OcrParams.model_validate(params), folder, "rapidocr", Audience())


def cues_in(done: OcrOutputs) -> CueSheet:
    assert done.cues is not None
    return CueSheet.read(done.cues)


def look(at_s: int, *texts: str, box: tuple[float, float, float, float] | None = BOTTOM) -> Look:
    return Look(at_s * 1000, tuple(Reading(text, 0.9, box) for text in texts))


def shown(*looks: Look, step_ms: int = 1000) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(cue.start_ms, cue.end_ms, cue.lines) for cue in cues_of(looks, step_ms)]


def test_a_text_is_there_from_the_first_look_that_shows_it_to_the_last() -> None:
    looks = (look(0), look(1, "Hello"), look(2, "Hello"), look(3), look(4, "Bye"))
    assert shown(*looks) == [(1000, 3000, ("Hello",)), (4000, 5000, ("Bye",))]


def test_a_letter_that_flickers_makes_no_new_text_and_the_surest_reading_counts() -> None:
    sure = Look(1000, (Reading("Good evening", 0.99, BOTTOM),))
    unsure = Look(2000, (Reading("G0od evening", 0.71, BOTTOM),))
    assert shown(sure, unsure) == [(1000, 3000, ("Good evening",))]


def test_the_same_text_after_a_pause_is_another_cue() -> None:
    assert shown(look(0, "Hello"), look(1), look(2, "Hello")) == [(0, 1000, ("Hello",)), (2000, 3000, ("Hello",))]


def test_texts_that_stand_together_are_lines_of_one_cue_from_the_top() -> None:
    both = Look(0, (Reading("below", 0.9, BOTTOM), Reading("above", 0.9, TOP)))
    assert shown(both) == [(0, 1000, ("above", "below"))]
    title_stays = (
        look(0, "Title", box=TOP),
        Look(1000, (*look(1, "Title", box=TOP).readings, *look(1, "Hi").readings)),
    )
    assert shown(*title_stays) == [(0, 1000, ("Title",)), (1000, 2000, ("Title", "Hi"))]


def test_what_is_hardly_readable_is_left_out_and_so_is_what_holds_no_letter(tmp_path: Path) -> None:
    doubtful, dots = Reading("???", 0.99, BOTTOM), Reading("Hello", 0.3, BOTTOM)
    done = run(Fake((Look(0, (doubtful, dots, Reading("  Good\n evening ", 0.9, BOTTOM))),)), a_job(tmp_path))
    (cue,) = cues_in(done).cues
    assert cue.lines == ("Good evening",)
    assert done.text.read_text(encoding="utf-8") == "Good evening\n"


def test_media_without_a_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no moving picture"):
        run(Fake(()), a_job(tmp_path, picture=False))


def test_the_lines_of_a_film_tell_place_and_time_and_those_of_a_third_the_place_in_the_whole(tmp_path: Path) -> None:
    looks = (look(0), look(2, "Hello", box=(0.1, 0.4, 0.9, 0.5)), look(4, "Hello", box=(0.1, 0.4, 0.9, 0.5)))
    (line,) = ReadText.read(run(Fake(looks), a_job(tmp_path)).lines).lines
    assert line == TextLine(text="Hello", box=(0.1, 0.4, 0.9, 0.5), probability=0.9, start_ms=2000, end_ms=6000)
    (low,) = ReadText.read(run(Fake(looks), a_job(tmp_path, region="bottom")).lines).lines
    assert low.box == (0.1, 0.8, 0.9, 0.8333)


def test_pages_are_read_in_order_each_under_its_own_number(tmp_path: Path) -> None:
    unmeasured = Reading("Second", measured=False)
    four = (Reading("First  line", 0.9, (-0.1, 0.0, 0.5, 0.2)), Reading("faint", 0.2), Reading("--", 0.99))
    done = run(Fake(pages={"four.png": four, "seven.png": (unmeasured,)}), a_document(tmp_path))
    read = ReadText.read(done.lines)
    assert [page.number for page in read.pages] == [4, 7]
    assert read.lines == (
        TextLine(text="First line", box=(0.0, 0.0, 0.5, 0.2), probability=0.9, page=4),
        TextLine(text="Second", box=None, probability=None, page=7),
    )
    assert done.text.read_text(encoding="utf-8") == "First line\n\nSecond\n"
    assert done.cues is None


def test_neither_a_film_nor_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="found neither"):
        run(Fake(), Job(OcrInputs(media=tmp_path), OcrParams(), tmp_path, "rapidocr", Audience()))


def test_a_language_names_what_comes_out_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    assert cues_in(stub(a_job(tmp_path, language="hin"))).language == "hi"
    with pytest.raises(ValidationError, match="expected a language that is known"):
        stub(a_job(tmp_path, language="?"))


READINGS = st.builds(
    Reading, st.sampled_from(["one", "two", "twoo", "three four"]), st.just(0.9), st.sampled_from([TOP, BOTTOM, None])
)


@given(st.lists(st.lists(READINGS, max_size=3), max_size=8), st.integers(1, 5000))
def test_cues_are_in_order_never_overlap_and_show_every_text(screens: list[list[Reading]], step_ms: int) -> None:
    looks = [Look(number * step_ms, tuple(screen)) for number, screen in enumerate(screens)]
    cues = list(cues_of(looks, step_ms))
    assert all(cue.start_ms < cue.end_ms and cue.lines for cue in cues)
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(cues))
    for at in looks:
        on_screen = [cue for cue in cues if cue.start_ms <= at.at_ms < cue.end_ms]
        assert sum(len(cue.lines) for cue in on_screen) == len(at.readings)
