"""Store the ranges of a file that are received before its beginning is complete, each in a file of its own.

    <sha256>.part            the beginning of the file, without a gap
    <sha256>.<start>.part    bytes from `start` on

A killed process loses nothing that it had written: the next process moves the pieces that fit into the beginning, and
fetches only the gaps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

_READ_BYTES = 1 << 20


def piece_at(partial: Path, start: int) -> Path:
    """Return the path of the piece that begins at the byte `start`."""
    return partial.with_name(f"{partial.stem}.{start}{partial.suffix}")


def pieces_of(partial: Path) -> dict[int, Path]:
    """Return the pieces of a file by their first byte, in that order."""
    found = {}
    for path in partial.parent.glob(f"{partial.stem}.*{partial.suffix}"):
        start = path.name[len(partial.stem) + 1 : -len(partial.suffix)]
        if start.isdecimal():
            found[int(start)] = path
    return dict(sorted(found.items()))


def fetched_bytes(partial: Path) -> int:
    """Return the number of bytes that an interrupted fetch has received, including those in pieces."""
    places = [partial, *pieces_of(partial).values()]
    return sum(place.stat().st_size for place in places if place.exists())


def drop_pieces(partial: Path) -> None:
    """Delete all pieces of a file."""
    for path in pieces_of(partial).values():
        path.unlink(missing_ok=True)


def gaps(partial: Path, reached: int, size: int) -> list[tuple[int, int]]:
    """Return the ranges `[start, end)` that are neither in the beginning, which has `reached` bytes, nor in a piece."""
    found, at = [], reached
    for start, path in pieces_of(partial).items():
        if start > at:
            found.append((at, start))
        at = max(at, start + path.stat().st_size)
    return [*found, (at, size)] if at < size else found


def ready(partial: Path, reached: int, still_written: Collection[int] = ()) -> Iterator[bytes]:
    """Yield the bytes of pieces that continue the beginning, and delete each piece that has been used up.

    The caller must write each chunk before it requests the next. Pieces that begin in `still_written` are skipped.
    """
    for start, path in pieces_of(partial).items():
        if start > reached or start in still_written:
            return
        with open(path, "rb", buffering=0) as stream:
            stream.seek(reached - start)  # the process may have been killed between the writing and the deleting
            while chunk := stream.read(_READ_BYTES):
                reached += len(chunk)
                yield chunk
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
