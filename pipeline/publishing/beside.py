"""Places of files in library mode: subtitles beside the film, everything else in a hidden folder there. Pure.

    Movies/Film (2020)/Film (2020).mkv
    Movies/Film (2020)/Film (2020).en.srt
    Movies/Film (2020)/.reel/Film (2020).mkv/job.json      with transcript, report and the like

The record lies beside the files that it names. So it moves with the folder, is found by every machine that sees the
disk, and is deleted with the film's folder. Media servers and reel itself skip hidden folders. The complete name of the
film distinguishes two films with the same stem.
"""

from __future__ import annotations

from pathlib import Path

JOBS = ".reel"
# From a film's job folder to the folder of the film.
UP = "../../"
# One file for each language, because a media server would list a second format as another subtitle.
FORMATS = ("srt",)
_FILES = "files"  # the role of a result's subtitle files
# Other files of that role are for programs, or text without times, which Kodi would offer as a subtitle.
_SHOWN = frozenset({".srt", ".vtt", ".ass", ".ttml", ".scc"})


def job_folder(film: Path) -> Path:
    """Return the folder for a film's `job.json` and every result that is not a subtitle."""
    return film.parent / JOBS / film.name


def is_job_folder(folder: Path) -> bool:
    """Tell whether a folder is one that `job_folder` returns."""
    return folder.parent.name == JOBS


def place_of(folder: Path, name: str) -> Path:
    """Return the path of a file that a job names."""
    return folder.parent.parent / name.removeprefix(UP) if name.startswith(UP) else folder / name


def lies_beside(role: str, tail: str) -> bool:
    """Tell whether an output is a subtitle for players, by its role and the tail of its name."""
    return role == _FILES and tail[tail.rfind(".") :] in _SHOWN
