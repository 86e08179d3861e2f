"""No name can control a terminal or pass for another, no stream is too narrow to be written to, and JSON keeps all."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.base import events
from pipeline.base.display import guarded_streams, json_text, one_line, readable, unguarded
from pipeline.base.events import Event
from pipeline.cli.reporters import escaped, open_reporter
from pipeline.cli.reporters.live_table import draw
from pipeline.cli.reporters.run_state import RunState
from pipeline.publishing.run_report.gantt import LOADING, Bar, Chart, Lane, as_svg
from tests.conftest import ROOT, Reel

# All there is, and often what a terminal obeys or a reader is misled by.
EVIL = "\x1b]0;pwn\x07\r\x08\x9b31m\u202e\u2066\u2028\n\t\x7f\udcff\ud83d"
texts = st.text(st.one_of(st.characters(codec=None), st.sampled_from(EVIL)))


_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # writing direction, until something ends it


def is_safe(text: str, allowed: str = "") -> bool:
    """Tell by Unicode's own classes whether a text is safe: no controls, separators of lines, halves, or turns of
    direction."""
    return not any(
        letter not in allowed
        and (unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(letter) in _TURNS)
        for letter in text
    )


@given(texts)
def test_what_is_shown_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    assert is_safe(readable(text), "\n\t")
    assert is_safe(one_line(text))
    assert one_line(readable(text)) == one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "film.mkv",
        "हिन्दी \U0001f3ac.mp4",
        "عربى\u200f.mp4",
        "می\u200cخواهم",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        r"C:\a\b",
        "é à",
    ],
)
def test_what_people_write_is_shown_as_it_is(text: str) -> None:
    assert one_line(text) == readable(text) == text


def test_what_is_escaped_is_told_by_its_code() -> None:
    assert one_line("a\x1b]0;x\x07\n\u202eb\udcffc") == r"a\x1b]0;x\x07\n\u202eb\xffc"
    assert readable("a\n\tb\r") == "a\n\tb\\r"


@given(texts, st.sampled_from(["ascii", "latin-1", "gbk", "cp1252", "utf-8", "utf-16"]))
def test_json_says_exactly_what_was_meant_on_any_stream(text: str, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    written = json_text({text: [text]}, stream)
    assert json.loads(written) == json.loads(json.dumps({text: [text]}))
    assert is_safe(written)
    assert encoding == "utf-8" or written.isascii()


@given(texts, st.sampled_from(["ascii", "latin-1", "gbk", "cp1252", "utf-8"]))
def test_any_text_can_be_printed_on_any_stream(text: str, encoding: str) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="") for _ in range(2))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        with guarded_streams():
            print(text)
            print(text, file=sys.stderr, flush=True)
            assert unguarded(sys.stderr) is err
    finally:
        sys.stdout, sys.stderr = before
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        assert is_safe(stream.buffer.getvalue().decode(encoding), "\n\t")


EVENTS: list[Event] = [
    events.ItemStarted(EVIL, Path("m"), 1, (EVIL,)),
    events.StepStarted(EVIL, EVIL, "stub", EVIL, 1000, EVIL),
    events.StepDone(EVIL, EVIL, "stub", "key", 1.0, 1000, {EVIL: EVIL}),
    events.StepFailedEvent(EVIL, EVIL, "stub", "code", EVIL, EVIL, Path("a\x1b\nb")),
    events.Notice(EVIL, EVIL, EVIL),
    events.FileStarted(EVIL, EVIL, 1, 2),
    events.ItemFinished(EVIL, "failed", 1.0, Path("a\x1b\nb")),
]


def test_reporters_show_names_escaped_and_json_lines_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    for event in EVENTS:
        assert is_safe(repr([value for name, value in asdict(escaped(event)).items() if name not in {"log", "folder"}]))
    with guarded_streams(), open_reporter("plain") as emit:
        for event in EVENTS:
            emit(event)
    told = capsys.readouterr().err
    assert is_safe(told, "\n\t")
    assert r"\x1b]0;pwn" in told
    with open_reporter("json") as emit:
        emit(EVENTS[0])
    line = capsys.readouterr().err.strip()
    assert is_safe(line)
    assert json.loads(line)["item"] == EVIL


def test_the_live_table_shows_names_escaped() -> None:
    run = RunState()
    for event in EVENTS[:2]:
        run.apply(escaped(event), 0.0)
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    console.print(draw(run, 200, 20, 1.0))
    assert isinstance(console.file, io.StringIO)
    assert is_safe(console.file.getvalue(), "\n\t")


def test_the_chart_of_a_run_is_xml_whatever_the_names_are() -> None:
    lane = Lane("w1", EVIL, 0, 10, (Bar(LOADING, EVIL, 0, 5), Bar("asr", EVIL, 5, 9)))
    drawn = as_svg(Chart(10, (lane,)), EVIL)
    ElementTree.fromstring(drawn)
    assert is_safe(drawn, "\n\t")


NAMES = ["pwn\x1b]0;pwn\x07.mp4", "two\nlines.mp4", "rtl\u202egpj.mp4", "c1\x9b31m.mp4", "हिन्दी \U0001f3ac.mp4"]
NARROW = [
    {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]  # fmt: skip


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "library").mkdir()
    for name in NAMES:
        (tmp_path / "library" / name).write_bytes(name.encode())
    (tmp_path / "library").joinpath(os.fsdecode(b"latin\xff.mp4")).write_bytes(b"x")
    return tmp_path / "library"


def test_a_run_shows_no_name_raw_and_its_json_has_every_name(reel: Reel, library: Path) -> None:
    stub = ("--stub", "--recipe", "transcribe")
    done = reel("run", library, *stub, "--progress", "plain", expect=3)
    planned = reel("plan", *(library / name for name in NAMES), *stub)
    shown = reel("runs", "show", "--steps")
    failed = reel("run", *NAMES, f"--{EVIL[:9]}", expect=2), reel("run", f"no{EVIL[:9]}\n.mp4", expect=4)
    for told in (done, planned, shown, *failed):
        assert is_safe(told.stdout + told.stderr, "\n\t")
    for name in ("two\\nlines.mp4", "rtl\\u202egpj.mp4", "latin\\xff.mp4", "हिन्दी \U0001f3ac.mp4"):
        assert name in done.stderr
    document = json.loads(reel("run", library, *stub, "--json", expect=3).stdout)
    assert {*NAMES} < {Path(item["media"]).name for item in document["data"]["items"]}


@pytest.mark.parametrize("narrow", NARROW, ids=lambda narrow: "-".join(narrow.values()))
def test_a_stream_or_a_locale_that_is_too_narrow_ends_no_command(
    narrow: dict[str, str], reel: Reel, library: Path
) -> None:
    environ = {name: value for name, value in reel.environment().items() if name not in {"LANG", "LC_ALL", "LC_CTYPE"}}
    arguments = ["--stub", "--recipe", "transcribe", "--json"]
    done = subprocess.run(
        [*reel.command("run"), library / NAMES[-1], *arguments], env={**environ, **narrow}, capture_output=True,
        cwd=reel.folder, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(done.stdout.decode("utf-8"))["data"]["items"]
    assert Path(item["media"]) == library / NAMES[-1]
    assert all(Path(file).exists() for file in item["files"])


@pytest.mark.skipif(not shutil.which("localedef"), reason="makes the locale")
def test_a_locale_of_another_encoding_reads_our_files_as_they_are(reel: Reel, tmp_path: Path) -> None:
    made = subprocess.run(
        ["localedef", "-i", "zh_CN", "-f", "GBK", tmp_path / "zh_CN.GBK"], capture_output=True, check=False
    )
    if not (tmp_path / "zh_CN.GBK").exists():
        pytest.skip(f"the system has no sources of locales: {made.stderr.decode(errors='replace')}")
    (tmp_path / "电影.mp4").write_bytes(b"film")
    gbk = {"LOCPATH": str(tmp_path), "LC_ALL": "zh_CN.GBK", "PYTHONUTF8": "0"}
    environ = {**reel.environment(gbk), "PYTHONPATH": str(ROOT)}
    for start in (reel.command(), [str(ROOT / "reel")]):
        done = subprocess.run(
            [*start, "plan", tmp_path / "电影.mp4", "--stub"], env=environ, capture_output=True, cwd=tmp_path,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "电影.mp4" in done.stdout.decode("utf-8")


def test_variables_of_the_users_python_do_not_disturb_the_wrapper(reel: Reel, tmp_path: Path) -> None:
    (tmp_path / "shadow").mkdir()
    for name in ("pydantic", "rich", "json", "start"):
        (tmp_path / "shadow" / f"{name}.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    disturbed = {
        "PYTHONINSPECT": "1", "PYTHONSTARTUP": str(tmp_path / "shadow" / "start.py"), "PYTHONHOME": "/nonexistent",
        "PYTHONPATH": str(tmp_path / "shadow"), "PYTHONPLATLIBDIR": "nowhere",
    }  # fmt: skip
    done = subprocess.run(
        [ROOT / "reel", "config", "show"], env={**reel.environment(), **disturbed}, cwd=tmp_path / "shadow",
        capture_output=True, stdin=subprocess.DEVNULL, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
