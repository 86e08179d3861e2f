"""Run ffmpeg safely: with unambiguous file names, without formats that open other files, with progress, and without
leaving a process behind.

All stages read a user's file through `reading`, so they see the same tracks and the same clock. A file name is always
`file:` and an absolute path: ffmpeg would take a leading dash for an option, and `x:` for a protocol.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.containers import FORMATS
from shared.documents.media import Media, Track, clock_tracks
from shared.processes import child_options
from shared.stage import StageError

PROTOCOLS = "file"
OTHER = (
    "try the other ffmpeg: `--set ffmpeg=own` takes the one that reel brings, `--set ffmpeg=system` the machine's own"
)
NO_SPACE = "No space left on device"

_LAST_LINES = 200
_LOGGED_LINES = 5000  # a damaged film may give a message for each packet
_COMPLAINT = re.compile(r"error|invalid|failed|unable|cannot|could not|not found|no such", re.IGNORECASE)
_CONVERSION_FAILED = "Conversion failed!"  # ffmpeg's last line after any error
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_VERSION = re.compile(r"ffmpeg version n?(\S+)")
_SPEAKER = re.compile(r"^(\[[^\]]*\] ?)+")  # the component, with a memory address that differs in every run
_BASE = ("-nostdin", "-hide_banner", "-nostats", "-y", "-progress", "pipe:1", "-stats_period", "0.25")


@dataclass(frozen=True)
class Ended:
    """The end of a run of ffmpeg: its exit status, the end of its log, and the lines that matched `find`."""

    status: int
    log: tuple[str, ...]
    found: tuple[str, ...] = ()

    @property
    def no_space(self) -> bool:
        """Tell whether the disk was full, so that the output is incomplete."""
        return any(NO_SPACE in line for line in self.log)

    def reason(self) -> str:
        """Return the last error messages of the log on one line."""
        complaints = [
            _SPEAKER.sub("", line) for line in self.log if _COMPLAINT.search(line) and line != _CONVERSION_FAILED
        ]
        return "; ".join(dict.fromkeys(complaints[-2:])) or f"ffmpeg ended with status {self.status}"


def find_ffmpeg() -> str:
    """Return the full path of the ffmpeg on PATH. Raises `StageError` if there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise StageError(
            "ffmpeg.missing", "expected a program `ffmpeg` on PATH, found none", hint="run `./reel doctor`"
        )
    return found


def has_filter(program: str, name: str) -> bool:
    """Tell whether this ffmpeg was built with a filter."""
    return _lists(program, "-filters", name)


def has_encoder(program: str, name: str) -> bool:
    """Tell whether this ffmpeg was built with an encoder."""
    return _lists(program, "-encoders", name)


def _lists(program: str, what: str, name: str) -> bool:
    listed = subprocess.run(
        [program, "-hide_banner", what], check=False, capture_output=True, encoding="utf-8", errors="replace"
    )
    return re.search(rf"^\s*\S+\s+{re.escape(name)}\s", listed.stdout, re.MULTILINE) is not None


def named(program: str) -> str:
    """Return the name of the program in messages: `ffmpeg 5.1.9-0+deb12u1 (/usr/bin/ffmpeg)`."""
    shown = subprocess.run([program, "-version"], check=False, capture_output=True, encoding="utf-8", errors="replace")
    found = _VERSION.match(shown.stdout)
    return f"ffmpeg {found[1] if found else 'of unknown version'} ({Path(program).resolve()})"


def length_ms(program: str, media: Path) -> int | None:
    """Return the length that the container of a file declares; None if it declares none."""
    listed = run(program, reading(media), find=_DURATION, level="info").found
    found = _DURATION.search(listed[0]) if listed else None
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def require_media(code: str, media: Path) -> None:
    """Raise `StageError` with `code` if a media file no longer exists. ffmpeg would only report a missing file."""
    if not media.exists():
        raise StageError(
            code,
            f"{media}: expected the media file, found nothing: it was moved, renamed or deleted during the run",
            hint="run the same command with the name that the file has now; the steps that are done are reused",
        )


def address(path: Path) -> str:
    """Return the name of a file in the form that ffmpeg and PyAV take literally."""
    return f"file:{path.absolute()}"


def reading(media: Path, *options: str) -> list[str]:
    """Return the arguments that open a user's file as an input."""
    guards = ["-protocol_whitelist", PROTOCOLS, "-format_whitelist", ",".join(FORMATS)]
    return [*guards, *options, "-i", address(media)]


def keeping_clock(info: Media, read: Track) -> list[str]:
    """Return the arguments of a null output for all other tracks that define time 0: ffmpeg begins at the first moment
    of the tracks that it reads."""
    others = [index for index in clock_tracks(info.tracks) if index != read.index]
    maps = [word for index in others for word in ("-map", f"0:{index}")]
    return [*maps, "-c", "copy", "-f", "null", "-"] if others else []


def run(
    program: str,
    arguments: Sequence[str],
    *,
    duration_ms: int = 0,
    progress: Callable[[float], None] = lambda done: None,
    find: re.Pattern[str] | None = None,
    level: str = "warning",
    folder: Path | None = None,
) -> Ended:
    """Run ffmpeg to its end, in the working directory `folder` if it is given. If `progress` raises, ffmpeg is killed
    first. `find` selects lines of the log."""
    command = [program, *_BASE, "-loglevel", level, *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        **child_options(),
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    log: deque[str] = deque(maxlen=_LAST_LINES)
    found: list[str] = []
    reader = threading.Thread(target=_read_log, args=(process.stderr, log, found, find), daemon=True)
    reader.start()
    try:
        _follow(process.stdout, duration_ms, progress)
        status = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()
    return Ended(status, tuple(log), tuple(found))


def _follow(stream: IO[bytes], duration_ms: int, progress: Callable[[float], None]) -> None:
    """Report progress from ffmpeg's `key=value` lines; always 0 if the length is not known."""
    done = 0.0
    for line in stream:
        key, _, value = line.decode("ascii", "replace").strip().partition("=")
        if key == "out_time_us" and duration_ms > 0 and value.lstrip("-").isdigit():  # `N/A` before the first packet
            done = max(done, min(int(value) / 1000 / duration_ms, 1.0))
        elif key == "progress":
            progress(done)


def _read_log(stream: IO[bytes], log: deque[str], found: list[str], find: re.Pattern[str] | None) -> None:
    for number, raw in enumerate(stream):
        line = raw.decode("utf-8", "replace").rstrip()
        if find is not None and find.search(line):
            found.append(line)
        log.append(line)
        if number < _LOGGED_LINES:
            print(line, file=sys.stderr)
        elif number == _LOGGED_LINES:
            print("(ffmpeg says more; the rest is left out)", file=sys.stderr)
