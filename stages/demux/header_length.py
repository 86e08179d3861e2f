"""Read the length of the sound that the header of an uncompressed file declares.

ffmpeg computes the length of such a file from its size, so a file that was cut off looks complete.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# Programs that write to a pipe leave the length at 0 or near one of the two maxima.
_UNKNOWN_FROM = 0x7FFF0000
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_HEADER_BYTES = 1 << 20  # no header is longer; the search ends here in a broken file

_Chunk = tuple[bytes, int, bytes]
"""The name of a chunk, the length of its content, and the first bytes of the content."""


def header_length_ms(media: Path) -> int | None:
    """Return the length that the header declares; None for another kind of file, and if it declares none."""
    try:
        with media.open("rb") as stream:
            head = stream.read(40)
            if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
                return _wave(_chunks(stream, 12, "<"))
            if head[:16] == _W64_RIFF:
                return _wave(_w64_chunks(stream))
            if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
                return _aiff(_chunks(stream, 12, ">"))
    except (OSError, struct.error):
        pass
    return None


def _wave(chunks: Iterator[_Chunk]) -> int | None:
    bytes_per_second, large = 0, None
    for name, length, content in chunks:
        if name == b"ds64":
            large = int.from_bytes(content[8:16], "little")
        elif name == b"fmt ":
            bytes_per_second = int.from_bytes(content[8:12], "little")
        elif name == b"data":
            length = large if large is not None and length == 0xFFFFFFFF else length
            unknown = length == 0 or (large is None and _UNKNOWN_FROM <= length <= 0xFFFFFFFF)
            return None if unknown or not bytes_per_second else length * 1000 // bytes_per_second
    return None


def _aiff(chunks: Iterator[_Chunk]) -> int | None:
    for name, _, content in chunks:
        if name == b"COMM":
            frames = int.from_bytes(content[2:6], "big")
            exponent, mantissa = struct.unpack(">HQ", content[8:18])  # an 80-bit float: the rate
            rate = mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)
            return round(frames * 1000 / rate) if rate >= 1 and 0 < frames < _UNKNOWN_FROM else None
    return None


def _chunks(stream: BinaryIO, at: int, order: str) -> Iterator[_Chunk]:
    while at < _HEADER_BYTES:
        stream.seek(at)
        name, length = struct.unpack(f"{order}4sI", stream.read(8))
        yield name, length, stream.read(min(length, 40))
        at += 8 + length + length % 2


def _w64_chunks(stream: BinaryIO) -> Iterator[_Chunk]:
    at = 40
    while at < _HEADER_BYTES:
        stream.seek(at)
        name, length = struct.unpack("<16sQ", stream.read(24))
        yield name[:4], length - 24, stream.read(min(max(length - 24, 0), 40))
        at += max(length + -length % 8, 24)
