"""Read subtitle files, and identify their language: the engine of stage `read`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.documents.cue import ReadCues
from shared.stage import Device
from stages.read.stage import ReadParams
from stages.toolkit.cues.parts import spoken_text
from stages.toolkit.formats.reader import read
from stages.toolkit.text.language_of_text import language_of_text


class FileReader:
    """The engine, without state."""

    def read(self, subtitles: Path, params: ReadParams, work: Path) -> ReadCues:
        """See `stages.toolkit.formats.reader.read`. Times before 0 are kept, because the file may be out of step."""
        return read(subtitles, params.language, negative=True)

    def language_of(self, texts: Sequence[str], params: ReadParams) -> str | None:
        """Return the language of the spoken text; None if it is not certain."""
        return language_of_text((spoken_text([text]) for text in texts), params.common_words)


def load(models: Mapping[str, Path], device: Device) -> FileReader:
    """Return the engine; there is no model to load."""
    return FileReader()
