"""`reel runs report` and the published `report.html` as a user meets them, on stub stages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel

DEMO = ROOT / "samples" / "demo.mp4"
STUB = {"REEL_STUB": "true"}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.mp4").write_bytes(DEMO.read_bytes() + name.encode())
    return folder


def record(folder: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    return found


def test_a_report_has_the_same_bytes_when_it_is_published_again_and_when_it_is_asked_for(
    reel: Reel, films: Path
) -> None:
    film, folder = films / "one.mp4", reel.out / "one"
    reel("run", film, extra=STUB)
    first = (folder / "report.html").read_bytes()
    assert record(folder)["origins"]["report.html"] == "report"
    reel("run", film, extra=STUB)
    assert (folder / "report.html").read_bytes() == first
    (folder / "report.html").unlink()
    reel("run", film, extra=STUB)
    assert (folder / "report.html").read_bytes() == first
    reel("runs", "report", folder, "-o", folder / "again.html")
    assert (folder / "again.html").read_bytes() == first


def test_a_report_of_someone_else_and_one_that_was_edited_stay_and_no_report_takes_ours_away(
    reel: Reel, films: Path
) -> None:
    film, folder = films / "one.mp4", reel.out / "one"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("mine", encoding="utf-8")
    reel("run", film, extra=STUB)
    assert (folder / "report.html").read_text(encoding="utf-8") == "mine"
    assert "report.reel.html" in record(folder)["files"]
    reel("run", film, "--no-report", extra=STUB)
    assert {path.name for path in folder.glob("*.html")} == {"report.html"}
    assert not record(folder)["settings"]["report"], "made again from the record, there is none either"
    (folder / "report.html").unlink()
    reel("run", film, extra=STUB)
    with open(folder / "report.html", "a", encoding="utf-8") as stream:
        stream.write("<!-- a note of mine -->")
    told = reel("run", film, "--no-report", extra=STUB)
    assert (folder / "report.html").read_text(encoding="utf-8").endswith("<!-- a note of mine -->"), told.stderr


def test_a_line_of_a_list_decides_about_its_own_report(reel: Reel, films: Path) -> None:
    batch = films / "batch.jsonl"
    batch.write_text('{"media": "one.mp4", "report": false}\n{"media": "two.mp4"}\n', encoding="utf-8")
    reel("run", "--manifest", batch, extra=STUB)
    assert [path.parent.name for path in reel.out.glob("*/report.html")] == ["two"]
    again = reel("run", "--manifest", batch, extra=STUB)
    assert again.stderr.count("reused in") == 2
    reel("run", films / "one.mp4", extra=STUB)
    assert (reel.out / "one" / "report.html").exists()


def test_in_a_media_library_the_report_lies_with_the_record_and_not_beside_the_film(reel: Reel, films: Path) -> None:
    reel("run", films / "one.mp4", "--beside", extra=STUB)
    assert [path.relative_to(films).as_posix() for path in films.rglob("*.html")] == [".reel/one.mp4/report.html"]
    page = (films / ".reel" / "one.mp4" / "report.html").read_text(encoding="utf-8")
    assert 'href="../../one.mp4#t=' in page


def test_the_report_on_a_batch_names_failures_first_with_the_reason_and_leads_to_the_reports_on_the_files(
    reel: Reel, films: Path
) -> None:
    (films / "broken.mp4").write_bytes(b"")
    reel("run", films / "one.mp4", films / "two.mp4", films / "broken.mp4", extra=STUB, expect=3)
    done = reel("runs", "report", "-o", reel.folder / "report.html")
    assert done.stdout.strip().endswith("report.html")
    page = (reel.folder / "report.html").read_text(encoding="utf-8")
    shown = page[page.index("<tbody>") :]
    assert shown.index("broken.mp4") < shown.index("one.mp4") < shown.index("two.mp4")
    assert "is empty, expected a media file [media.empty]" in page
    assert 'href="out/one/report.html"' in page
    shown = reel("runs", "show").stdout
    assert "broken.mp4: media: " in shown
    assert "[media.empty]" in shown
    (reel.folder / "again.html").write_bytes(b"<!DOCTYPE html>mine")
    refused = reel("runs", "report", "-o", reel.folder / "again.html", expect=4)
    assert "[runs.report]" in refused.stderr
    assert (reel.folder / "again.html").read_bytes() == b"<!DOCTYPE html>mine"


def test_the_report_on_a_run_of_one_file_holds_everything_about_that_file_and_what_was_reused(
    reel: Reel, films: Path
) -> None:
    reel("run", films / "one.mp4", extra=STUB)
    shutil.rmtree(reel.out)
    reel("run", films / "one.mp4", extra=STUB)
    page = reel("runs", "report").stdout
    assert "Made from" in page
    assert "<td>reused</td>" in page
    data = json.loads(reel("runs", "report", "--json").stdout)["data"]
    assert data["html"].rstrip("\n") == page.rstrip("\n")


@pytest.mark.parametrize(
    ("words", "code"), [(["no-such"], "runs.unknown"), (["films"], "runs.no-job"), (["none/here"], "runs.no-job")]
)
def test_what_is_neither_a_run_nor_a_job_is_refused(reel: Reel, films: Path, words: list[str], code: str) -> None:
    assert films.is_dir()
    assert f"[{code}]" in reel("runs", "report", *words, expect=2 if code == "runs.unknown" else 4).stderr
