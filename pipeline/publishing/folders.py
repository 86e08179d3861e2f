"""Chooses the folder for the results of a media file, and checks what its disk allows before work begins."""

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
_OTHER_FOLDER = "choose another folder with `-o`, or make this one writable; existing results are kept"
_MAKE_ROOM = "free some space there and run the same command again; the results are kept, so it only publishes"
_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_MAKE_WRITABLE = "make it writable, or leave `--beside` out and name a folder with `-o`; existing results are kept"


class Folders:
    """Choice of a separate folder for each media file of a run.

    Names that differ only in letter case or Unicode composition count as one, since some disks and every reader see
    one. With `replace`, a `job.json` of other people does not keep a folder from being taken, unless it is a media file
    of the `batch`. Without an `output` folder, each job folder lies beside its media file.
    """

    def __init__(self, output: Path | None, batch: BatchMedia, *, replace: bool = False) -> None:
        self._output, self._batch, self._replace = output, batch, replace
        self._taken: dict[str, Path] = {}
        self.foreign_records: dict[Path, Path] = {}  # keyed by the media file that got another folder because of it
        self._lock = threading.Lock()  # files are published by threads, and some then need another folder

    def take_again(self, folder: Path, media: Path) -> bool:
        """Tell whether a media file may have its former folder again."""
        return self._taken.setdefault(alike(str(folder)), media) == media

    def take(self, media: Path, digest: str, rules: NameRules) -> Path:
        """Return a folder for a media file: its name, with a part of its digest if another file has taken that name."""
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
        """Return another folder, because a concurrent run has published into the one that was chosen."""
        with self._lock:
            self._taken[alike(str(folder))] = folder  # of a media file of another run
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
    """Tell whether the results of a media file may go to a folder.

    That is so if it holds no job, or the job of this file, which may have been moved since; or, with `replace`, a
    `job.json` of other people that the user gives up.
    """
    if job := read_job(folder):
        if folder == job_folder(media):  # the film may have been elsewhere at that time
            return True
        return _is_at(media, job.media) or (job.media_sha256 == digest and not Path(job.media).exists())
    record = folder / JOB
    if not os.path.lexists(record):
        return True
    return replace and is_regular(record) and record not in batch


def _is_at(media: Path, before: str) -> bool:
    """Tell whether a media file is the one that had this path. A link may lead to its folder, and a disk that ignores
    letter case and Unicode composition shows the file under more than one name."""
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
    """Check of the disk of an output folder.

    With `try_it`, the check writes files and removes them again; without, it asks the system. Raises `BadInput` if the
    folder cannot be written.
    """

    def __init__(self, *, try_it: bool) -> None:
        self._try_it = try_it
        self._writable: set[Path] = set()

    def check_beside(self, media: Path, folder: Path) -> None:
        """Raise `BadInput` unless files can be written beside a media file, and into the folder for its job."""
        for place in (media.parent, folder):
            self.check(place, hint=_MAKE_WRITABLE)

    def check(self, folder: Path, hint: str = _OTHER_FOLDER) -> None:
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
        """Return the names that a folder's disk allows, as far as the name of this media file depends on it."""
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
        hint = _MAKE_ROOM
    return BadInput(
        "publish.unwritable",
        f"reel cannot write to {folder}: {error.strerror or error}",
        hint=hint or (_MAKE_WRITABLE if is_job_folder(folder) else _OTHER_FOLDER),
    )


def _nearest(folder: Path) -> Path:
    """Return the folder, or its nearest parent that exists."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _try_writing(folder: Path, there: Path) -> None:
    """Write a file as close to the folder as possible without leaving anything behind.

    Missing folders are made inside a hidden one: another run may be making them under their own names.
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
