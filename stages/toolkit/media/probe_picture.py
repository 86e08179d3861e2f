"""Probe what a viewer sees of a track: the shape of the picture, its dynamic range, and the parts that an edit list
hides.

The rotation, and in some files the transfer function, are only in the first decoded picture.
"""

from __future__ import annotations

from fractions import Fraction

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from shared.documents.media import HdrTransfer, Hidden, Track

_TRANSFERS: dict[int, HdrTransfer] = {16: "pq", 18: "hlg"}  # the numbers of ITU-T H.273
_FIRST_PACKETS = 200  # a track without a picture in so many packets is damaged


def with_picture(container: InputContainer, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
    """Return the tracks with the facts that only a decoded picture has. Reads the first packets of `container`."""
    number = next((track.index for track in tracks if track.kind == "video" and not track.cover and track.width), None)
    if number is None:
        return tracks
    stream = container.streams[number]
    assert isinstance(stream, VideoStream)
    frame = _first_frame(container, stream)
    shown = _shown_size(stream, frame.rotation if frame else 0)
    transfer = _TRANSFERS.get((frame.color_trc if frame else 0) or 0) or _TRANSFERS.get(stream.codec_context.color_trc)
    changes = {"shown_width": shown[0], "shown_height": shown[1], "hdr": transfer}
    return tuple(track.model_copy(update=changes) if track.index == number else track for track in tracks)


def hidden_part(stream: Stream) -> Hidden:
    """Return the parts of a track that its edit list hides, by the index of its samples.

    An index is in the order of decoding. There, the pictures of an open group before a cut follow the first picture
    that is shown. So short stretches inside are not cuts, and `mux` ignores them.
    """
    if stream.time_base is None:
        return Hidden()
    entries = [(entry.timestamp, entry.is_discard) for entry in stream.index_entries]
    shown = [number for number, (_, is_hidden) in enumerate(entries) if not is_hidden]
    if not shown or len(shown) == len(entries):
        return Hidden()
    first, last = shown[0], shown[-1]
    # The times jump back from one edit to the next, so only steps forward count.
    steps = (entries[number + 1][0] - entries[number][0] for number in range(first, last) if entries[number][1])
    inside = sum(max(step, 0) for step in steps)
    return Hidden(
        start_ms=_ms(entries[first][0] - entries[0][0], stream.time_base),
        inside_ms=_ms(inside, stream.time_base),
        end_ms=_ms(entries[-1][0] - entries[last][0], stream.time_base),
        shown_ms=_ms(entries[last][0] - entries[first][0], stream.time_base),
    )


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    try:
        for number, packet in enumerate(container.demux(stream)):
            for frame in packet.decode():
                return frame
            if number == _FIRST_PACKETS:
                break
    except (av.FFmpegError, OSError):
        pass  # the beginning is damaged, so the container's own values remain
    return None


def _shown_size(stream: VideoStream, rotation: int) -> tuple[int, int]:
    context = stream.codec_context
    pixel = stream.sample_aspect_ratio or Fraction(1)
    wide, high = round(context.width * pixel), context.height
    return (high, wide) if rotation % 180 else (wide, high)


def _ms(ticks: int, time_base: Fraction) -> int:
    return max(round(ticks * time_base * 1000), 0)
