"""Finds the media files in a folder, for every command, and counts the files that it skips.

It skips files that reel has published, hidden files, recycle bins and other system folders, incomplete downloads, and
everything that is not a regular file.

A folder with a `job.json` of reel may also contain a film of the user: with `reel run Movies -o Movies`, each film lies
beside its results. So only the files that `job.json` names are skipped, and not the whole folder.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.publishing.beside import JOBS
from pipeline.publishing.record import JOB
from shared.containers import LOOK_BYTES, MEDIA_SUFFIXES, is_ambiguous, looks_like_media

PUBLISHED = "published by reel"
RECORDS = "reel's records beside films"  # one in each folder of a library, so it is not reported
UNREADABLE_JOB = "beside a job.json that cannot be read"
OWN_FOLDER = "folder of reel's own"
HIDDEN = "hidden"
SYSTEM = "system folder or waste bin"
PARTIAL = "partial download"
SPECIAL = "special file"
BROKEN_LINK = "broken link"
LINKED_FOLDER = "linked folder"
UNREADABLE = "folder that cannot be read"
_PLURALS = {  # in the order of the report
    PUBLISHED: PUBLISHED,
    UNREADABLE_JOB: UNREADABLE_JOB,
    HIDDEN: HIDDEN,
    OWN_FOLDER: "folders of reel's own",
    SYSTEM: "system folders and waste bins",
    PARTIAL: "partial downloads",
    SPECIAL: "special files",
    BROKEN_LINK: "broken links",
    LINKED_FOLDER: "linked folders",
    UNREADABLE: "folders that cannot be read",
}

# Folders in which disks, systems and network stores keep files of their own. In lower case.
_SYSTEM_FOLDERS = frozenset({
    "$recycle.bin", "recycler", "recycled", "system volume information", "found.000", "lost+found",
    "#recycle", "#snapshot", "@eadir", "@tmp", "@sharebin",  # Synology
    "@recycle", "@recently-snapshot", "@__thumb",  # QNAP
    "~snapshot", "__macosx", "network trash folder", "temporary items",
})  # fmt: skip
_UNPACKING = ("_unpack_", "_failed_")  # SABnzbd, while it unpacks and after it failed

# Suffixes that programs append to a name until a download is complete.
_PARTIAL_SUFFIXES = frozenset({
    ".!bt", ".!qb", ".!sync", ".!ut", ".aria2", ".bc!", ".bts", ".crdownload", ".filepart", ".incomplete",
    ".opdownload", ".part", ".partial", ".partial~", ".unfinished", ".ytdl",
})  # fmt: skip
_PARTIAL_AFTER_MEDIA = frozenset({".download", ".temp", ".tmp"})  # other programs use these for complete files
_PARTIAL_STEMS = frozenset({".temp", ".tmp"})  # `film.temp.mp4`, while yt-dlp joins picture and sound
# Suffixes of a file beside a download that has its final name already.
_BESIDE_PARTIAL = (".aria2", ".lftp-pget-status")
_BESIDE_PLACEHOLDER = (".part", ".crdownload")  # a browser's: the final name is an empty file until then

_JOB_BYTES = 64 << 20  # a larger `job.json` is not ours
_JOB_FIELDS = {"media": str, "media_sha256": str, "files": dict, "steps": dict}


@dataclass(frozen=True)
class _Record:
    """Content of a `job.json` that reel wrote: its media file, and the names of the published files. `names` is None if
    the file looks like reel's and cannot be read."""

    media: str = ""
    names: frozenset[str] | None = None


_NO_RECORD = _Record(names=frozenset())


@dataclass(frozen=True)
class _FileState:
    """State of a file, to detect a change since it was read."""

    size: int
    modified_ns: int
    inode: int


class FolderWalk:
    """Finds media files below folders.

    `passed` counts the skipped files by reason. When a walk is repeated, unchanged files are not read again. `ours` are
    folders in which reel keeps its own files.
    """

    def __init__(self, ours: Iterable[Path] = ()) -> None:
        self._ours = tuple(ours)
        self.passed: Counter[str] = Counter()
        self._records: dict[str, tuple[_FileState, _Record]] = {}
        self._looks: dict[str, tuple[_FileState, bool]] = {}

    def media(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """Yield the media files below a folder, the entries of each folder by name.

        Links to files are followed, links to folders are not. Raises `OSError` if the folder itself cannot be read.
        """
        ours = [status for place in self._ours if (status := _status(place))]
        waiting = self._inside(folder, ours)
        while waiting:
            entry = waiting.pop()
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                inside = self._inside(entry.path, ours) if is_folder else []
            except OSError:
                self.passed[UNREADABLE] += 1
                continue
            if is_folder:
                waiting += inside
            else:
                yield entry

    def skips(self, path: Path, root: Path) -> bool:
        """Tell whether a walk from `root` skips a file or folder below it, whatever its suffix, and count it."""
        is_folder = path.is_dir()
        parts = path.relative_to(root).parts
        folders, name = (parts, "") if is_folder else (parts[:-1], path.name)
        reason = next(filter(None, map(_folder_reason, folders)), None) or (_name_reason(name) if name else None)
        if reason:
            self.passed[reason] += 1
            return True
        return not is_folder and self._is_published(str(path), name, self._record(path.parent / JOB))

    def is_published(self, path: Path) -> bool:
        """Tell whether the record in a file's folder says that reel published the file. Counts nothing."""
        record = self._record(path.parent / JOB)
        return str(path) != record.media and _composed(path.name) in (record.names or ())

    def _inside(self, folder: str, ours: list[os.stat_result]) -> list[os.DirEntry[str]]:
        """Return the media files in a folder and the folders to search, in reverse order of their names."""
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name, reverse=True)
        names = {entry.name for entry in entries}
        record = self._record(Path(folder, JOB)) if JOB in names else _NO_RECORD
        return [entry for entry in entries if self._is_wanted(entry, names, record, ours)]

    def _is_wanted(
        self, entry: os.DirEntry[str], names: Collection[str], record: _Record, ours: list[os.stat_result]
    ) -> bool:
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            reason = self._file_reason(entry, names) if not is_folder else _folder_reason(entry.name)
            if is_folder and reason is None:
                reason = LINKED_FOLDER if _is_junction(entry) else OWN_FOLDER if _is_one_of(entry, ours) else None
        except OSError:  # a link to itself, or a file deleted just now
            is_folder, reason = False, BROKEN_LINK if _suffix(entry.name) in MEDIA_SUFFIXES else ""
        if reason:
            self.passed[reason] += 1
        if reason is not None:
            return False
        return is_folder or not self._is_published(entry.path, entry.name, record)

    def _file_reason(self, entry: os.DirEntry[str], names: Collection[str]) -> str | None:
        """Return the reason for skipping a file: None if it is not skipped, an empty text if it is not a media file."""
        suffix = _suffix(entry.name)
        if entry.is_symlink() and entry.is_dir():
            return LINKED_FOLDER
        if suffix not in MEDIA_SUFFIXES:
            return PARTIAL if _is_partial_name(entry.name) else ""
        if reason := _name_reason(entry.name):
            return reason
        if not entry.is_file():
            return BROKEN_LINK if entry.is_symlink() and _status(Path(entry.path)) is None else SPECIAL
        if any(f"{entry.name}{end}" in names for end in _BESIDE_PARTIAL):
            return PARTIAL
        if any(f"{entry.name}{end}" in names for end in _BESIDE_PLACEHOLDER) and not entry.stat().st_size:
            return PARTIAL
        return None if not is_ambiguous(suffix) or self._looks_like_media(entry, suffix) else ""

    def _is_published(self, path: str, name: str, record: _Record) -> bool:
        if path == record.media:  # the user's own film
            return False
        if record.names is None:
            self.passed[UNREADABLE_JOB] += 1
        elif record.names and _composed(name) in record.names:
            self.passed[PUBLISHED] += 1
        else:
            return False
        return True

    def _record(self, place: Path) -> _Record:
        """Return the content of the `job.json` at `place`; an empty record if it is missing or not from reel."""
        try:
            status = place.stat()
            state = _FileState(status.st_size, status.st_mtime_ns, status.st_ino)
            before = self._records.get(str(place))
            if before is None or before[0] != state:
                content = place.read_bytes() if status.st_size <= _JOB_BYTES else b""
                before = self._records[str(place)] = state, _parsed(content)
        except OSError:
            return _NO_RECORD
        return before[1]

    def _looks_like_media(self, entry: os.DirEntry[str], suffix: str) -> bool:
        status = entry.stat()
        state = _FileState(status.st_size, status.st_mtime_ns, status.st_ino)
        before = self._looks.get(entry.path)
        if before is None or before[0] != state:
            try:
                with open(entry.path, "rb") as stream:
                    is_media = looks_like_media(suffix, stream.read(LOOK_BYTES))
            except OSError:  # reported later as an unreadable media file
                is_media = True
            before = self._looks[entry.path] = state, is_media
        return before[1]


def describe_skipped(passed: Counter[str]) -> str | None:
    """Return a line about the skipped files; None if there are none."""
    counts = [
        f"{passed[reason]} {plural if passed[reason] > 1 else reason}"
        for reason, plural in _PLURALS.items()
        if passed[reason]
    ]
    return f"passed over: {', '.join(counts)}" if counts else None


def _folder_reason(name: str) -> str | None:
    if name == JOBS:
        return RECORDS
    if name.startswith("."):
        return HIDDEN
    lower = name.lower()
    if lower in _SYSTEM_FOLDERS:
        return SYSTEM
    return PARTIAL if lower.startswith(_UNPACKING) or _is_partial_name(name) else None


def _name_reason(name: str) -> str | None:
    """Return the reason for skipping a file because of its name; None if there is none."""
    if name.startswith("."):  # also `._film.mp4`, where macOS keeps attributes that the disk cannot hold
        return HIDDEN
    return PARTIAL if _is_partial_name(name) or _suffix(_split(name)[0]) in _PARTIAL_STEMS else None


def _is_partial_name(name: str) -> bool:
    stem, end = _split(name)
    return end in _PARTIAL_SUFFIXES or (end in _PARTIAL_AFTER_MEDIA and _suffix(stem) in MEDIA_SUFFIXES)


def _split(name: str) -> tuple[str, str]:
    """Return the name without its suffix, and the suffix in lower case."""
    # As text, because one walk reads thousands of names.
    stem, end = os.path.splitext(name)  # noqa: PTH122
    return stem, end.lower()


def _suffix(name: str) -> str:
    return _split(name)[1]


def _composed(name: str) -> str:
    """Return the name in composed form, for comparison: some disks return accents decomposed."""
    return unicodedata.normalize("NFC", name)


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except OSError:
        return None


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Tell whether a folder is a Windows junction. Python knows that from 3.12 on."""
    return bool(getattr(entry, "is_junction", bool)())


def _is_one_of(entry: os.DirEntry[str], known: list[os.stat_result]) -> bool:
    """Tell whether a folder is one of the known ones. Compares the inodes first, because a `stat` of each of thousands
    of folders would take a second."""
    number = entry.inode()
    return any(status.st_ino == number and os.path.samestat(status, entry.stat()) for status in known)


def _parsed(content: bytes) -> _Record:
    try:
        job = json.loads(content)
    except ValueError:
        return _Record() if b'"media_sha256"' in content else _NO_RECORD
    if not isinstance(job, dict) or not all(isinstance(job.get(name), kind) for name, kind in _JOB_FIELDS.items()):
        return _NO_RECORD
    # `earlier` names files that a job may have left when it was killed while publishing.
    others = (job.get(field) for field in ("edits", "earlier"))
    names = {*job["files"], *(name for other in others if isinstance(other, dict) for name in other)}
    return _Record(job["media"], frozenset(map(_composed, names)))
