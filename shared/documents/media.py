"""A media file as probed: its container and its tracks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from shared.documents.base import Document, Frozen
from shared.stage import StageError

TrackKind = Literal["audio", "video", "subtitle", "attachment", "data"]
HdrTransfer = Literal["pq", "hlg"]
# Codecs of subtitles that are text, not pictures of it.
TEXT_CODECS = frozenset(
    {"mov_text", "text", "microdvd", "sami", "subviewer", "subviewer1", "subrip", "ass", "ssa", "webvtt"}
)
_COMMENTARY = re.compile(r"\bcomment(ary|aries|aire|aires)\b|\bkommentar\b|\bcomentarios?\b", re.IGNORECASE)
_LENGTH_SLACK_MS = 1000
_LENGTH_SLACK_PART = 0.01


def is_commentary(title: str | None) -> bool:
    """Tell whether a track's title says that it is a commentary on the film."""
    return bool(title and _COMMENTARY.search(title))


class Hidden(Frozen):
    """The length of the parts of a track that are in the file but not shown, because an edit list hides them: before
    the shown part, inside it, and after it."""

    start_ms: int = 0
    inside_ms: int = 0
    end_ms: int = 0
    shown_ms: int | None = None  # how long the shown part is, where something is hidden


class Track(Frozen):
    """One track. `index` is its position among all tracks of the file, from 0."""

    index: int
    kind: TrackKind
    codec: str
    language: str | None = None  # BCP-47; None where the container does not say
    title: str | None = None
    default: bool = False
    commentary: bool = False
    start_ms: int = 0
    duration_ms: int | None = None
    channels: int | None = None
    sample_rate: int | None = None
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    cover: bool = False  # a picture that a container shows as a video track
    shown_width: int | None = None  # of the picture as it is shown: after its pixels' shape and its rotation
    shown_height: int | None = None
    hdr: HdrTransfer | None = None  # the transfer function of a picture of high dynamic range
    hidden: Hidden = Hidden()

    @property
    def aspect(self) -> float | None:
        """Return the width of the picture divided by its height, as it is shown; None if it is not known."""
        wide, high = self.shown_width or self.width, self.shown_height or self.height
        return wide / high if wide and high else None


class Probe(Frozen):
    """The tracks of a file as its headers describe them, before anything is decoded."""

    container: str
    start_ms: int
    duration_ms: int | None
    tracks: tuple[Track, ...]
    promised_ms: int | None = None  # by the header, where ffmpeg tells the length by the size of the file
    length_is_guessed: bool = False  # a stream without a container states no length
    described: frozenset[int] = frozenset()  # indices of the tracks that describe the picture to the blind
    low_frequency: Mapping[int, int] = {}  # by track index: the channel that holds effects only


class Media(Document):
    """A probed file. Times are relative to the container's own clock; `start_ms` is where that begins."""

    container: str
    start_ms: int
    duration_ms: int
    tracks: tuple[Track, ...]
    audio_track: int | None  # the index of the track that was taken; None where there is no sound
    decoded_ms: int  # the length of the audio that came out; where none was decoded, that of the file

    def of_kind(self, kind: TrackKind) -> tuple[Track, ...]:
        """Return the tracks of one kind, in the file's order."""
        return tuple(track for track in self.tracks if track.kind == kind)

    @property
    def picture(self) -> Track | None:
        """Return the first moving picture, or None."""
        return next((track for track in self.of_kind("video") if not track.cover), None)


def clock_tracks(tracks: Iterable[Track]) -> tuple[int, ...]:
    """Return the indices of the tracks whose starts define time 0: sound and moving pictures."""
    return tuple(track.index for track in tracks if (track.sample_rate or track.width) and not track.cover)


def lengths_differ(one_ms: int, other_ms: int) -> bool:
    """Tell whether two lengths of a media file differ by more than the rounding of containers: 1 s, or 1 %."""
    return abs(one_ms - other_ms) > max(_LENGTH_SLACK_MS, one_ms * _LENGTH_SLACK_PART)


def refused(code: str, media: Path, expected: str, found: str, hint: str | None = None) -> StageError:
    """Return the error for a media file that cannot be used: what was expected, and what was found."""
    return StageError(code, f"{media}: expected {expected}, found {found}", hint)
