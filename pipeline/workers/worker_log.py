"""Keep a worker's log below a size limit: the beginning and the end stay, with a note of how much was left out.

The worker writes directly to the file, so the file holds the last output however the worker ends, and no writer waits
for a reader. The file is shortened in place while its writer is paused, and further output is appended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

CAP_BYTES = 10_000_000
_HEAD_BYTES, _TAIL_BYTES = 1_000_000, 5_000_000
_QUOTED_BYTES = 16_000  # of the end of a log, to quote lines from
_MARK = re.compile(rb"\[reel left out (\d+) bytes here[^\n]*\]\n")
_MARK_WITHIN = 64 << 10  # bytes after the beginning to search for the note; a worker may have written in between


def is_too_long(log: Path, cap: int = CAP_BYTES) -> bool:
    """Tell whether a log has grown beyond its size limit."""
    try:
        return log.stat().st_size > cap
    except FileNotFoundError:  # the user has removed the file
        return False


def shorten(log: Path, quoted: Iterable[str] = (), cap: int = CAP_BYTES) -> bool:
    """Remove the middle of a log that is larger than `cap` bytes, and return whether it was larger.

    No process may write to the log meanwhile. `quoted` are texts that error messages point to: those that are removed
    with the middle are repeated in its place.
    """
    if not is_too_long(log, cap):
        return False
    try:
        with open(log, "a+b", buffering=0) as stream:  # the worker appends too
            _leave_out_middle(stream.fileno(), quoted, cap)
    except FileNotFoundError:
        return False
    return True


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log, without empty ones; none if the log is gone."""
    try:
        with open(log, "rb", buffering=0) as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - _QUOTED_BYTES, 0))
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()][-count:]


def _leave_out_middle(file: int, quoted: Iterable[str], cap: int) -> None:
    head, tail = cap * _HEAD_BYTES // CAP_BYTES, cap * _TAIL_BYTES // CAP_BYTES
    first = _read(file, head, 0)
    first = first[: first.rfind(b"\n") + 1] or first
    size = -1
    while size != (size := os.fstat(file).st_size):  # a writer that receives the signal may finish a line first
        last = _read(file, tail, size - tail)
    last = last[last.find(b"\n") + 1 :]
    gone = size - len(first) - len(last)
    if earlier := _MARK.search(_read(file, _MARK_WITHIN, len(first))):
        gone += int(earlier[1]) - len(earlier[0])
    lines = [text.encode(errors="replace").rstrip(b"\n") + b"\n" for text in quoted]
    kept = b"".join(line for line in lines if line not in first and line not in last)
    mark = b"[reel left out %d bytes here%b]\n" % (gone, b", but for what errors tell of" if kept else b"")
    os.truncate(file, len(first))
    _write(file, (b"" if first.endswith(b"\n") else b"\n") + mark + kept + last)


def _read(file: int, length: int, start: int) -> bytes:
    os.lseek(file, start, os.SEEK_SET)
    parts = []
    while length > 0 and (part := os.read(file, length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
