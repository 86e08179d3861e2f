"""Confines what a request may name to the media folders that the server was started with."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.web.refused import Refused


@dataclass(frozen=True)
class MediaRoots:
    """Folders that requests may name files in, links resolved, and maps from another machine's paths to ours."""

    folders: tuple[Path, ...] = ()
    maps: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, folders: Sequence[str], maps: Sequence[tuple[str, str]]) -> MediaRoots:
        """Return the roots that a command names. The longest map comes first, as the most exact one."""
        longest_first = sorted(maps, key=lambda pair: -len(pair[0]))
        return cls(tuple(Path(folder).resolve() for folder in folders), tuple(longest_first))

    def find(self, name: str) -> Path:
        """Return the regular file that a request names, by its path on this machine. Raises `Refused`."""
        if not self.folders:
            hint = "start it with `--media DIR`, or upload the file"
            raise Refused(403, "serve.media", "this server was started without a folder of media files", hint)
        mapped = self.mapped(name)
        if "\0" in mapped or not os.path.isabs(mapped):  # noqa: PTH117 - the text is not known to be a path yet
            raise Refused(422, "serve.path", "expected the absolute path of a media file")
        try:
            path = Path(mapped).resolve()
            if not any(path.is_relative_to(folder) for folder in self.folders):
                raise Refused(
                    403, "serve.outside", "the path is outside the media folders of this server",
                    "start it with `--media DIR`, and `--map FROM=TO` where the other program sees other paths",
                )  # fmt: skip
            is_file = stat.S_ISREG(path.stat().st_mode)
        except (OSError, ValueError, RuntimeError) as error:
            raise Refused(404, "media.missing", "there is no such file in the media folders") from error
        if not is_file:
            raise Refused(422, "media.not-a-file", "the path is not that of a regular file")
        return path

    def mapped(self, name: str) -> str:
        """Return another machine's path as this machine sees it. A map applies to whole folders."""
        for theirs, ours in self.maps:
            start = theirs.rstrip("/\\")
            if name == start or name.startswith((f"{start}/", f"{start}\\")):
                rest = name[len(start) :].replace("\\", "/") if "\\" in theirs or "\\" in name else name[len(start) :]
                return ours.rstrip("/") + rest
        return name
