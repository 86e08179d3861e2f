"""ffmpeg for the stages: the machine's own when it is new enough, else the one in a wheel, always by the name `ffmpeg`.

A child gets a folder on its PATH in which `ffmpeg` is the one that was chosen, so that a stage can call it by name
and no other can slip in.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.settings import FfmpegChoice
from pipeline.environments.environments import Environments
from shared.containers import FORMATS
from shared.files import write_atomically

FFMPEG = "ffmpeg"
OLDEST = (5, 1)
_WHEEL = FFMPEG  # the family that carries the program
_PATIENCE_S = 30.0  # for one file: a disk that sleeps may have to wake first
_VERSION = re.compile(r"ffmpeg version n?(\d+)\.(\d+)(\S*)")


@dataclass(frozen=True)
class Tool:
    """A program and where it comes from. `version` is part of the key of what it makes."""

    version: str
    origin: str
    family: str | None  # the environment that must be ensured first; None for the machine's own
    program: Path | None  # known only for the machine's own, until then


class Tools:
    """The tools of one machine."""

    def __init__(
        self, cache: Path, environments: Environments, path: str | None, wanted: FfmpegChoice = "auto"
    ) -> None:
        self._cache, self._environments, self._path, self._wanted = cache, environments, path, wanted

    def choose(self) -> Tool:
        """Choose the ffmpeg that stages get. Its version is asked once and remembered by the program's identity.

        The machine's own is taken first, because it saves 70 MB; a setting names the other one, for what one of the
        two cannot read. No stage goes over to the other by itself: the version is part of the results' keys.
        """
        found = shutil.which(FFMPEG, path=self._path) if self._path and self._wanted != "own" else None
        if found:
            program = Path(found).resolve()
            version = self._version_of(program)
            if version and _numbers(version) >= OLDEST:
                return Tool(version, str(program), None, program)
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
        """Return the program itself. Raises `Missing` where it is not set up."""
        return tool.program or self._program_in_wheel()

    def describe(self, tool: Tool, media: Path) -> str:
        """Return ffmpeg's description of a file, a line for each track; an empty text where it does not answer. Raises
        `Missing`."""
        guards = ["-protocol_whitelist", "file", "-format_whitelist", ",".join(FORMATS)]
        command = [str(self.program(tool)), "-nostdin", "-hide_banner", *guards, "-i", f"file:{media.absolute()}"]
        try:
            asked = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_PATIENCE_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return asked.stderr.decode(errors="replace")

    def folder(self, tool: Tool) -> Path:
        """Return the folder to put on a child's PATH; made when it is not there."""
        program = self.program(tool)
        folder = self._cache / "tools" / re.sub(r"[^A-Za-z0-9.]+", "-", tool.version)
        link = folder / (FFMPEG + program.suffix if os.name == "nt" else FFMPEG)
        if not (link.exists() and link.samefile(program)):
            folder.mkdir(parents=True, exist_ok=True)
            beside = link.with_name(f".{link.name}.{os.getpid()}")
            beside.unlink(missing_ok=True)
            if os.name == "nt":
                shutil.copy2(program, beside)
            else:
                beside.symlink_to(program)
            os.replace(beside, link)
        return folder

    def ensure(self, tool: Tool, emit: Emit, *, offline: bool) -> None:
        """Have the tool at hand. Raises `Missing`."""
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

    def _version_of(self, program: Path) -> str | None:
        """Return a version like `5.1.9-0+deb12u1`; None if the program is not ffmpeg."""
        status = program.stat()
        identity = f"{program} {status.st_size} {status.st_mtime_ns}"
        memory = self._cache / "tools" / "versions.json"
        known = _read(memory)
        if identity not in known:
            try:
                asked = subprocess.run(
                    [program, "-version"],
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=20,
                    stdin=subprocess.DEVNULL,
                )
            except (OSError, subprocess.TimeoutExpired):
                return None
            match = _VERSION.match(asked.stdout)
            known = {**known, identity: "".join((match[1], ".", match[2], match[3])) if match else ""}
            with contextlib.suppress(OSError):  # a memory only; another account's folder may be for reading
                memory.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(memory, json.dumps(known, indent=1).encode())
        return known[identity] or None


def _numbers(version: str) -> tuple[int, int]:
    major, minor = re.split(r"[^0-9]", version)[:2]
    return int(major), int(minor)


def _read(path: Path) -> Mapping[str, str]:
    try:
        known: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known
