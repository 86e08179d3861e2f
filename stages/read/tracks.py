"""Read a text track of a film: ffmpeg extracts the track, and it is read like a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.documents.cue import ReadCues
from shared.stage import Device, StageError
from stages.read.files import FileReader
from stages.read.stage import ReadParams
from stages.toolkit.formats.reader import read
from stages.toolkit.media import ffmpeg


class TrackReader(FileReader):
    """The engine, with the path of the program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def read(self, subtitles: Path, params: ReadParams, work: Path) -> ReadCues:
        """Return the cues of the track. It is extracted as ASS, which keeps the styles and places of any text track.
        Raises `StageError` if it cannot be extracted."""
        track = params.track or 0
        file = work / "track.ass"
        arguments = [*ffmpeg.reading(subtitles), "-map", f"0:s:{track}", "-c:s", "ass", "-f", "ass", str(file)]
        ended = ffmpeg.run(self._program, arguments)
        if ended.status or not file.is_file():
            raise StageError(
                "read.track",
                f"the subtitle track {track} of the film should be text, and cannot be taken out: {ended.reason()}",
                "name another track, or a subtitle file",
            )
        found = read(file, params.language, negative=True)
        file.unlink()
        return found


def load(models: Mapping[str, Path], device: Device) -> TrackReader:
    """Return the engine; there is no model to load."""
    return TrackReader(ffmpeg.find_ffmpeg())
