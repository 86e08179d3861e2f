"""Parts of every command: its result, settings and files from flags, questions to the user, and tables as text."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.display import one_line
from pipeline.base.errors import EXIT_OK, ReelError, UsageError
from pipeline.base.launcher import as_called
from pipeline.base.project import CONFIG, project_file, project_folders
from pipeline.cli.options.declare import Arguments, flags_of
from pipeline.cli.options.shared import SettingFlags

# Imported where they are used: `reel version` needs nothing of it and `reel runs list` little, and it takes 0.4 s.
if TYPE_CHECKING:
    from pydantic import JsonValue

    from pipeline.base.setting_names import Parameters
    from pipeline.base.settings import Origins, Settings
    from pipeline.cli.options.jobs import JobFlags, StepFlags
    from pipeline.engine.folder_walk import FolderWalk
    from pipeline.engine.media_list import Request
    from pipeline.engine.project import Project
    from pipeline.store.history import Runs


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: data for `--json`, the same as text, the exit code, and the errors of single files."""

    data: JsonValue
    text: str = ""
    exit_code: int = EXIT_OK
    errors: tuple[ReelError, ...] = ()


def flags_given(arguments: Arguments) -> dict[str, JsonValue]:
    """Return the settings that the flags of this call set, by dotted names."""
    from pipeline.base.settings import parse_assignment

    assigned = arguments.assignments if isinstance(arguments, SettingFlags) else ()
    flags = dict(map(parse_assignment, assigned))
    for flag in flags_of(type(arguments)):
        value = getattr(arguments, flag.name)
        if flag.setting and value is not None:
            flags[flag.setting] = list(value) if isinstance(value, tuple) else value
    return flags


def settings_of(arguments: Arguments) -> tuple[Settings, Origins]:
    """Return the settings of this call."""
    from pipeline.base.settings import load_settings

    flags = flags_given(arguments)
    return load_settings(CONFIG / "defaults.toml", project_file(), os.environ, flags, _stage_parameters)


def _stage_parameters() -> Parameters:
    from pipeline.plan.registry import PARAMETERS

    return PARAMETERS


def project_of(arguments: Arguments) -> Project:
    """Return the project under this call's settings."""
    from pipeline.engine.project import open_project

    return open_project(settings_of(arguments)[0])


def history_of(arguments: Arguments) -> Runs:
    """Return the history of runs under this call's settings, without the rest of the project."""
    from pipeline.store.history import Runs
    from pipeline.store.results import ResultStore

    folders = project_folders(settings_of(arguments)[0])
    return Runs(ResultStore(folders.results, folders.index), folders.runs)


def selecting(project: Project, arguments: StepFlags) -> Project:
    """Return the project with a planner that selects steps as the flags say."""
    from pipeline.plan.selection import Selection

    forced = (*arguments.force, *([arguments.only] if arguments.only else []))
    selection = Selection(arguments.from_step, arguments.until or arguments.only, forced)
    return replace(project, planner=replace(project.planner, selection=selection))


def walk_of(project: Project) -> FolderWalk:
    """Return the folder walk that all commands share."""
    from pipeline.engine.folder_walk import FolderWalk

    return FolderWalk((project.folders.results, project.folders.cache, project.folders.environments))


def requests_of(
    arguments: JobFlags, media_root: Path, walk: FolderWalk, fetch: Callable[[str], Request] | None = None
) -> list[Request]:
    """Return the media files of this call in processing order. `fetch` downloads the file behind an address; without
    it, an address is an error."""
    from pipeline.engine.addresses.fetch import is_address
    from pipeline.engine.media_list import Request, find_media, ordered, read_list

    addresses = [name for name in dict.fromkeys(arguments.media) if fetch and is_address(name)]
    names = [name for name in arguments.media if name not in addresses]
    requests = [Request(media) for media in find_media(names, media_root, walk)]
    requests += [fetch(address) for address in addresses if fetch]
    if arguments.manifest:
        requests += read_list(media_root / arguments.manifest, walk)
    if not requests:
        raise UsageError("media.none", "no media file is named", hint="name files, folders, patterns or a `--manifest`")
    return ordered(requests, arguments.order, arguments.limit)


def say(text: str) -> None:
    """Print a note for the user on standard error."""
    print(f"note: {as_called(text)}", file=sys.stderr, flush=True)


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return rows as columns of text, two spaces apart; the last column may be of any length."""
    lines = [[one_line(cell) for cell in row] for row in [*([head] if head else []), *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def has_terminal() -> bool:
    """Tell whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str, shown: str, *, yes: bool) -> bool:
    """Return whether the user agrees, by the flag `--yes` or by an answer at the terminal; False without both."""
    if yes or not has_terminal():
        return yes
    print(f"{shown}\n{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def megabytes(size: int) -> str:
    """Return a number of bytes as `145 MB` or `2.3 GB`: decimal, as disks and providers count."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
