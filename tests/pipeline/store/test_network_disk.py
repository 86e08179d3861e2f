"""Network disks are recognised by the kernel's table of mounts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from pipeline.store.network_disk import Mount, file_system_of, is_network, mounts_of_linux, network_disk

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/me/local rw,relatime - xfs /dev/vdb rw
32 22 0:42 / /mnt/two\040words rw - cifs //server/share rw
33 22 0:43 / /mnt/key rw - fuseblk /dev/sdc1 rw
34 22 0:44 / /mnt/far rw - fuse.sshfs me@far: rw
35 22 0:45 / /data rw - ext4 /dev/vdd rw
36 22 0:46 / /data rw - lustre 10.0.0.1@tcp:/data rw
not a line of this form
"""


@pytest.mark.parametrize(
    ("folder", "kind", "network"),
    [
        ("/var/reel", "ext4", False),
        ("/home/me/reel", "nfs4", True),
        ("/home/me/local/reel", "xfs", False),
        ("/homeless", "ext4", False),
        ("/mnt/two words/x", "cifs", True),
        ("/mnt/key/x", "fuseblk", False),
        ("/mnt/far/x", "fuse.sshfs", True),
        ("/data/x", "lustre", True),  # mounted over the first
    ],
)
def test_the_deepest_mount_that_holds_a_folder_decides(folder: str, kind: str, network: bool) -> None:
    assert file_system_of(Path(folder), mounts_of_linux(MOUNTS)) == kind
    assert is_network(kind) == network


def test_what_the_system_does_not_tell_counts_as_local() -> None:
    assert file_system_of(Path("/x"), []) == ""
    assert not is_network("")


def test_the_folder_of_a_test_is_on_a_local_disk_even_before_it_is_made(tmp_path: Path) -> None:
    assert network_disk(tmp_path / "not" / "there") is None


@dataclass(frozen=True)
class _Partition:
    mountpoint: str
    fstype: str
    opts: str


@pytest.mark.parametrize(
    ("fstype", "opts", "network"),
    [
        ("apfs", "rw,local", False),
        ("smbfs", "rw,nosuid", True),
        ("afpfs", "rw", True),
        ("nfs", "rw", True),
        ("NTFS", "rw,fixed", False),
        ("NTFS", "rw,remote", True),  # a mapped drive of Windows
    ],
)
def test_without_the_kernels_list_the_library_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fstype: str, opts: str, network: bool
) -> None:
    partitions = [_Partition("/", "apfs", "rw"), _Partition(str(tmp_path), fstype, opts)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: partitions)
    monkeypatch.setattr(sys, "platform", "darwin")

    assert (network_disk(tmp_path / "not" / "there") is not None) == network


@pytest.mark.skipif(sys.platform != "linux", reason="compares with the list of Linux")
def test_the_library_and_the_kernel_name_the_same_file_system(tmp_path: Path) -> None:
    told = [Mount(Path(part.mountpoint), part.fstype) for part in psutil.disk_partitions(all=True)]
    kernel = mounts_of_linux(Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    assert file_system_of(tmp_path, told) == file_system_of(tmp_path, kernel) != ""
