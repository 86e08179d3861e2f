"""Find out whether a folder is on a network disk, from the system's list of mounts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Types as in `/proc/self/mountinfo`. The type of a FUSE mount names its program: `fuse.sshfs` goes over the network,
# `fuseblk` (NTFS on a stick) does not, so the magic number that all FUSE mounts share is not enough.
_NETWORK = {
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre",
    "mfs", "ncpfs", "nfs", "nfs4", "nfsd", "ocfs2", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "virtiofs", "webdav",
    "wekafs",
}  # fmt: skip
_NETWORK_FUSE = {
    "blobfuse", "blobfuse2", "ceph", "curlftpfs", "davfs", "davfs2", "gcsfuse", "glusterfs", "goofys", "juicefs",
    "lizardfs", "mfs", "moosefs", "mount-s3", "rclone", "s3fs", "seaweedfs", "smbnetfs", "sshfs",
}  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """A place where a file system begins, and its type."""

    place: Path
    file_system: str


def file_system_of(folder: Path, mounts: Iterable[Mount]) -> str:
    """Return the type of the file system of `folder`, an absolute path without links; empty if no mount fits.

    The deepest mount that contains the folder counts, and the last of several at one place.
    """
    deepest, kind = -1, ""
    for mount in mounts:
        if folder.is_relative_to(mount.place) and len(mount.place.parts) >= deepest:
            deepest, kind = len(mount.place.parts), mount.file_system
    return kind


def mounts_of_linux(text: str) -> list[Mount]:
    """Return the mounts in a text with the form of `/proc/self/mountinfo`."""
    mounts: list[Mount] = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and len(fields) >= 5 and after:
            place = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
            mounts.append(Mount(Path(place), after.split(" ", 1)[0]))
    return mounts


def is_network(file_system: str) -> bool:
    """Tell whether a file system of this type is, or may be, shared with other machines."""
    kind, _, carried = file_system.lower().partition(".")
    return kind in _NETWORK or (kind == "fuse" and carried in _NETWORK_FUSE)


def network_disk(folder: Path) -> str | None:
    """Return the type of the network file system of `folder`, which need not exist yet; None for a local disk, and if
    the system does not tell."""
    kind = file_system_of(folder.resolve(), _mounts())
    return kind if is_network(kind) else None


def _mounts() -> list[Mount]:
    if sys.platform == "linux":
        try:
            return mounts_of_linux(Path("/proc/self/mountinfo").read_text(errors="surrogateescape", encoding="utf-8"))
        except OSError:
            return []
    # Imported here: Linux, where it is not needed, would pay 20 ms for it in every command.
    import psutil

    # Windows names the file system of the server's disk, and says only in the options that it is remote.
    return [
        Mount(Path(part.mountpoint), "smbfs" if "remote" in part.opts.split(",") else part.fstype)
        for part in psutil.disk_partitions(all=True)
    ]
