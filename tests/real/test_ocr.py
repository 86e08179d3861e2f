"""Stages `pages` and `ocr` with the real models, on text that ffmpeg has burnt into the sample, and on pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import StageRefused
from pipeline.base.project import CONFIG
from pipeline.engine.project import Project
from shared.documents.cue import CueSheet
from shared.documents.pages import Pages, ReadText
from tests.conftest import Reel
from tests.fakes.pdf import pdf
from tests.fakes.web_client import end_server, start_server
from tests.pipeline.web.test_audio_apis import form
from tests.real.conftest import StageInputs, Stages, call

TITLES = {"Good evening to all of you": (1, 3), "The film is about to begin": (4, 6)}


@pytest.fixture(scope="module")
def titled(ffmpeg: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return eight seconds of the sample with subtitles in the picture."""
    folder = tmp_path_factory.mktemp("titled")
    lines = [
        f"{number}\n00:00:{start:02d},000 --> 00:00:{end:02d},000\n{text}\n"
        for number, (text, (start, end)) in enumerate(TITLES.items(), 1)
    ]
    (folder / "titles.srt").write_text("\n".join(lines), encoding="utf-8")
    film = folder / "film.mp4"
    burn = f"subtitles={folder / 'titles.srt'}:force_style='FontSize=28'"
    call(ffmpeg, "-nostdin", "-loglevel", "error", "-t", "8", "-i", demo, "-vf", burn, "-c:a", "copy", film)
    return film


@pytest.fixture(scope="module")
def letter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a PDF of two pages, half the size of A4."""
    path = tmp_path_factory.mktemp("letter") / "letter.pdf"
    path.write_bytes(pdf(["Invoice number 4711"], ["Payable within", "thirty days"], size=(420, 595)))
    return path


def drawn(run_stage: Stages, media: Path, **params: JsonValue) -> tuple[Pages, tuple[Path, ...]]:
    done = run_stage("pages", {"media": media}, params)
    return Pages.read(done.file("pages")), done.files("pictures")


def read(run_stage: Stages, media: Path, **params: JsonValue) -> ReadText:
    done = run_stage("pages", {"media": media}, params)
    inputs: StageInputs = {"media": media, "pictures": done.files("pictures"), "pages": done.file("pages")}
    return ReadText.read(run_stage("ocr", inputs, {}, "rapidocr").file("lines"))


def test_the_pages_of_a_pdf_are_read_with_the_places_of_their_lines(run_stage: Stages, letter: Path) -> None:
    found = read(run_stage, letter, dpi=150)
    assert [(line.page, line.text) for line in found.lines] == [
        (1, "Invoice number 4711"), (2, "Payable within"), (2, "thirty days"),
    ]  # fmt: skip
    first, above, below = (line.box for line in found.lines)
    assert first
    assert above
    assert below
    assert abs(first[0] - 72 / 420) < 0.02, "it begins an inch from the left"
    assert abs((first[1] + first[3]) / 2 - 75 / 595) < 0.03
    assert above[3] <= below[1] + 0.02
    assert all((line.probability or 0) > 0.9 for line in found.lines)


def test_a_picture_is_read_by_what_it_holds_upright_and_on_white(
    run_stage: Stages, letter: Path, real_project: Project, tmp_path: Path
) -> None:
    """A scanner writes pages into one TIFF, a camera turns the picture by a tag, a screenshot has transparency."""
    _, pictures = drawn(run_stage, letter, dpi=110)
    make = """
import sys
from PIL import Image
one, two, folder = Image.open(sys.argv[1]), Image.open(sys.argv[2]), sys.argv[3]
one.convert("L").save(folder + "/scan.dat", "TIFF", save_all=True, append_images=[two])
turned = Image.Exif(); turned[0x0112] = 6
one.rotate(90, expand=True).save(folder + "/camera.jpg", exif=turned)
clear = Image.new("RGBA", one.size, (0, 0, 0, 0))
clear.paste((0, 0, 0, 255), mask=one.convert("L").point(lambda level: 255 - level))
clear.save(folder + "/clear.webp", lossless=True)
one.convert("RGB").save(folder + "/still.avif")
"""
    call(real_project.installed.environments.python("ocr"), "-c", make, *pictures, tmp_path)
    for name in ("camera.jpg", "clear.webp", "still.avif"):
        assert [line.text for line in read(run_stage, tmp_path / name).lines] == ["Invoice number 4711"], name
    scanned, sizes = drawn(run_stage, tmp_path / "scan.dat", longest_side=400)
    assert [page.number for page in scanned.pages] == [1, 2]
    assert all(max(page.width, page.height) == 400 for page in scanned.pages)
    assert len(sizes) == 2


def test_what_is_neither_a_pdf_nor_a_picture_or_is_damaged_is_refused_in_a_sentence(
    run_stage: Stages, letter: Path, demo: Path, tmp_path: Path
) -> None:
    _, (picture, _) = drawn(run_stage, letter)
    (tmp_path / "half.png").write_bytes(picture.read_bytes()[:3000])
    (tmp_path / "half.pdf").write_bytes(b"%PDF-1.7\n" + b"x" * 100)
    for media in (demo, tmp_path / "half.png", tmp_path / "half.pdf"):
        with pytest.raises(StageRefused, match="expected a PDF") as refused:
            drawn(run_stage, media)
        assert refused.value.code == "pages.unreadable"
        assert refused.value.hint


def test_a_picture_of_a_telephone_is_told_with_the_way_to_convert_it(run_stage: Stages, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    with pytest.raises(StageRefused, match="found a HEIC picture") as refused:
        drawn(run_stage, tmp_path / "photo.jpg")
    assert refused.value.code == "pages.unreadable"
    assert "`heif-convert IN.heic OUT.jpg`" in str(refused.value.hint)


def test_a_film_without_sound_is_read_like_any_other(
    run_stage: Stages, titled: Path, ffmpeg: Path, tmp_path: Path
) -> None:
    silent = tmp_path / "silent.mp4"
    call(ffmpeg, "-nostdin", "-loglevel", "error", "-i", titled, "-t", "3", "-an", "-c:v", "copy", silent)
    info = run_stage("probe", {"media": silent}).file("media")
    done = run_stage("ocr", {"media": silent, "info": info}, {"every_s": 2.0}, "rapidocr")
    (line,) = ReadText.read(done.file("lines")).lines
    assert (line.text, line.start_ms, line.page) == ("Good evening to all of you", 2000, None)
    assert line.box
    assert line.box[1] > 2 / 3, "it stands at the bottom of the whole picture"


def test_burnt_in_subtitles_are_read_with_the_times_at_which_they_stand(run_stage: Stages, titled: Path) -> None:
    info = run_stage("demux", {"media": titled}).file("media")
    params: dict[str, JsonValue] = {"every_s": 0.5, "region": "bottom", "language": "en"}
    done = run_stage("ocr", {"media": titled, "info": info}, params, "rapidocr")
    cues = CueSheet.read(done.file("cues"))
    assert cues.language == "en"
    found = {" ".join(cue.lines): (cue.start_ms, cue.end_ms) for cue in cues.cues}
    for text, (start_s, end_s) in TITLES.items():
        start_ms, end_ms = found[text]
        assert abs(start_ms - start_s * 1000) <= 500, text
        assert abs(end_ms - end_s * 1000) <= 500, text
    assert done.file("text").read_text(encoding="utf-8").splitlines() == list(TITLES)


def test_the_server_answers_with_the_model_that_read_and_its_revision(reel: Reel, letter: Path) -> None:
    server = start_server(reel)
    try:
        reply = server.ask("POST", "/api/1/ocr", *form([("page", "1")], "file", letter.read_bytes(), "letter"))
        assert reply.status == 200, reply.body
        assert reply.data["text"] == "Invoice number 4711"
        assert reply.data["lines"][0]["probability"] > 0.9
        assert f"rapidocr=={reply.data['revision']} " in (CONFIG / "environments" / "ocr.lock").read_text(
            encoding="utf-8"
        )
        missing = server.ask("POST", "/api/1/ocr", *form([("page", "3")], "file", letter.read_bytes(), "letter"))
        assert (missing.status, missing.data["code"]) == (400, "pages.no-page")
        assert missing.data["message"] == "letter: expected a page 3, found 2 pages"
    finally:
        end_server(server)
