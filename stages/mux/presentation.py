"""A media file as a viewer sees it, where its container holds more than it shows.

An MP4 that was cut without encoding keeps what was cut away, and an edit list that hides it.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.documents.media import Media, Track

# Sound begins with up to 60 ms of hidden priming. Inside, the pictures of an open group before a cut are hidden: few.
_SEEN_MS = 100
_SEEN_INSIDE_MS = 250


@dataclass(frozen=True)
class Cut:
    """A part that a media file hides, and that a copy of its tracks could show again."""

    start: bool = False  # before the picture or the sound
    sound_start: bool = False
    inside: bool = False
    end_ms: int | None = None  # when the last track ends, where something is hidden after that

    @property
    def is_any(self) -> bool:
        """Tell whether anything is hidden."""
        return self.start or self.inside or self.end_ms is not None


def cut_of(info: Media) -> Cut:
    """Tell where the edit lists of picture and sound hide something, as far as a viewer would notice."""
    tracks = [track for track in info.of_kind("video") + info.of_kind("audio") if not track.cover]
    starting = [track for track in tracks if track.hidden.start_ms > _SEEN_MS]
    # Behind a delay, ffmpeg writes no edit that hides.
    delayed = any(track.start_ms - info.start_ms > _SEEN_MS for track in starting)
    return Cut(
        start=bool(starting),
        sound_start=any(track.kind == "audio" for track in starting),
        inside=delayed or any(track.hidden.inside_ms > _SEEN_INSIDE_MS for track in tracks),
        end_ms=_end_ms(info, tracks) if any(track.hidden.end_ms > _SEEN_MS for track in tracks) else None,
    )


def _end_ms(info: Media, tracks: list[Track]) -> int:
    ends = []
    for track in tracks:
        lasts_ms = track.hidden.shown_ms if track.hidden.end_ms > _SEEN_MS else track.duration_ms
        ends.append(track.start_ms - info.start_ms + (info.duration_ms if lasts_ms is None else lasts_ms))
    return max(ends)
