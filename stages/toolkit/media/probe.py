"""Probe a media file with PyAV: the container, its clock, and every track.

Tags of old files are often in an unknown encoding; such bytes are replaced, and are never an error.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from shared.containers import FORMATS
from shared.documents.media import Hidden, Probe, Track, TrackKind, is_commentary, refused
from shared.text.language import language_of_track
from shared.text.subtitle_names import is_subtitle
from stages.toolkit.media.ffmpeg import PROTOCOLS, address
from stages.toolkit.media.probe_picture import hidden_part, with_picture

_KINDS: dict[str, TrackKind] = {
    "audio": "audio", "video": "video", "subtitle": "subtitle", "attachment": "attachment",
}  # fmt: skip
_DESCRIBED = re.compile(r"\baudio[ -]?descri|\bdescriptive\b", re.IGNORECASE)
# Streams without a container state no length; ffmpeg guesses it from the first bit rate.
_LENGTH_IS_GUESSED = frozenset({"aac", "ac3", "amr", "amrnb", "amrwb", "dts", "dtshd", "eac3", "loas", "truehd"})
_OTHER_KINDS = {  # by their first bytes in lower case
    b"\xff\xd8\xff": "a JPEG picture", b"\x89png": "a PNG picture", b"gif8": "a GIF picture", b"%pdf": "a PDF",
    b"pk\x03\x04": "a ZIP archive", b"rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive",
    b"<!doctype html": "a web page", b"<html": "a web page", b"#extm3u": "a playlist",
}  # fmt: skip
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def probe(media: Path) -> Probe:
    """Return the container and the tracks of a file. Raises `StageError` for a container outside the allow list."""
    options = {"protocol_whitelist": PROTOCOLS, "format_whitelist": ",".join(FORMATS)}
    try:
        with av.open(address(media), options=options, metadata_errors="replace") as container:
            return _read(container)
    except (av.FFmpegError, OSError) as error:
        expected = "a film or a sound file in a known container (mp4, mkv, ts, avi, wav, mp3, ...)"
        if is_subtitle(media.name):
            hint = "name the film; a subtitle alone is translated by `./reel run film.en.srt --to pt`"
            raise refused("demux.container", media, expected, "a subtitle", hint) from error
        raise refused(
            "demux.container",
            media,
            expected,
            _other_kind(media) or f"something else, or a file whose beginning or end is missing ({_words(error)})",
            "play the file to see whether it is complete; playlists, picture sequences, texts and subtitles of pictures"
            " (.sup, .idx) are refused on purpose",
        ) from error


def _other_kind(media: Path) -> str:
    """Return the kind of a file by its first bytes; empty if they are not known."""
    try:
        with open(media, "rb") as stream:
            head = stream.read(1024)
    except OSError:
        return ""
    if b" --> " in head:
        return "subtitles"
    return next((kind for mark, kind in _OTHER_KINDS.items() if head.lstrip().lower().startswith(mark)), "")


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _read(container: InputContainer) -> Probe:
    chapters = len(container.chapters())
    tracks = with_picture(container, tuple(_track(stream, chapters) for stream in container.streams))
    name = container.format.name
    duration_ms = None if container.duration is None else round(container.duration / 1000)
    return Probe(
        container=name,
        start_ms=round((container.start_time or 0) / 1000),
        duration_ms=duration_ms,
        length_is_guessed=name in _LENGTH_IS_GUESSED,
        tracks=tracks,
        described=frozenset(stream.index for stream in container.streams if _is_described(stream)),
        low_frequency={
            stream.index: names.index("LFE")
            for stream in container.streams
            if "LFE" in (names := _channel_names(stream))
        },
    )


def _track(stream: Stream, chapters: int) -> Track:
    metadata = {key.lower(): value for key, value in stream.metadata.items()}
    title = metadata.get("title") or None
    disposition = stream.disposition
    audio = stream if isinstance(stream, AudioStream) else None
    video = stream if isinstance(stream, VideoStream) else None
    commentary = bool(disposition & Disposition.comment) or is_commentary(title)
    return Track(
        index=stream.index,
        kind=_KINDS.get(stream.type, "data"),
        codec=_codec(stream, chapters),
        language=language_of_track(metadata.get("language")),
        title=title,
        default=bool(disposition & Disposition.default),
        commentary=commentary,
        start_ms=_ms(stream.start_time, stream.time_base) or 0,
        duration_ms=_ms(stream.duration, stream.time_base) or _tagged_ms(metadata.get("duration")),
        channels=(audio.codec_context.channels or None) if audio and _is_known(audio) else None,
        sample_rate=(audio.codec_context.sample_rate or None) if audio and _is_known(audio) else None,
        width=(video.codec_context.width or None) if video and _is_known(video) else None,
        height=(video.codec_context.height or None) if video and _is_known(video) else None,
        frame_rate=_frame_rate(video) if video and not disposition & Disposition.attached_pic else None,
        cover=bool(disposition & Disposition.attached_pic),
        hidden=hidden_part(stream) if audio or video else Hidden(),
    )


def _is_known(stream: Stream) -> bool:
    # PyAV has no context for a codec that its ffmpeg lacks, although its types declare one.
    return cast(object, stream.codec_context) is not None


def _codec(stream: Stream, chapters: int) -> str:
    """Return ffmpeg's name of the codec, not of the decoder: `mp3` for `mp3float`.

    MP4 has its chapters as a track of text with a sample for each, which ffmpeg calls `bin_data`, like all unknown
    data.
    """
    if _is_known(stream):
        return str(stream.codec_context.codec.canonical_name)
    name = str(getattr(stream, "name", None) or "unknown")
    if name == "bin_data" and chapters and stream.frames == chapters:
        return "chapters"
    return "tmcd" if name == "unknown" and "timecode" in stream.metadata else name


def _is_described(stream: Stream) -> bool:
    flags = Disposition.visual_impaired | Disposition.descriptions
    return bool(stream.disposition & flags) or bool(_DESCRIBED.search(stream.metadata.get("title", "")))


def _channel_names(stream: Stream) -> list[str]:
    if not isinstance(stream, AudioStream) or not _is_known(stream):
        return []
    return [channel.name for channel in stream.codec_context.layout.channels]


def _ms(ticks: int | None, time_base: Fraction | None) -> int | None:
    return None if ticks is None or time_base is None else round(ticks * time_base * 1000)


def _tagged_ms(text: str | None) -> int | None:
    """Return the length of a track from its tag in Matroska, `00:00:05.023000000`, in ms; None without one."""
    found = _DURATION_TAG.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def _frame_rate(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return round(float(rate), 3) if rate else None
