"""Gives an MP4 or MOV other edit lists, as programs write them that cut without encoding."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Edit = tuple[float | None, float]
"""Where the shown part begins in the track, None for a pause, and how long it is; in seconds."""

_NORMAL_SPEED = 0x10000


def with_edits(source: Path, target: Path, edits: Mapping[int, Sequence[Edit]]) -> Path:
    """Write `source`, whose index stands at its end, with the edits of the tracks that `edits` names by number."""
    content = source.read_bytes()
    moov, size = _find(content, 0, len(content), b"moov")
    assert moov + size == len(content), "the index has to stand at the end, so that no offset changes"
    mvhd, _ = _find(content, moov + 8, moov + size, b"mvhd")
    (scale,) = struct.unpack(">I", content[mvhd + 20 : mvhd + 24])
    parts: list[bytes] = []
    number = 0
    for kind, at, length in _boxes(content, moov + 8, moov + size):
        box = content[at : at + length]
        if kind == b"trak":
            box = _edited(box, edits[number], scale) if number in edits else box
            number += 1
        parts.append(box)
    target.write_bytes(content[:moov] + _box(b"moov", b"".join(parts)))
    return target


def _edited(trak: bytes, edits: Sequence[Edit], movie_scale: int) -> bytes:
    mdia, size = _find(trak, 8, len(trak), b"mdia")
    mdhd, _ = _find(trak, mdia + 8, mdia + size, b"mdhd")
    (scale,) = struct.unpack(">I", trak[mdhd + 20 : mdhd + 24])
    entries = [
        struct.pack(">IiI", round(lasts * movie_scale), -1 if start is None else round(start * scale), _NORMAL_SPEED)
        for start, lasts in edits
    ]
    listed = _box(b"edts", _box(b"elst", struct.pack(">II", 0, len(entries)) + b"".join(entries)))
    kept = [trak[at : at + length] for kind, at, length in _boxes(trak, 8, len(trak)) if kind != b"edts"]
    return _box(b"trak", kept[0] + listed + b"".join(kept[1:]))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at < end:
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        yield kind, at, size
        at += size


def _find(content: bytes, at: int, end: int, wanted: bytes) -> tuple[int, int]:
    return next((found, size) for kind, found, size in _boxes(content, at, end) if kind == wanted)
