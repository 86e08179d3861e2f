"""Claims about the identity of a media file on systems whose numbers are larger than SQLite's."""

from __future__ import annotations

import os
import sqlite3

import pytest

from pipeline.store.media_file import identity_of


@pytest.mark.parametrize(("device", "inode"), [(2**63, 2**63 + 1), (2**64 - 1, 2**128 - 1), (1, 2)])
def test_large_numbers_of_devices_and_inodes_can_be_stored(device: int, inode: int) -> None:
    """Windows has devices of 64 bits and files of 128; some network disks have inodes above 2**63."""
    status = os.stat_result((0o100644, inode, device, 1, 0, 0, 10, 0, 0, 0))
    identity = identity_of(status)

    with sqlite3.connect(":memory:") as database:
        row = database.execute("SELECT ?, ?", (identity.device, identity.inode)).fetchone()
    assert row == (identity.device, identity.inode)
    database.close()


def test_two_files_with_large_numbers_are_told_apart() -> None:
    one, other = (identity_of(os.stat_result((0, 2**64 + n, 2**63, 1, 0, 0, 10, 0, 0, 0))) for n in (1, 2))
    assert one != other
