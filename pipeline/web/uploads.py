"""Keeps uploaded files until their jobs have ended, within limits of size, number and free space."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import time
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.store.place import is_digest
from pipeline.web.refused import Refused

_PIECE = 1 << 20
_KEPT_S = 24 * 3600.0
_LABEL_BYTES = 100
_LONGEST_DELAY_MS = 600_000
_NO_LABEL = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")
# What files in a container begin with. Bytes that begin so are no samples, whatever the request says.
_MAGIC = (b"RIFF", b"RF64", b"ID3", b"fLaC", b"OggS", b"\x1aE\xdf\xa3")


@dataclass(frozen=True)
class Upload:
    """Uploaded file with the sha256 of its content."""

    path: Path
    digest: str


class Uploads:
    """Folder of uploaded files. Each lies in a folder that is named by its digest, so that the same file uploaded twice
    is there once."""

    def __init__(self, folder: Path, max_bytes: int, keep_free_bytes: int) -> None:
        self.folder, self._max, self._keep_free = folder, max_bytes, keep_free_bytes
        self.arriving = folder / "arriving"
        shutil.rmtree(self.arriving, ignore_errors=True)  # what an ended server has left
        self.arriving.mkdir(parents=True, exist_ok=True)

    def room(self, size: int, copies: int = 1) -> Refused | None:
        """Return why a body of so many bytes, which are written in so many copies, is not taken; None if it is."""
        if size > self._max:
            text = f"the body has more than {self._max} bytes, the most that this server takes"
            return Refused(413, "serve.too-large", text, "raise `--max-upload`")
        if size > _PIECE and shutil.disk_usage(self.folder).free < self._keep_free + copies * size:
            return Refused(507, "serve.no-space", "there is not enough free space for the upload", retry_after_s=600)
        return None

    def take(self, stream: BinaryIO, label: str, *, samples: bool = False, delay_ms: int = 0) -> Upload:
        """Write a file to its place. `samples`: 16-bit mono samples at 16 kHz without a header, which get one, and so
        much silence before them."""
        temporary = self.arriving / f"{time.monotonic_ns()}.part"
        digest = hashlib.sha256()
        try:
            with open(temporary, "xb") as target:
                if samples and (header := _header_for(stream, delay_ms)):
                    digest.update(header)
                    target.write(header)
                while piece := stream.read(_PIECE):
                    digest.update(piece)
                    target.write(piece)
            return self.place(temporary, digest.hexdigest(), label)
        except OSError as error:
            raise no_space(error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def place(self, temporary: Path, digest: str, label: str) -> Upload:
        """Move a complete file to its place. One that is there already stays: a job may be reading it."""
        path = self.folder / digest / safe_label(label)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size == temporary.stat().st_size:
            temporary.unlink()
        else:
            temporary.replace(path)
        return Upload(path, digest)

    def sweep(self, in_use: Collection[str], kept_s: float = _KEPT_S) -> None:
        """Delete uploads that are older than `kept_s` and that no job is waiting for."""
        folders = [folder for folder in self.folder.iterdir() if is_digest(folder.name)]
        unused = [folder for folder in folders if not any(str(path) in in_use for path in folder.iterdir())]
        delete_old(unused, kept_s)


def no_space(error: OSError) -> Refused:
    """Return the refusal of what cannot be written."""
    return Refused(507, "serve.no-space", f"the upload cannot be written: {error.strerror}", retry_after_s=600)


def delete_old(folders: Iterable[Path], kept_s: float = _KEPT_S) -> None:
    """Delete the folders in which nothing was written for `kept_s`."""
    limit = time.time() - kept_s
    for folder in folders:
        if folder.is_dir() and all(path.stat().st_mtime < limit for path in (folder, *folder.iterdir())):
            shutil.rmtree(folder, ignore_errors=True)


def safe_label(name: str) -> str:
    """Return a file name that a request gives as one that leads nowhere: no folder, no hidden name, not too long."""
    plain = _NO_LABEL.sub(" ", unicodedata.normalize("NFC", name.replace("\\", "/")).rpartition("/")[2])
    plain = " ".join(plain.split()).strip(". ")
    encoded = plain.encode("utf-8", "replace")
    if len(encoded) > _LABEL_BYTES:
        stem, dot, suffix = plain.rpartition(".")
        suffix = f"{dot}{suffix}"[:10] if dot else ""
        short = (stem or plain).encode("utf-8", "replace")[: _LABEL_BYTES - len(suffix.encode())]
        plain = short.decode("utf-8", "ignore").strip() + suffix
    return plain or "audio"


def _header_for(stream: BinaryIO, delay_ms: int) -> bytes | None:
    """Return a WAV header for what is left of the stream, with silence behind it; None if it is a file of its own."""
    begin = stream.tell()
    magic = stream.read(12)
    size = stream.seek(0, 2) - begin
    stream.seek(begin)
    if size % 2 or magic.startswith(_MAGIC) or magic[4:8] == b"ftyp":
        return None
    silence = bytes(min(max(delay_ms, 0), _LONGEST_DELAY_MS) * 32)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    counted = min(size + len(silence), 0xFFFF_FFFF - 36)  # the most that such a header tells; readers read to the end
    return b"RIFF" + struct.pack("<I", counted + 36) + b"WAVE" + fmt + b"data" + struct.pack("<I", counted) + silence
