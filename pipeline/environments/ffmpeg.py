"""Choose the ffmpeg of the stages: the machine's own if it is new enough, else the one in a wheel.

A child gets a folder on its PATH in which `ffmpeg` is the chosen program, so that a stage can call it by this name and
gets no other one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.settings import FfmpegChoice
from pipeline.environments.environments import Environments
from shared.containers import FORMATS
from shared.documents.base import Document, DocumentError, Frozen

FFMPEG = "ffmpeg"
OLDEST = (5, 1)
_WHEEL = FFMPEG  # the family that carries the program
_WINDOWS = os.name == "nt"
_TIMEOUT_S = 30.0  # for one file: a disk that sleeps may have to wake first
# The libraries that burning in subtitles needs, each with the filter or encoder that it provides. Homebrew builds
# ffmpeg without the first, Fedora without the second.
_PARTS = {"libass": "ass", "libx264": "libx264"}
# Of the container, and of the first packet of its sound as `framecrc` writes it.
_START = re.compile(r"start: (-?\d+\.\d+)")
_TIME_BASE, _PACKET = (
    re.compile(r"^#tb 0: (\d+)/(\d+)", re.MULTILINE),
    re.compile(r"^0, *-?\d+, *(-?\d+),", re.MULTILINE),
)
_VERSION = re.compile(r"ffmpeg version n?(\d+)\.(\d+)(\S*)")


@dataclass(frozen=True)
class Tool:
    """A program and where it comes from. `version` is part of the key of what it makes."""

    version: str
    origin: str
    family: str | None  # the environment that must be ensured first; None for the machine's own
    program: Path | None  # known only for the machine's own, until then


class Build(Frozen):
    """Version and parts of a program called ffmpeg. `version` is like `5.1.9-0+deb12u1`, empty if it is not ffmpeg."""

    version: str
    lacks: tuple[str, ...] = ()  # libraries that it was built without


class Builds(Document):
    """Content of `tools/builds.json`: the build of each program, by its path, size and time of change."""

    builds: dict[str, Build] = {}


class Tools:
    """The tools of one machine."""

    def __init__(
        self, cache: Path, environments: Environments, path: str | None, wanted: FfmpegChoice = "auto"
    ) -> None:
        self._cache, self._environments, self._path, self._wanted = cache, environments, path, wanted

    def choose(self) -> Tool:
        """Choose the ffmpeg that stages get. A program is asked for its version once, and again when it has changed.

        The machine's own is preferred, because it saves 70 MB, unless it lacks what burning in subtitles needs. The
        setting `ffmpeg` chooses the other one, for a file that one of the two cannot read. A stage never changes to the
        other by itself, because the version is part of the results' keys.
        """
        found = shutil.which(FFMPEG, path=self._path) if self._path and self._wanted != "own" else None
        if found:
            program = Path(found).resolve()
            build = self._build_of(program)
            is_complete = self._wanted == "system" or not build.lacks
            if build.version and _numbers(build.version) >= OLDEST and is_complete:
                return Tool(build.version, str(program), None, program)
        if self._wanted == "system":
            oldest = ".".join(map(str, OLDEST))
            raise UsageError(
                "tool.system",
                f"`ffmpeg` is `system`: expected ffmpeg {oldest} or newer on PATH, found {found or 'none'}",
                hint="install one, or set `ffmpeg` to `auto`",
            )
        digest = self._environments.digest(_WHEEL)
        return Tool(f"wheel {digest[:12]}", "the imageio-ffmpeg wheel", _WHEEL, None)

    def program(self, tool: Tool) -> Path:
        """Return the path of the program. Raises `Missing` if it is not set up."""
        return tool.program or self._program_in_wheel()

    def describe(self, tool: Tool, media: Path) -> str:
        """Return ffmpeg's description of a file, with a line for each track, or an empty text if ffmpeg fails. Raises
        `Missing`."""
        return self._ask(tool, media, [])

    def _ask(self, tool: Tool, media: Path, arguments: Sequence[str]) -> str:
        """Return everything that ffmpeg prints about a file; an empty text if it does not run or takes too long."""
        guards = ["-protocol_whitelist", "file", "-format_whitelist", ",".join(FORMATS)]
        command = [str(self.program(tool)), "-nostdin", "-hide_banner", *guards, "-i", f"file:{media.absolute()}"]
        try:
            asked = subprocess.run(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return asked.stdout.decode(errors="replace")

    def sound_delay_ms(self, tool: Tool, media: Path) -> int:
        """Return by how many milliseconds the sound begins later than the file; 0 if ffmpeg does not tell.

        A program that extracts the sound loses this silence. Raises `Missing`.
        """
        arguments = ["-map", "0:a:0", "-c", "copy", "-copyts", "-frames:a", "2", "-f", "framecrc", "-"]
        output = self._ask(tool, media, arguments)
        start, base, packet = _START.search(output), _TIME_BASE.search(output), _PACKET.search(output)
        if not (start and base and packet):
            return 0
        first_ms = int(packet[1]) * 1000 * int(base[1]) // int(base[2])
        return max(first_ms - round(float(start[1]) * 1000), 0)

    def folder(self, tool: Tool) -> Path:
        """Return the folder to put on a child's PATH, which is created if it is missing.

        Windows allows few accounts to create links. There, the machine's own program is used in its own folder, because
        a copy would lack the libraries beside it, and the program of the wheel is copied.
        """
        program = self.program(tool)
        if _WINDOWS and tool.program:
            return program.parent
        folder = self._cache / "tools" / re.sub(r"[^A-Za-z0-9.]+", "-", tool.version)
        link = folder / (FFMPEG + program.suffix if _WINDOWS else FFMPEG)
        if not (link.exists() and (_is_copy(link, program) if _WINDOWS else link.samefile(program))):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = link.with_name(f".{link.name}.{os.getpid()}")
            temporary.unlink(missing_ok=True)
            if _WINDOWS:
                shutil.copy2(program, temporary)
            else:
                temporary.symlink_to(program)
            os.replace(temporary, link)
        return folder

    def ensure(self, tool: Tool, emit: Emit, *, offline: bool) -> None:
        """Set up the tool if it is missing. Raises `Missing`."""
        if tool.family:
            self._environments.ensure(tool.family, emit, offline=offline)

    def _program_in_wheel(self) -> Path:
        folder = self._environments.site_packages(_WHEEL) / "imageio_ffmpeg" / "binaries"
        for program in sorted(folder.glob("ffmpeg-*")):
            return program
        raise Missing(
            "tool.ffmpeg",
            f"there is no ffmpeg in {folder}; the wheel for this platform does not carry one",
            hint=f"install ffmpeg {OLDEST[0]}.{OLDEST[1]} or newer",
        )

    def _build_of(self, program: Path) -> Build:
        """Return what a program says of itself. The answer is remembered by the program's path, size and time."""
        status = program.stat()
        identity = f"{program} {status.st_size} {status.st_mtime_ns}"
        file = self._cache / "tools" / "builds.json"
        known = _read(file)
        if identity not in known.builds:
            known = Builds(builds={**known.builds, identity: _ask_program(program, identity)})
            if self._cache.is_dir():  # nothing is created in a project that is not set up
                with contextlib.suppress(OSError):  # it only saves time; the folder of another account is read-only
                    file.parent.mkdir(exist_ok=True)
                    known.write(file)
        return known.builds[identity]


@cache
def _ask_program(program: Path, identity: str) -> Build:
    """Ask a program for its version and its libraries. `identity` distinguishes it from a later program at its path.

    Cached also within a process, because the cache on the disk may be read-only: the three answers take 0.25 s.
    """
    match = _VERSION.match(_answer(program, "-version"))
    version = "".join((match[1], ".", match[2], match[3])) if match else ""
    parts = _answer(program, "-hide_banner", "-filters") + _answer(program, "-hide_banner", "-encoders")
    return Build(version=version, lacks=tuple(part for part, word in _PARTS.items() if word not in parts.split()))


def _answer(program: Path, *arguments: str) -> str:
    """Return what a program prints; an empty text if it does not run or takes too long."""
    try:
        asked = subprocess.run(
            [program, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout


def _is_copy(copy: Path, program: Path) -> bool:
    """Tell whether a file is the copy of the program that `shutil.copy2` made: it keeps size and time."""
    copied, original = copy.stat(), program.stat()
    return (copied.st_size, int(copied.st_mtime)) == (original.st_size, int(original.st_mtime))


def _numbers(version: str) -> tuple[int, int]:
    major, minor = re.split(r"[^0-9]", version)[:2]
    return int(major), int(minor)


def _read(path: Path) -> Builds:
    try:
        return Builds.read(path)
    except (OSError, DocumentError):
        return Builds()
