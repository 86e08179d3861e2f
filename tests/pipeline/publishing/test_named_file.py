"""A file that the user names: only one of the same kind is replaced, and a refusal changes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.publishing.named_file import NamedFile

MARK = "a mark of ours"


def _named(path: Path) -> NamedFile:
    return NamedFile("runs.svg", path, "a chart", MARK)


def test_a_new_file_and_one_with_the_mark_are_written(tmp_path: Path) -> None:
    for content in (f"<{MARK}> one", f"<{MARK}> two"):
        _named(tmp_path / "chart.svg").write(content.encode())
        assert (tmp_path / "chart.svg").read_text(encoding="utf-8") == content
    assert [path.name for path in tmp_path.iterdir()] == ["chart.svg"]


@pytest.mark.parametrize("kind", ["file", "empty", "mark at the end", "link", "link to nowhere", "pipe", "folder"])
def test_everything_else_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    place, other = tmp_path / "place", tmp_path / "other"
    other.write_text(MARK, encoding="utf-8")
    if kind in {"file", "empty", "mark at the end"}:
        contents = {"file": b"mine", "empty": b"", "mark at the end": b"x" * 9_000 + MARK.encode()}
        place.write_bytes(contents[kind])
    elif kind.startswith("link"):
        place.symlink_to(other if kind == "link" else tmp_path / "nowhere")
    elif kind == "folder":
        place.mkdir()
    elif hasattr(os, "mkfifo"):
        os.mkfifo(place)
    else:
        pytest.skip("this system has no named pipes")
    before = os.lstat(place)
    with pytest.raises(BadInput) as caught:
        _named(place).write(MARK.encode())
    assert (caught.value.code, os.lstat(place).st_ino) == ("runs.svg", before.st_ino)
    assert {path.name for path in tmp_path.iterdir()} == {"place", "other"}


def test_what_keeps_a_file_from_being_written_is_told_before(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    cases = ((tmp_path / "none" / "x", 0, "none is not a folder"), (tmp_path / "x", 2 * free, "does not fit into"))
    for path, size, says in cases:
        with pytest.raises(BadInput) as caught:
            _named(path).check(size)
        assert says in caught.value.message
        assert caught.value.hint
    assert list(tmp_path.iterdir()) == []
