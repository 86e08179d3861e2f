"""Read published documents: `transcript.json`, and cue sheets, which `--formats json` adds.

The fields are those of the reference. A field that a later release adds is ignored; a file with another `format` is
refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from reel._command import Name, ReelError

_FORMAT = 1
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Word:
    """A spoken word. `joined` says that no space is before it, `interpolated` that its times were not measured."""

    text: str
    start_ms: int
    end_ms: int
    probability: float
    joined: bool
    interpolated: bool
    speaker: str | None


@dataclass(frozen=True)
class Segment:
    """A stretch of speech. `speaker` is the speaker of most of it, None if unknown; `language` is set if it differs
    from the transcript's."""

    id: int
    text: str
    start_ms: int
    end_ms: int
    speaker: str | None
    language: str | None
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Transcript:
    """Segments in order of time. `language` is `und` without speech."""

    language: str
    language_probability: float
    duration_ms: int
    segments: tuple[Segment, ...]

    @property
    def text(self) -> str:
        """Return the plain text, one segment a line."""
        return "".join(f"{segment.text}\n" for segment in self.segments)


@dataclass(frozen=True)
class Cue:
    """One text on the screen; `lines` are without markup."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None


@dataclass(frozen=True)
class CueSheet:
    """The subtitles in one language, in order of time. `kind` is `full`, `sdh` or `forced`."""

    language: str
    kind: str
    cues: tuple[Cue, ...]


def read_transcript(file: Name) -> Transcript:
    """Return the transcript in a `transcript.json`. Raises `ReelError` for any other file."""
    return _read(file, "a transcript", _transcript, "`transcript.json` in the folder of a job is one")


def read_cues(file: Name) -> CueSheet:
    """Return the cue sheet in a file such as `film.en.json`. Raises `ReelError` for any other file."""
    hint = 'a run with `settings={"subtitle.formats": ["srt", "json"]}` writes one as `NAME.LANGUAGE.json`'
    return _read(file, "a cue sheet", _cue_sheet, hint)


def _read(file: Name, what: str, read: Callable[[Mapping[str, Any]], _Read], hint: str) -> _Read:
    """Return the value that `read` makes of the document in a file. `what` names it in errors."""
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            raise ReelError("reel.format", f"{file} has the format {document['format']}, expected {_FORMAT}", hint, 4)
        return read(document)
    except OSError as error:
        raise ReelError("reel.unreadable", f"{file} cannot be read: {error.strerror or error}", hint, 4) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ReelError("reel.document", f"{file} is not {what}", hint, 4) from error


def _transcript(document: Mapping[str, Any]) -> Transcript:
    segments = tuple(map(_segment, document["segments"]))
    return Transcript(document["language"], document["language_probability"], document["duration_ms"], segments)


def _segment(data: Mapping[str, Any]) -> Segment:
    words = tuple(Word(**{name: word[name] for name in Word.__dataclass_fields__}) for word in data["words"])
    fields = {name: data[name] for name in Segment.__dataclass_fields__ if name != "words"}
    return Segment(**fields, words=words)


def _cue_sheet(document: Mapping[str, Any]) -> CueSheet:
    cues = (Cue(cue["start_ms"], cue["end_ms"], tuple(cue["lines"]), cue["speaker"]) for cue in document["cues"])
    return CueSheet(document["language"], document["kind"], tuple(cues))
