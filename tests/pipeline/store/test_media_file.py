"""Claims about the identity of a media file on systems whose numbers are larger than SQLite's."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest

from pipeline.store.media_file import identity_of


def _status(device: int, inode: int, time_ns: int = 0) -> os.stat_result:
    times = {"st_mtime_ns": time_ns, "st_ctime_ns": time_ns}
    return os.stat_result((0o100644, inode, device, 1, 0, 0, 10, 0, 0, 0), times)


@pytest.mark.parametrize(("device", "inode"), [(2**63, 2**63 + 1), (2**64 - 1, 2**128 - 1), (1, 2)])
def test_large_numbers_of_devices_and_inodes_can_be_stored(device: int, inode: int) -> None:
    """Windows has devices of 64 bits and files of 128; some network disks have inodes above 2**63."""
    identity = identity_of(_status(device, inode))

    with sqlite3.connect(":memory:") as database:
        row = database.execute("SELECT ?, ?", (identity.device, identity.inode)).fetchone()
    assert row == (identity.device, identity.inode)
    database.close()


@pytest.mark.parametrize("time_s", [-(2**40), -1, 2**40])
def test_times_far_from_today_can_be_stored_and_are_told_apart(time_s: int) -> None:
    """2 ** 40 s is the year 36812: a time in ns no longer fits into 63 bits."""
    identities = []
    for seconds in (time_s, time_s + 1):
        identities.append(identity_of(_status(1, 2, seconds * 10**9)))
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        for identity in identities:
            assert database.execute("SELECT ?, ?", (identity.modified_ns, identity.changed_ns)).fetchone()
    assert identities[0] != identities[1]


def test_two_files_with_large_numbers_are_told_apart() -> None:
    one, other = (identity_of(_status(2**63, 2**64 + n)) for n in (1, 2))
    assert one != other
