"""Places of files in library mode: subtitles beside the film, all else in a hidden folder there. Pure.

    Movies/Film (2020)/Film (2020).mkv
    Movies/Film (2020)/Film (2020).en.srt
    Movies/Film (2020)/.reel/Film (2020).mkv/job.json      with transcript, report and the like

The record of what reel wrote lies beside what it wrote: it goes where the folder goes, is there from every working
folder and every machine that sees the disk, and goes when the film's folder is deleted. Media servers, and the walk
through a folder, pass over hidden names. The film's whole name tells two films with one stem apart.
"""

from __future__ import annotations

from pathlib import Path

JOBS = ".reel"
# From a film's job folder to the folder of the film.
UP = "../../"
# One file a language: a server would list a second format as one more subtitle.
FORMATS = ("srt",)
_FILES = "files"  # the role of a result's subtitle files
# Other files of that role are for programs, or text without times that Kodi would offer as a subtitle.
_SHOWN = frozenset({".srt", ".vtt", ".ass", ".ttml", ".scc"})


def job_folder(film: Path) -> Path:
    """Return the folder for a film's `job.json` and every result that is not a subtitle."""
    return film.parent / JOBS / film.name


def is_job_folder(folder: Path) -> bool:
    """Tell whether a folder is one that `job_folder` gives."""
    return folder.parent.name == JOBS


def place_of(folder: Path, name: str) -> Path:
    """Return the path of a file that a job names."""
    return folder.parent.parent / name.removeprefix(UP) if name.startswith(UP) else folder / name


def lies_beside(role: str, tail: str) -> bool:
    """Tell whether a result is a subtitle for players, by its role in the step and the end of its name."""
    return role == _FILES and tail[tail.rfind(".") :] in _SHOWN
