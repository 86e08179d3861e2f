"""Reading a file that a user names ends, whatever the name stands for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from shared.files import read_once, read_regular


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_pipe_is_not_a_regular_file(pipe: Path) -> None:
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(pipe)


@pytest.mark.parametrize("read", [read_regular, read_once])
def test_a_file_is_read_and_a_folder_or_nothing_is_told_as_the_system_does(pipe: Path, read: object) -> None:
    assert callable(read)
    (pipe.parent / "file").write_bytes(b"text")
    assert read(pipe.parent / "file") == b"text"
    with pytest.raises(IsADirectoryError):
        read(pipe.parent)
    with pytest.raises(FileNotFoundError):
        read(pipe.parent / "none")


def test_a_pipe_without_a_writer_is_told_instead_of_waited_for(pipe: Path) -> None:
    with pytest.raises(OSError, match="no program writes to it"):
        read_once(pipe)


def test_a_pipe_with_a_writer_is_read_to_its_end_however_late_it_writes(pipe: Path) -> None:
    content = b"line\n" * 100_000  # more than a pipe holds: the writer has to wait for the reader
    has_writer = os.open(pipe, os.O_RDWR)

    def write() -> None:
        pipe.write_bytes(content)
        os.close(has_writer)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_once(pipe) == content
    writer.join()
