"""A damaged subtitle file of any format is read, or refused in one sentence."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.cue import Cue, CueSheet
from shared.stage import StageError
from stages.toolkit.formats.reader import read
from stages.toolkit.formats.writer import render
from tests.conftest import examples

SHEET = CueSheet(
    language="en",
    cues=tuple(
        Cue(start_ms=3_000 * n + 3_000, end_ms=3_000 * n + 5_000, lines=(f"line {n}", "and another"), italic=n == 1)
        for n in range(3)
    ),
)
FILES = {
    **{kind: render(SHEET, kind).encode() for kind in ("srt", "vtt", "ass", "ttml", "scc")},
    "json": SHEET.as_text().encode(),
    "sub": b"{1}{1}23.976\n{10}{50}Hello|there\n{60}{100}{y:i}Yes\n",
    "mpl": b"[10][50]Hello|there\n[60][100]/Yes\n",
    "smi": b"<SAMI><BODY><SYNC Start=1000><P>Hello<br>there<SYNC Start=3000><P>&nbsp;</BODY></SAMI>",
    "sbv": b"0:00:01.000,0:00:03.000\nHello\nthere\n\n0:00:04.000,0:00:05.000\nYes\n",
}
BROKEN = {
    "a time of SAMI that is missing": b"<SAMI><BODY><SYNC><P>Hello</BODY></SAMI>",
    "a value that TTML does not know": FILES["ttml"].replace(b'xml:space="preserve"', b'xml:space="x" ttp:x="y"', 1)
    .replace(b'tts:displayAlign="after"', b'tts:displayAlign="afteY"'),
    "elements of TTML inside each other without end": FILES["ttml"].replace(
        b"line 1", b"<span>" * 5_000 + b"line 1" + b"</span>" * 5_000
    ),
    "text without a time": b"Once upon a time\n",
}  # fmt: skip


@pytest.mark.parametrize("damage", BROKEN)
def test_what_the_library_cannot_parse_is_refused_with_the_reason(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "film"
    file.write_bytes(BROKEN[damage])
    with pytest.raises(StageError, match=r"cannot be parsed: \w+|expected a subtitle file, found no times") as refused:
        read(file)
    assert refused.value.code == "check.format"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # pysubs2 warns of some lines that it repairs
@pytest.mark.parametrize("kind", FILES)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 60), st.binary(max_size=4)), min_size=1, max_size=5))
@examples(1)
def test_changed_bytes_are_read_or_refused(
    kind: str, changes: list[tuple[float, int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(FILES[kind])
    for at, removed, inserted in changes:
        place = round(at * len(content))
        content[place : place + removed] = inserted
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_bytes(content)
    with suppress(StageError):
        read(file)
