"""Fetches the media file behind an address, once: it is kept beside the results, and later runs use that copy.

yt-dlp runs as a program in its own environment, without configuration, plugins and secrets of the user. It runs twice:
first for a description, so that the user sees the size and licence before the download, and then for the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import JsonValue

from pipeline.base import events
from pipeline.base.errors import BadInput, Missing, UsageError
from pipeline.base.events import Emit
from pipeline.base.project import CODE_ROOT
from pipeline.engine.addresses.described import Described, described
from pipeline.engine.media_list import Request
from pipeline.engine.project import Project
from pipeline.store.fetched_media import FOLDER, RECORD
from shared.documents.base import Document, DocumentError
from shared.environment_manager import ChildPaths, child_environment

FAMILY = "download"
LANGUAGE = "stages.asr.language"
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MARK = "reel-progress"
_SPARE = 1.1
_ERROR = re.compile(r"^ERROR: (?:\[[^\]]+\] )?(?:[\w-]+: )?(?P<why>.+)$", re.MULTILINE)
_FOR_DEVELOPERS = re.compile(r";? *please report this issue.*|\. *Confirm you are on the latest.*", re.IGNORECASE)


class Fetched(Document):
    """Record beside a fetched file: its address, and the facts from its page."""

    address: str
    file: str
    title: str
    language: str | None = None
    licence: str | None = None


def is_address(text: str) -> bool:
    """Tell whether an argument is an address that can be fetched, and not the name of an existing file."""
    return bool(_ADDRESS.match(text)) and not os.path.lexists(text)


def request_for(address: str, project: Project, emit: Emit) -> Request:
    """Return the request for the media file behind an address, and fetch the file if it was not fetched before. The
    language that its page states is used if the settings state none. Raises `Missing`, `BadInput` and `UsageError`."""
    if project.settings.beside:
        text = f"`--beside` writes next to a media file of yours, and {address} is an address"
        raise UsageError("address.beside", text, hint="leave `--beside` out, or download the file to its place first")
    folder = project.folders.results / FOLDER / hashlib.sha256(address.encode()).hexdigest()[:16]
    found = _record(folder)
    if found:
        os.utime(folder / RECORD)  # it was used just now
    else:
        if project.settings.offline:
            text = f"{address} has not been fetched yet, and the setting `offline` forbids it"
            raise Missing("address.offline", text, hint="run the command where there is a network, or name a file")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            found = _record(folder) or _fetch(address, folder, project, emit)
    named = project.settings.stages.get("asr", {}).get("language")
    overrides: dict[str, JsonValue] = {LANGUAGE: found.language} if found.language and not named else {}
    return Request(folder / found.file, overrides)


def _record(folder: Path) -> Fetched | None:
    """Return the record of a fetched file; None if there is no record or no file."""
    try:
        found = Fetched.read(folder / RECORD)
    except (DocumentError, OSError):
        return None
    return found if (folder / found.file).is_file() else None


def _fetch(address: str, folder: Path, project: Project, emit: Emit) -> Fetched:
    installed = project.installed
    installed.environments.ensure(FAMILY, emit)
    installed.tools.ensure(installed.tool, emit, offline=False)
    with _scratch_folder(folder.with_suffix(".coming")) as scratch:
        info = _describe(address, project, scratch)
        about = described(address, info)
        emit(events.Notice(None, None, about.sentence(address)))
        _check_space(about, folder.parent)
        (scratch / "info.json").write_text(json.dumps(info), encoding="utf-8")
        media = _download(about, project, scratch, emit)
        kept = scratch / "kept"
        kept.mkdir()
        found = Fetched(
            address=address, file=f"{about.name}{media.suffix}", title=about.title, language=about.language,
            licence=about.licence,
        )  # fmt: skip
        media.rename(kept / found.file)
        found.write(kept / RECORD)
        shutil.rmtree(folder, ignore_errors=True)  # of a file that was deleted
        kept.rename(folder)
    return found


@contextmanager
def _scratch_folder(folder: Path) -> Iterator[Path]:
    """Make an empty folder, deleting what a killed run left there, and delete it at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _describe(address: str, project: Project, scratch: Path) -> dict[str, Any]:
    """Return yt-dlp's description of an address."""
    command = _command(project, "--dump-single-json", "--no-playlist", "--", address)
    done = subprocess.run(
        command, env=_variables(project, scratch), cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    try:
        info: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        info = {}
    if done.returncode or not info:
        raise _refused(address, done.stderr)
    return info


def _download(about: Described, project: Project, scratch: Path, emit: Emit) -> Path:
    """Download the file into `scratch`, and return its path."""
    what, started = f"media file {about.title}", time.monotonic()
    template = f"download:{_MARK} %(progress.downloaded_bytes)d %(progress.total_bytes,progress.total_bytes_estimate)d"
    command = _command(
        project, "--load-info-json", "info.json", "--newline", "--progress", "--progress-template", template,
        "--no-mtime", "--output", "media.%(ext)s",
    )  # fmt: skip
    emit(events.SetupStarted(what, about.bytes))
    with open(scratch / "log", "wb") as log, _running(command, project, scratch, log.fileno()) as lines:
        for line in lines:
            mark, *counts = line.split()
            if mark == _MARK and len(counts) == 2 and all(count.isdigit() for count in counts):
                emit(events.SetupProgress(what, int(counts[0]), int(counts[1])))
    files = [path for path in scratch.glob("media.*") if path.suffix not in {".part", ".ytdl"}]
    if len(files) != 1:
        emit(events.SetupFailed(what, "address.unreadable"))
        raise _refused(about.title, (scratch / "log").read_text(encoding="utf-8", errors="replace"))
    emit(events.SetupFinished(what, time.monotonic() - started))
    return files[0]


@contextmanager
def _running(command: Sequence[str], project: Project, scratch: Path, log: int) -> Iterator[Iterator[str]]:
    """Run a program, and yield the lines that it prints. It is killed if the block ends early."""
    process = subprocess.Popen(
        command, env=_variables(project, scratch), cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=log, encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert process.stdout
    try:
        with process.stdout:
            yield iter(process.stdout)
        process.wait()
    finally:
        process.kill()
        process.wait()


def _command(project: Project, *words: str) -> list[str]:
    installed = project.installed
    return [
        str(installed.environments.python(FAMILY)), "-P", "-m", "yt_dlp", "--ignore-config", "--no-cache-dir",
        "--no-plugin-dirs", "--no-exec", "--color", "never", "--ffmpeg-location",
        str(installed.tools.folder(installed.tool)), *words,
    ]  # fmt: skip


def _variables(project: Project, scratch: Path) -> dict[str, str]:
    paths = ChildPaths(CODE_ROOT, scratch, (project.installed.tools.folder(project.installed.tool),), scratch)
    return child_environment(paths, os.environ, offline=False)


def _check_space(about: Described, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if about.bytes and free < about.bytes * _SPARE:
        text = f"{about.title} takes {about.bytes / 1e6:.0f} MB, and {folder} has {free / 1e6:.0f} MB free"
        hint = "free some space, or move the results with the setting `results_dir`"
        raise Missing("address.no-space", text, hint=hint)


def _refused(what: str, output: str) -> BadInput:
    """Return the error with yt-dlp's own reason, without its requests to report an issue."""
    reasons = [_FOR_DEVELOPERS.sub("", found["why"]).strip() for found in _ERROR.finditer(output)]
    why = reasons[-1] if reasons else (output.strip().splitlines() or ["it says nothing"])[-1]
    return BadInput(
        "address.unreadable", f"yt-dlp gets no media file from {what}: {why}",
        hint="see whether a browser plays it without a login; or download it there, and name the file",
    )  # fmt: skip
