"""Read single pictures of a film, one after the other, decoded and scaled by ffmpeg, without writing files."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.documents.media import Media, clock_tracks
from shared.processes import child_options
from shared.stage import StageError
from stages.toolkit.media import ffmpeg

Pixels = NDArray[np.uint8]
"""A picture: height, width, and the colours blue, green, red."""

_UNCHANGED = 6.0  # of 255: the largest difference of a cell's brightness that compression alone causes
_LAST_LINES = 20
_CELLS = 24  # in each direction: pictures are compared by cells, so that a small text counts


@dataclass(frozen=True)
class Frame:
    """The picture at a time. `changed` tells whether it differs visibly from the one before."""

    at_ms: int
    pixels: Pixels
    changed: bool


def frames(media: Path, info: Media, every_s: float, width: int, region: str) -> Iterator[Frame]:
    """Yield a picture every `every_s` seconds from time 0 on, at most `width` pixels wide. Damaged parts are skipped,
    as a player does. Raises `StageError` if no picture can be decoded."""
    picture = info.picture
    assert picture is not None
    assert picture.width
    assert picture.height
    wide = min(width, picture.width) // 2 * 2
    full = max(round(picture.height * wide / picture.width) // 2 * 2, 2)
    high, top = (full, 0) if region == "all" else (full // 3, 0 if region == "top" else full - full // 3)
    filters = f"fps=fps=1/{every_s}:start_time=0:round=up,scale={wide}:{full},crop={wide}:{high}:0:{top}"
    command = [
        ffmpeg.find_ffmpeg(), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "warning",
        *ffmpeg.reading(media, "-threads", "1"), "-map", f"0:{picture.index}", "-vf", filters,
        "-pix_fmt", "bgr24", "-f", "rawvideo", "pipe:1",
    ]  # fmt: skip
    for index in clock_tracks(info.tracks):
        if index != picture.index:  # a null output for every track that defines time 0 keeps the clock
            command += ["-map", f"0:{index}", "-c", "copy", "-f", "null", "-"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **child_options()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints: deque[bytes] = deque(maxlen=_LAST_LINES)
    reader = threading.Thread(target=complaints.extend, args=(process.stderr,), daemon=True)
    reader.start()
    number, before = 0, None
    try:
        while len(content := process.stdout.read(wide * high * 3)) == wide * high * 3:
            pixels: Pixels = np.frombuffer(content, np.uint8).reshape(high, wide, 3)
            cells = _cells(pixels)
            yield Frame(round(number * every_s * 1000), pixels, before is None or _differ(before, cells))
            number, before = number + 1, cells
        status = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()
    for line in complaints:
        print(line.decode("utf-8", "replace").rstrip(), file=sys.stderr)
    if number == 0 and status:
        last = complaints[-1].decode("utf-8", "replace").strip() if complaints else f"ffmpeg ended with status {status}"
        raise StageError("ocr.unreadable", f"no picture of {media} could be decoded: {last}")


def _cells(pixels: Pixels) -> NDArray[np.float32]:
    """Return the mean brightness of the cells of a picture; of its pixels if it is too small."""
    grey: NDArray[np.float32] = pixels.mean(axis=2, dtype=np.float32)
    high, wide = (size // _CELLS * _CELLS for size in grey.shape)
    if not high or not wide:
        return grey
    parts = grey[:high, :wide].reshape(_CELLS, high // _CELLS, _CELLS, wide // _CELLS)
    return np.asarray(parts.mean(axis=(1, 3)), dtype=np.float32)


def _differ(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    return bool(np.abs(before - after).max() > _UNCHANGED)
