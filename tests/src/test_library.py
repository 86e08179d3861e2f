"""`import reel`: a thin face of the command, held against a command that the test writes."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reel
from pipeline.base.settings import parse_assignment
from pipeline.cli.parser import parse
from reel._command import files_of, flags_of
from shared.documents.cue import Cue, CueSheet
from shared.documents.transcript import Segment, Transcript, Word
from tests.conftest import ROOT

_ITEM: Mapping[str, object] = {
    "name": "a.mkv", "media": "/a.mkv", "state": "done", "steps_run": 2, "seconds": 1.5, "services": None,
    "folder": "/out/a", "files": ["/out/a/a.srt"], "renamed": {}, "missing": {}, "checked": [], "error": None,
    "reason": None,
}  # fmt: skip


def program(folder: Path, code: str) -> Path:
    """Write a command that stands for `reel`."""
    file = folder / "command"
    file.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\n{code}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def telling(folder: Path, data: object, events: list[dict[str, object]], code: int = 0, errors: object = ()) -> Path:
    """Write a command with this document and these events, and with lines of text between them."""
    document = {"format": 1, "command": "run", "status": "ok", "data": data, "errors": list(errors)}  # type: ignore[call-overload]
    told = "\n".join(f"print({json.dumps(json.dumps(event))}, file=sys.stderr)" for event in events)
    text = json.dumps(json.dumps(document))
    return program(folder, f"print('setting up', file=sys.stderr)\n{told}\nprint({text})\nsys.exit({code})")


def test_a_run_is_an_iterator_of_its_events_and_has_a_result(tmp_path: Path) -> None:
    events: list[dict[str, object]] = [
        {"event": "StepDone", "item": "a.mkv", "step": "asr", "seconds": 1.0},
        {"event": "RunEnded"},
    ]
    job = reel.run("a.mkv", program=telling(tmp_path, {"items": [_ITEM]}, events))
    told = [(event.kind, event.item, event.step) for event in job]
    assert told == [("StepDone", "a.mkv", "asr"), ("RunEnded", None, None)]
    (film,) = job.result().files
    assert (film.state, film.folder, film.published) == ("done", Path("/out/a"), (Path("/out/a/a.srt"),))
    assert job.result() is job.result()
    assert list(job) == []


def test_a_result_needs_no_look_at_the_events_however_much_is_said(tmp_path: Path) -> None:
    events: list[dict[str, object]] = [{"event": "StepProgress", "item": "x" * 1000}] * 300
    many = {"items": [{**_ITEM, "name": "n" * 1000}] * 200}
    assert len(reel.run("a.mkv", program=telling(tmp_path, many, events)).result().files) == 200


def test_a_failed_file_is_a_result_and_a_refused_command_is_an_error(tmp_path: Path) -> None:
    failed = {**_ITEM, "state": "failed", "folder": None, "files": [], "error": "media.missing", "reason": "gone"}
    result = reel.run("a.mkv", program=telling(tmp_path, {"items": [failed]}, [], 4)).result()
    assert [film.error for film in result.failed] == ["media.missing"]
    assert result.exit_code == 4
    wrong = [{"code": "usage.flag", "message": "no such flag", "hint": "look", "log": None}]
    job = reel.run("a.mkv", program=telling(tmp_path, None, [], 2, wrong))
    with pytest.raises(reel.ReelError, match="no such flag") as raised:
        job.result()
    assert (raised.value.code, raised.value.hint, raised.value.exit_code) == ("usage.flag", "look", 2)


def test_a_command_that_breaks_off_says_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(reel.ReelError, match="no Python was found") as raised:
        reel.plan("a.mkv", program=program(tmp_path, "print('no Python was found', file=sys.stderr)\nsys.exit(5)"))
    assert (raised.value.code, raised.value.exit_code) == ("reel.ended", 5)
    with pytest.raises(reel.ReelError, match="cannot be started"):
        reel.run("a.mkv", program=tmp_path / "none")


def test_leaving_the_block_stops_the_command_as_an_interrupt_does(tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    code = (
        "def stop(*_):\n"
        f"    open({str(stopped)!r}, 'w').close()\n"
        "    sys.exit(130)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print(json.dumps({'event': 'RunStarted'}), file=sys.stderr, flush=True)\n"
        "time.sleep(600)"
    )
    with reel.run("a.mkv", program=program(tmp_path, code)) as job:
        assert next(job).kind == "RunStarted"
        group = os.getpgid(job._command._process.pid)
        assert group != os.getpgid(0), "^C in a terminal reaches it through this process alone"
    assert stopped.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_a_run_that_was_stopped_has_no_more_events_and_its_result_says_so(tmp_path: Path) -> None:
    document = {"format": 1, "command": "run", "status": "failed", "data": None}
    errors = [{"code": "reel.interrupted", "message": "the command was interrupted", "hint": None, "log": None}]
    code = (
        f"def stop(*_):\n    print(json.dumps({ {**document, 'errors': errors}!r}))\n    sys.exit(130)\n"
        "signal.signal(signal.SIGINT, stop)\n"
        "print(json.dumps({'event': 'RunStarted'}), file=sys.stderr, flush=True)\n"
        "time.sleep(600)"
    )
    job = reel.run("a.mkv", program=program(tmp_path, code))
    assert next(job).kind == "RunStarted"
    job.stop()
    assert list(job) == []
    with pytest.raises(reel.ReelError, match="interrupted") as raised:
        job.result()
    assert raised.value.exit_code == 130


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1),
    st.dictionaries(
        st.sampled_from(["cpus", "asr.beam_size", "asr.initial_prompt"]),
        st.none()
        | st.booleans()
        | st.integers(-9, 9)
        | st.lists(st.text("ab", min_size=1))
        | st.sampled_from(["Hello!"]),
    ),
)
def test_every_name_and_value_arrives_as_it_is(media: list[str], settings: dict[str, object]) -> None:
    words = ["run", *files_of(media), *flags_of(to=["pt", "en"], recipe="translate", output="o", settings=settings)]
    _, arguments = parse(words)
    assert [name.removeprefix("./") for name in arguments.media] == [name.removeprefix("./") for name in media]  # type: ignore[attr-defined]
    assigned = dict(map(parse_assignment, arguments.assignments))  # type: ignore[attr-defined]
    assert {name.removeprefix("stages."): value for name, value in assigned.items()} == settings
    assert (arguments.to, arguments.recipe, arguments.output) == ("pt,en", "translate", "o")  # type: ignore[attr-defined]


def test_documents_are_read_as_the_product_writes_them(tmp_path: Path) -> None:
    word = Word(text="Hé", start_ms=1, end_ms=2, probability=0.5, speaker="SPEAKER_00")
    segment = Segment(id=0, text="Hé", start_ms=1, end_ms=2, words=(word,), speaker="SPEAKER_00", language="fr")
    ours = Transcript(language="en", language_probability=0.9, duration_ms=5, segments=(segment,))
    read = reel.read_transcript(ours.write(tmp_path / "transcript.json"))
    assert (read.text, read.segments[0].words[0].speaker, read.segments[0].language) == (ours.text, "SPEAKER_00", "fr")
    sheet = CueSheet(language="fr", cues=(Cue(start_ms=1, end_ms=2, lines=("a", "b"), italic=True),))
    cues = reel.read_cues(sheet.write(tmp_path / "film.fr.json"))
    assert (cues.language, cues.kind, cues.cues[0].lines) == ("fr", "full", ("a", "b"))


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "reel.unreadable"), ("1\n00:00:01,000 --> 00:00:02,000\nHi\n", "reel.document"), ("[]", "reel.document"),
     ('{"format": 2}', "reel.format"), ('{"format": 1, "cues": [{}]}', "reel.document"), ("\udcff", "reel.document")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_with_the_way_out(tmp_path: Path, content: str | None, code: str) -> None:
    file = tmp_path / "film.en.json"
    if content is not None:
        file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(reel.ReelError, match=r"film\.en\.json") as raised:
        reel.read_cues(file)
    assert raised.value.code == code
    assert "subtitle.formats" in (raised.value.hint or "")


def test_every_public_name_is_documented() -> None:
    page = (ROOT / "docs" / "how-to" / "use-from-python.md").read_text(encoding="utf-8")
    for name in reel.__all__:
        assert f"`{name}" in page, name
        assert getattr(reel, name).__doc__, name
    blocks = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    for block in blocks:
        ast.parse("\n".join(line.removeprefix("   ") for line in block.splitlines()))
