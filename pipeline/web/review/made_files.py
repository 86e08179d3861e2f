"""Makes the files that a review shows and no run makes: the peaks of its sound, and single pictures of its film.

They are made when they are first asked for, and kept below a size; the ones that were not asked for longest go first.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from pipeline.base.errors import Missing
from pipeline.web.review.pictures import STILL_MS, lead_ms
from pipeline.web.review.sound_peaks import write_peaks
from pipeline.workers.installation import Installation
from shared.containers import FORMATS
from shared.documents.media import Media
from shared.processes import child_options

_KEPT_BYTES = 256 << 20
_AT_ONCE = 2  # each takes a core, and a run may be at work
_SWEEP_AFTER = 50
_STILL_LIMIT_S = 30.0
_STILL_WIDTH = 320
_WITH_NUMPY = "lite"


class MadeFiles:
    """Folder of made files. The methods return at once; `close` ends the threads that make the files."""

    def __init__(self, folder: Path, installed: Installation, kept_bytes: int = _KEPT_BYTES) -> None:
        self._folder, self._installed, self._kept_bytes = folder, installed, kept_bytes
        self._makers = ThreadPoolExecutor(_AT_ONCE, "made-files")
        self._lock = Lock()
        self._at_work: dict[Path, Future[Path | None]] = {}
        self._made = 0

    def close(self) -> None:
        """Make no more files."""
        self._makers.shutdown(wait=False, cancel_futures=True)

    def peaks(self, digest: str, sound: Path) -> Future[Path | None]:
        """Return the file with the peaks of a sound, by the digest of that. It raises `BadInput`."""

        def make(target: Path) -> None:
            environments = self._installed.environments
            is_ready = environments.status(_WITH_NUMPY).state == "ready"
            write_peaks(sound, target, environments.python(_WITH_NUMPY) if is_ready else None)

        return self._get(self._folder / f"{digest}.dat", make)

    def still(self, digest: str, film: Path, info: Media, number: int) -> Future[Path | None]:
        """Return the picture number `number` of a film, by the digest of that; None if the film has none there."""
        track = info.picture.index if info.picture else 0
        at_ms = number * STILL_MS
        begin_ms = max(at_ms - lead_ms(info), 0)
        places = (f"{begin_ms / 1000:.3f}", f"{(at_ms - begin_ms) / 1000:.3f}")

        def make(target: Path) -> None:
            self._cut(film, track, places, target)

        return self._get(self._folder / f"{digest}-{track}-{number}.jpg", make)

    def sound_delay_ms(self, film: Path) -> int:
        """Return how much later than a film its sound begins. Raises `Missing`."""
        return self._installed.tools.sound_delay_ms(self._installed.tool, film)

    def _get(self, target: Path, make: Callable[[Path], None]) -> Future[Path | None]:
        with self._lock:
            if (running := self._at_work.get(target)) is not None:
                return running
            future = self._makers.submit(self._made_file, target, make)
            self._at_work[target] = future
        future.add_done_callback(lambda done: self._forget(target))
        return future

    def _forget(self, target: Path) -> None:
        with self._lock:
            self._at_work.pop(target, None)

    def _made_file(self, target: Path, make: Callable[[Path], None]) -> Path | None:
        with contextlib.suppress(OSError):
            os.utime(target)  # asked for just now
            return target
        self._folder.mkdir(parents=True, exist_ok=True)
        make(target)
        self._made += 1
        if self._made % _SWEEP_AFTER == 0:
            self.sweep()
        return target if target.is_file() else None

    def sweep(self) -> None:
        """Delete the files that were not asked for longest, until the rest is small enough."""
        if not self._folder.is_dir():
            return
        found = []
        for entry in os.scandir(self._folder):
            with contextlib.suppress(OSError):
                found.append((entry.stat().st_mtime, entry.stat().st_size, Path(entry.path)))
        left = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if left <= self._kept_bytes:
                return
            path.unlink(missing_ok=True)
            left -= size

    def _cut(self, film: Path, track: int, places: tuple[str, str], target: Path) -> None:
        """Write one picture of a film; nothing where the film has none. It lies at the sum of the places in seconds,
        and the film is read from the first one on."""
        tools, tool = self._installed.tools, self._installed.tool
        try:
            program = tools.program(tool)
        except Missing:
            return
        between = target.with_suffix(".part")
        command = [
            str(program), "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", "file",
            "-format_whitelist", ",".join(FORMATS), *(("-ss", places[0]) if float(places[0]) else ()),
            "-i", f"file:{film.absolute()}", "-ss", places[1], "-map", f"0:{track}", "-frames:v", "1",
            "-vf", f"scale={_STILL_WIDTH}:-2", "-q:v", "5", "-f", "image2", f"file:{between}",
        ]  # fmt: skip
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                timeout=_STILL_LIMIT_S, **child_options(),
            )  # fmt: skip
        if between.is_file() and between.stat().st_size:
            between.replace(target)
        between.unlink(missing_ok=True)
