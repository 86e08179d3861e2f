"""Decides how the picture of a film can be shown beside its sound: the film itself, single stills, or not at all. Pure.

The sound comes from the results, so that only the picture of the film has to be one that a browser plays. A browser may
say that it can play a file and then show nothing, so the page looks for itself whether a picture comes. Where it has
only stills, a person may ask for a small copy of the picture: the recipe `proxy` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shared.documents.media import Media

Tier = Literal["original", "stills", "none"]
PROXY = "proxy"
"""Name of the recipe, and of its step, that makes a copy which browsers play."""
STILL_MS = 1000
"""Two stills are so far apart."""
# What Chromium was seen to play, by ffmpeg's names. It takes HEVC in an MP4 for playable, and shows no picture.
_TYPES = {"mp4": "video/mp4", "mov": "video/mp4", "matroska": "video/x-matroska", "webm": "video/webm"}
_CODECS = {"h264", "vp8", "vp9", "av1"}
# A jump into these lands between two key frames, and shows nothing before the next one. Broadcasts have a key frame
# every 10 s at least.
_WITHOUT_INDEX = {"mpegts", "mpeg"}
_LEAD_MS = 10_000


@dataclass(frozen=True)
class Picture:
    """How to show a picture. `type` is the media type of the film; `start_ms` is added to the time of the sound to get
    the film's own. `why` says why the tier is not `original`. There are `stills`, one for each `STILL_MS`."""

    tier: Tier
    type: str | None = None
    start_ms: int = 0
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    why: str = ""
    stills: int = 0


def lead_ms(info: Media) -> int:
    """Return how much sooner than a still the film has to be read, so that the still can be decoded."""
    return _LEAD_MS if _WITHOUT_INDEX & set(info.container.split(",")) else 0


def picture_of(info: Media | None, obstacle: str) -> Picture:
    """Return how to show the picture of a film. `obstacle` says why the film may not be read; empty if it may."""
    track = info.picture if info else None
    if info is None or track is None:
        return Picture("none", why="the file has no moving picture")
    if obstacle:
        return Picture("none", why=obstacle)
    kinds = [_TYPES[name] for name in info.container.split(",") if name in _TYPES]
    size = (info.start_ms, track.shown_width or track.width, track.shown_height or track.height, track.frame_rate)
    stills = max(-(-info.duration_ms // STILL_MS), 1)
    if not kinds:
        why = f"browsers do not play the container {info.container}"
        return Picture("stills", None, *size, why, stills)
    if track.codec not in _CODECS:
        return Picture("stills", kinds[0], *size, f"browsers do not play {track.codec}", stills)
    return Picture("original", kinds[0], *size, "", stills)
