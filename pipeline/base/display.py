"""Make text safe for a terminal: characters that control it, or that make a name look like another one, are escaped.

Names come from sources that are not trusted: the name of a file, a tag in it, the message of a library. Everything that
a command prints passes through `guarded_streams`; a name within a line passes through `one_line`. JSON keeps every name
exactly, by JSON's own escapes.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import TextIO, cast

# Controls, line separators, embeddings, overrides and isolates of writing direction, and surrogates, which represent
# bytes of a name that are not UTF-8.
_UNSAFE = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_IN_TEXT, _IN_LINE = re.compile(f"[{_UNSAFE}]"), re.compile(f"[\t\n{_UNSAFE}]")
_BYTES = range(0xDC80, 0xDD00)  # the surrogates by which Python represents the bytes 0x80 to 0xFF


def readable(text: str) -> str:
    """Return the text with unsafe characters escaped, except line ends and tabs."""
    return _IN_TEXT.sub(_escape, text)


def one_line(text: str) -> str:
    """Return the text on one line, with unsafe characters, line ends and tabs escaped."""
    return _IN_LINE.sub(_escape, text)


def counted(count: int, what: str) -> str:
    """Return a number with what is counted: `1 cue`, `2 cues`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def json_text(
    document: object, stream: TextIO, *, indent: int | None = None, default: Callable[[object], str] = str
) -> str:
    """Return the document as JSON that is exact and safe on a terminal, in ASCII if the stream is not UTF-8."""
    text = json.dumps(document, ensure_ascii=not _is_utf8(stream), indent=indent, default=default)
    return _IN_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@contextlib.contextmanager
def guarded_streams() -> Iterator[None]:
    """Make everything printed inside the block safe for a terminal and writable in the stream's encoding."""
    out, err = cast(TextIO, _Guarded(sys.stdout)), cast(TextIO, _Guarded(sys.stderr, may_be_lost=True))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield


def unguarded(stream: TextIO) -> TextIO:
    """Return the stream itself, for a writer that controls the terminal and passes names through `one_line`."""
    return stream.inner if isinstance(stream, _Guarded) else stream


def discard(stream: TextIO) -> None:
    """Send what a stream still holds, and all that follows, to nowhere: its disk is full, or the reader of its pipe has
    gone. What it still holds would fail again when Python ends, which would change the exit code."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Guarded:
    """A stream of text that escapes what it is given; in all else the stream that it writes to.

    If the text `may_be_lost`, a full disk does not end the work that the text tells of.
    """

    def __init__(self, inner: TextIO, *, may_be_lost: bool = False) -> None:
        self.inner, self._may_be_lost = inner, may_be_lost

    def write(self, text: str) -> int:
        safe = readable(text)
        if not _is_utf8(self.inner) and not safe.isascii():
            encoding = self.inner.encoding or "ascii"
            safe = safe.encode(encoding, "backslashreplace").decode(encoding)
        self._try(lambda: self.inner.write(safe))
        return len(text)

    def flush(self) -> None:
        self._try(self.inner.flush)

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except BrokenPipeError:
            raise
        except OSError:
            if not self._may_be_lost:
                raise
            discard(self.inner)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


def _is_utf8(stream: TextIO) -> bool:
    try:
        return codecs.lookup(getattr(stream, "encoding", None) or "ascii").name == "utf-8"
    except LookupError:
        return False


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in _BYTES:
        return f"\\x{code - 0xDC00:02x}"
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(found[0])
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
