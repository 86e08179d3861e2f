"""Claims about contents on Windows, which is emulated: it flushes no file that is open for reading only, and replaces
no file that is read-only or in use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from pipeline.store import contents as module
from pipeline.store.contents import Contents

pytestmark = pytest.mark.skipif(os.name == "nt", reason="emulates Windows")


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    flush, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        flush(descriptor)

    def refuse_existing(source: Path, target: Path) -> None:
        if target.exists():
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(module, "_WINDOWS", True)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", refuse_existing)


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.usefixtures("windows")
def test_two_steps_may_give_the_same_bytes(tmp_path: Path) -> None:
    contents = Contents(tmp_path / "contents")
    digest, size = contents.take_in(_file(tmp_path / "one", b"the same"))

    assert contents.take_in(_file(tmp_path / "two", b"the same")) == (digest, size)

    assert contents.verify(digest)
    assert [path.name for path in tmp_path.iterdir()] == ["contents"]
    assert contents.path(digest).stat().st_mode & 0o200  # else Windows could not remove it


@pytest.mark.usefixtures("windows")
def test_a_damaged_content_that_is_in_use_is_not_taken_for_the_new_one(tmp_path: Path) -> None:
    contents = Contents(tmp_path / "contents")
    digest, _ = contents.take_in(_file(tmp_path / "one", b"the same"))
    contents.path(digest).write_bytes(b"damaged!")

    with pytest.raises(PermissionError):
        contents.take_in(_file(tmp_path / "two", b"the same"))


def test_elsewhere_a_content_is_read_only(tmp_path: Path) -> None:
    contents = Contents(tmp_path / "contents")
    digest, _ = contents.take_in(_file(tmp_path / "one", b"the same"))
    assert contents.path(digest).stat().st_mode & 0o777 == 0o444
