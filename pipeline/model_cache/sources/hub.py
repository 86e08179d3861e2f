"""Files of a hub repository at the locked revision, over HTTP, resumed from the byte reached."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request

from pipeline import events
from pipeline.model_cache.manifest import LockedFile
from pipeline.model_cache.sources import SourceFailed, Want

_TIMEOUT_S = 30
_READ_BYTES = 1 << 20


def fetch(want: Want) -> None:
    """Fetch every wanted file; what an earlier attempt has fetched is kept."""
    total = sum(file.size for file in want.files.values())
    done = 0
    for name, file in want.files.items():
        _fetch_file(want, name, file, done, total)
        done += file.size


def _fetch_file(want: Want, name: str, file: LockedFile, done: int, total: int) -> None:
    partial = want.layout.partial(file.sha256)
    digest = hashlib.sha256()
    reached = 0
    if partial.exists() and partial.stat().st_size <= file.size:
        with open(partial, "rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
                reached += len(chunk)
    address = f"{want.hub}/{want.locked.repo}/resolve/{want.locked.revision}/{urllib.parse.quote(name)}"
    headers = {"User-Agent": "reelflow", "Accept-Encoding": "identity"}
    if reached:
        headers["Range"] = f"bytes={reached}-"
    try:
        if reached < file.size:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=_TIMEOUT_S) as answer:
                if reached and answer.status != http.client.PARTIAL_CONTENT:  # it sends everything again
                    reached, digest = 0, hashlib.sha256()
                with open(partial, "ab" if reached else "wb") as stream:
                    while chunk := answer.read(_READ_BYTES):
                        stream.write(chunk)
                        digest.update(chunk)
                        reached += len(chunk)
                        want.emit(events.SetupProgress(f"model {want.model}", done + reached, total))
                    stream.flush()
                    os.fsync(stream.fileno())
    except urllib.error.HTTPError as error:
        raise SourceFailed(f"{address} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceFailed(f"{address} could not be read: {getattr(error, 'reason', error)}") from error
    if reached < file.size:  # not an error for the HTTP client; what came is good and kept
        raise SourceFailed(f"{address} ended after {reached} of {file.size} bytes; the next attempt goes on from there")
    if digest.hexdigest() != file.sha256:
        partial.unlink(missing_ok=True)
        raise SourceFailed(f"{address} has sha256 {digest.hexdigest()}, expected {file.sha256}; what came was deleted")
    os.replace(partial, want.layout.blob(file.sha256))
