"""A copy is a file of its own, and its digest is that of what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.copying import copy_verified


@given(content=st.one_of(st.binary(max_size=200), st.just(bytes(range(256)) * 9000)))
def test_a_copy_holds_the_same_bytes_and_says_their_digest(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    (folder / "source").write_bytes(content)
    assert copy_verified(folder / "source", folder / "target") == hashlib.sha256(content).hexdigest()
    assert (folder / "target").read_bytes() == content


def test_writing_to_a_copy_leaves_the_source_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"film" * 4096)
    source.chmod(0o444)
    copy_verified(source, target)
    assert not target.samefile(source)
    with open(target, "r+b") as stream:
        stream.write(b"tags")
    assert source.read_bytes() == b"film" * 4096


def test_a_copy_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"ours")
    (tmp_path / "target").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        copy_verified(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"theirs"
