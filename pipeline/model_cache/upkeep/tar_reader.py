"""Read plain tar archives of regular files strictly: only what reel's own archives need.

The standard library's reader is not used for what comes from elsewhere: it believes headers (extended ones, of any
size, are read into memory) and knows links, devices and sparse files. Here a member is a name, a length and so many
bytes, with a long name before it at most; everything else is refused where it is met, before anything of it is read.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK = 512
_NAME_BYTES = 100  # longer names, which some wheels have, stand in a member of their own before the file's
_LONG_NAME_BYTES = 255
_LONG_NAME = b"L"
_END = bytes(_BLOCK)
_REGULAR = (b"0", b"\0")
_DIGITS = re.compile(rb"[0-7]+")


class NotOurs(Exception):
    """The archive is not one of ours, or it was tampered with; the text says how."""


@dataclass(frozen=True)
class Member:
    """A file of an archive. Its bytes follow in the stream that the reader was given."""

    name: str
    size: int


def header(name: str, size: int) -> bytes:
    """The block before a member: no time, no owner, so that the same files give the same archive."""
    if len(name.encode()) > _LONG_NAME_BYTES:
        raise ValueError(f"{name} is too long for the archive")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry.tobuf(format=tarfile.GNU_FORMAT)  # it is the one that holds files above 8 GiB


def padding(size: int) -> bytes:
    """Return the bytes that fill a member up to whole blocks."""
    return bytes(-size % _BLOCK)


def end() -> bytes:
    """Return the end of an archive."""
    return _END * 2


def members(stream: BinaryIO) -> Iterator[Member]:
    """Yield each member in turn. The caller reads exactly its bytes with `content` before it asks for the next."""
    names: set[str] = set()
    while (block := stream.read(_BLOCK)) != _END:
        long_name = None
        if block[156:157] == _LONG_NAME:
            long_name = _long_name(stream, block)
            block = stream.read(_BLOCK)
        member = _member(block, long_name)
        if member.name in names:
            raise NotOurs(f"it holds `{member.name}` twice")
        names.add(member.name)
        yield member
        if any(_exactly(stream, -member.size % _BLOCK)):
            raise NotOurs(f"there is unexpected data after `{member.name}`")
    if any(rest := stream.read(1 << 16)) or len(rest) == 1 << 16:
        raise NotOurs("it goes on after its end")


def content(stream: BinaryIO, member: Member, piece_bytes: int) -> Iterator[bytes]:
    """Yield a member's bytes in pieces."""
    left = member.size
    while left:
        piece = _exactly(stream, min(left, piece_bytes))
        left -= len(piece)
        yield piece


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise NotOurs("it ends in the middle of a file")
    return data


def _check(block: bytes) -> None:
    if len(block) != _BLOCK:
        raise NotOurs("it ends without an end mark" if block else "it is empty, or ends without an end mark")
    unsigned = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if _octal(block[148:156]) != unsigned:
        raise NotOurs("it is not a plain tar archive, or it is damaged")


def _long_name(stream: BinaryIO, block: bytes) -> str:
    _check(block)
    size = _length(block)
    if size > _LONG_NAME_BYTES + 1:
        raise NotOurs(f"it holds a name of {size} bytes")
    return _text(_exactly(stream, size + (-size % _BLOCK)))


def _member(block: bytes, long_name: str | None) -> Member:
    _check(block)
    name = long_name or _text(block[:_NAME_BYTES])
    if block[156:157] not in _REGULAR or block[157:257].strip(b"\0"):
        raise NotOurs(f"`{name}` is not a regular file")
    if block[257:263] == b"ustar\0" and block[345:500].strip(b"\0"):
        raise NotOurs(f"`{name}` has a name in two parts")
    return Member(name, _length(block))


def _length(block: bytes) -> int:
    """Return the size that a header claims; from 8 GiB on it is binary."""
    field = block[124:136]
    return int.from_bytes(field[1:]) if field[0] == 0x80 else _octal(field)


def _text(field: bytes) -> str:
    try:
        return field.rstrip(b"\0").decode("ascii")
    except UnicodeDecodeError as error:
        raise NotOurs("it holds a name that is not plain text") from error


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0") or b"0"
    if not _DIGITS.fullmatch(digits):  # `int` would also take a sign and underscores
        raise NotOurs("it is not a plain tar archive, or it is damaged")
    return int(digits, 8)
