"""Chooses the output folder of each media file, and checks before the run that its disk can be written."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import threading
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.publishing.batch_media import BatchMedia
from pipeline.publishing.beside import is_job_folder, job_folder
from pipeline.publishing.names import NameRules, alike, fitted, is_portable, stem_of
from pipeline.publishing.placing import temporary_name
from pipeline.publishing.record import JOB, is_regular, read_job

_USUAL_LONGEST = 255
_CHOOSE_OTHER = "choose another folder with `-o`, or make this one writable; existing results are kept"
_FREE_SPACE = "free some space there and run the same command again; the results are kept, so it only publishes"
_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_MAKE_WRITABLE = "make it writable, or leave `--beside` out and name a folder with `-o`; existing results are kept"


class Folders:
    """Chooses a folder of its own for each media file of a run.

    Names that differ only in letter case or Unicode composition count as equal, as they do for some disks and for
    readers. With `replace`, a folder with a `job.json` of other people is used too, unless that is a media file of the
    `batch`. Without an `output` folder, the folder of each job lies beside its media file.
    """

    def __init__(self, output: Path | None, batch: BatchMedia, *, replace: bool = False) -> None:
        self._output, self._batch, self._replace = output, batch, replace
        self._taken: dict[str, Path] = {}
        self.foreign_records: dict[Path, Path] = {}  # media file to the record because of which it got another folder
        self._lock = threading.Lock()  # threads that publish may need another folder

    def take_again(self, folder: Path, media: Path) -> bool:
        """Take the former folder of a media file again. Returns False if another file of the run has it."""
        return self._taken.setdefault(alike(str(folder)), media) == media

    def take(self, media: Path, digest: str, rules: NameRules) -> Path:
        """Return a folder for a media file: with its name, and with a part of its digest if that name is taken."""
        place = self._output or job_folder(media).parent
        stem = stem_of(media.name, rules) if self._output else media.name
        lengths = (f"-{digest[:length]}" for length in range(8, 65, 8))
        numbers = (f"-{number}" for number in itertools.count(2))
        with self._lock:
            for tail in itertools.chain([""], lengths, numbers):
                folder = place / fitted(stem, tail, rules)
                owner = self._taken.get(alike(str(folder)))
                if owner == media or (owner is None and self._is_free(folder, media, digest)):
                    self._taken[alike(str(folder))] = media
                    return folder
        raise AssertionError("numbers do not end")

    def take_other(self, folder: Path, media: Path, digest: str, rules: NameRules) -> Path:
        """Return another folder, because a concurrent run has published into the chosen one."""
        with self._lock:
            self._taken[alike(str(folder))] = folder  # no media file of this run
        return self.take(media, digest, rules)

    def _is_free(self, folder: Path, media: Path, digest: str) -> bool:
        if os.path.lexists(folder) and not folder.is_dir():
            return False
        if may_take(folder, media, digest, self._batch, replace=self._replace):
            return True
        if read_job(folder) is None:
            self.foreign_records[media] = folder / JOB
        return False


def may_take(folder: Path, media: Path, digest: str, batch: BatchMedia, *, replace: bool) -> bool:
    """Tell whether the results of a media file may be published in a folder.

    They may if it holds no job, or the job of this file, which may have been moved since. With `replace`, they also may
    if it holds a `job.json` of other people, which is then overwritten.
    """
    if job := read_job(folder):
        if folder == job_folder(media):  # the media file may have been moved together with it
            return True
        return _is_at(media, job.media) or (job.media_sha256 == digest and not Path(job.media).exists())
    record = folder / JOB
    if not os.path.lexists(record):
        return True
    return replace and is_regular(record) and record not in batch


def _is_at(media: Path, before: str) -> bool:
    """Tell whether a media file is the one that had the path `before`, also if its folder is reached through a link, or
    if its name differs in letter case or Unicode composition on a disk that ignores that."""
    if before == str(media):
        return True
    folder, name = os.path.split(before)
    if alike(name) != alike(media.name):
        return False
    if os.path.realpath(folder) != os.path.realpath(media.parent) and not _is_same(folder, media.parent):
        return False
    return name == media.name or _is_same(before, media)


def _is_same(first: str | Path, other: str | Path) -> bool:
    try:
        return Path(first).samefile(other)
    except OSError:
        return False


class OutputDisk:
    """Checks the disks of output folders. With `try_it`, it writes files and removes them again; without, it only asks
    the system for permissions."""

    def __init__(self, *, try_it: bool) -> None:
        self._try_it = try_it
        self._writable: set[Path] = set()

    def check_beside(self, media: Path, folder: Path) -> None:
        """Raise `BadInput` unless files can be written beside a media file, and into the folder for its job."""
        for place in (media.parent, folder):
            self.check(place, hint=_MAKE_WRITABLE)

    def check(self, folder: Path, hint: str = _CHOOSE_OTHER) -> None:
        """Raise `BadInput` unless files can be written into a folder, which need not exist yet."""
        there = _nearest(folder)
        if there in self._writable:
            return
        try:
            if not there.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if self._try_it:
                _try_writing(folder, there)
            elif not os.access(there, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise unwritable(folder, error, hint) from error
        self._writable.add(there)

    def rules(self, folder: Path, media: Path) -> NameRules:
        """Return the rules for names on a folder's disk, tested with the name of this media file."""
        there = _nearest(folder)
        try:
            longest = os.pathconf(there, "PC_NAME_MAX") if hasattr(os, "pathconf") else _USUAL_LONGEST
        except (OSError, ValueError):
            longest = _USUAL_LONGEST
        rules = NameRules(longest if longest > 0 else _USUAL_LONGEST)
        stem = stem_of(media.name, rules)
        if rules.portable or is_portable(stem) or not self._try_it or not there.is_dir():
            return rules
        return NameRules(rules.longest, portable=not _takes_name(there, fitted(stem, "", rules)))


def unwritable(folder: Path, error: OSError, hint: str = "") -> BadInput:
    """Return the error for a folder that cannot be written."""
    if error.errno in _FULL:
        hint = _FREE_SPACE
    return BadInput(
        "publish.unwritable",
        f"reel cannot write to {folder}: {error.strerror or error}",
        hint=hint or (_MAKE_WRITABLE if is_job_folder(folder) else _CHOOSE_OTHER),
    )


def _nearest(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _try_writing(folder: Path, there: Path) -> None:
    """Write a file into the folder, or into the existing parent `there`, and leave nothing behind.

    Missing folders are made inside a hidden one, because another run may make them under their own names at this
    moment.
    """
    missing = folder.parent.relative_to(there).parts if folder != there else ()
    hidden = temporary_name(there)
    if not missing:
        hidden.touch(exist_ok=False)
        hidden.unlink()
        return
    made: list[Path] = []
    try:
        for place in itertools.accumulate(missing, Path.joinpath, initial=hidden):
            place.mkdir()
            made.append(place)
        (made[-1] / "file").touch()
        (made[-1] / "file").unlink()
    finally:
        for place in reversed(made):
            with contextlib.suppress(OSError):
                place.rmdir()


def _takes_name(folder: Path, name: str) -> bool:
    """Tell whether a disk allows a name, by creating a hidden folder for a moment."""
    hidden = temporary_name(folder)
    try:
        hidden.mkdir()
    except OSError:
        return True  # `check` reports a folder that cannot be written
    try:
        (hidden / name).mkdir()
        (hidden / name).rmdir()
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            hidden.rmdir()
    return True
