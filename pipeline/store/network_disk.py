"""Finds out whether a folder lies on a network disk, from the kernel's list of mounts."""

from __future__ import annotations

import re
from pathlib import Path

# Types as in `/proc/self/mountinfo`. The type of a FUSE mount names its program: `fuse.sshfs` goes over the network,
# `fuseblk` (NTFS on a stick) does not, so the magic number that all FUSE mounts share is not enough.
_NETWORK = {
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre", "mfs",
    "ncpfs", "nfs", "nfs4", "nfsd", "ocfs2", "panfs", "pvfs2", "smb2", "smb3", "smbfs", "virtiofs", "wekafs",
}  # fmt: skip
_NETWORK_FUSE = {
    "blobfuse", "blobfuse2", "ceph", "curlftpfs", "davfs", "davfs2", "gcsfuse", "glusterfs", "goofys", "juicefs",
    "lizardfs", "mfs", "moosefs", "mount-s3", "rclone", "s3fs", "seaweedfs", "smbnetfs", "sshfs",
}  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system_of(folder: Path, mounts: str) -> str:
    """Return the type of the file system of `folder`, an absolute path without links; empty if no mount fits.

    The deepest mount that contains the folder counts, and the last of several at one place. `mounts` has the form of
    `/proc/self/mountinfo`.
    """
    deepest, kind = -1, ""
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5 or not after:
            continue
        place = Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4]))
        if folder.is_relative_to(place) and len(place.parts) >= deepest:
            deepest, kind = len(place.parts), after.split(" ", 1)[0]
    return kind


def is_network(file_system: str) -> bool:
    """Tell whether a file system of this type is, or may be, shared with other machines."""
    kind, _, carried = file_system.lower().partition(".")
    return kind in _NETWORK or (kind == "fuse" and carried in _NETWORK_FUSE)


def network_disk(folder: Path) -> str | None:
    """Return the type of the network file system of `folder`, which need not exist yet; None for a local disk, and if
    the system does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape", encoding="utf-8")
    except OSError:
        return None
    kind = file_system_of(folder.resolve(), mounts)
    return kind if is_network(kind) else None
