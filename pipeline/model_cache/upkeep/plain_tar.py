"""Write and read tar archives that hold regular files only, with the `tarfile` of the standard library.

An archive may come from anywhere. Nothing is extracted by the library: a caller reads the bytes of a member that it
knows. But the library trusts headers, and reads extended ones of any size into memory. So each header is checked first:
only a regular file, or the long name of one, is accepted.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator
from typing import IO, Self

from shared.copying import Readable

_LONG_NAME_BYTES = 256  # at most: a long name is a member before that of its file; the names of some wheels need it


class InvalidArchive(Exception):
    """The archive was not made by reel, or it was changed; the text says how."""


class _RegularFile(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header. Raises `InvalidArchive` before anything that it announces is read."""
        member = super().frombuf(buf, encoding, errors)
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.GNUTYPE_LONGNAME):
            raise InvalidArchive(f"{member.name[:80]!r} is not a regular file")
        if member.size < 0:
            raise InvalidArchive(f"{member.name[:80]!r} has {member.size} bytes")
        if member.type == tarfile.GNUTYPE_LONGNAME and member.size > _LONG_NAME_BYTES:
            raise InvalidArchive(f"it holds a name of {member.size} bytes")
        return member


def create(stream: IO[bytes]) -> tarfile.TarFile:
    """Begin an archive; closing it writes its end, and leaves the stream open."""
    return tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT)  # the format for files above 8 GiB


def add(archive: tarfile.TarFile, name: str, size: int, source: Readable) -> None:
    """Add `size` bytes as a file without a time or an owner, so that the same files give the same archive."""
    if len(name.encode()) >= _LONG_NAME_BYTES:
        raise ValueError(f"{name} is too long for the archive")
    entry = tarfile.TarInfo(name)
    entry.size = size
    archive.addfile(entry, source)


def add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with this content."""
    add(archive, name, len(content), io.BytesIO(content))


@contextlib.contextmanager
def reading(stream: IO[bytes]) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
    """Yield the members in their order, each with a stream of its bytes, which must be read before the next member.

    The stream is read once from its beginning, so it may be a pipe. Raises `InvalidArchive`.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_RegularFile) as archive:
            yield ((member, content) for member in archive if (content := archive.extractfile(member)))
    except (tarfile.TarError, RecursionError) as error:  # a long name before a long name before ...
        raise InvalidArchive(f"it is not a whole plain tar archive ({str(error)[:80]})") from error
