"""Put subtitles beside everything a media file holds, in a Matroska file of its own; nothing is encoded anew.

What Matroska cannot hold is converted where that loses nothing a viewer sees, else left out with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import Field, field_validator

from shared.cue import CueSheet
from shared.language import english_name, iso639_2t, parse_language, primary
from shared.media import Media, Track
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError

COPY = "copy"

# Codecs known to go into Matroska; any other is tried out first, on one packet.
_HELD = frozenset({
    "h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video",
    "aac", "ac3", "eac3", "mp2", "mp3", "opus", "vorbis", "flac", "alac", "dts", "truehd", "pcm_s16le", "pcm_s24le",
    "subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle",
})  # fmt: skip
# Subtitles that are text: SubRip holds the words, though not every style.
_TEXT = frozenset({"mov_text", "text", "microdvd", "sami", "subviewer", "subviewer1"})
_LOSSLESS = "flac"
_COVERS = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
# An mp4 shows its chapters and its time code as tracks too; both are carried apart, as chapters and as a tag.
_CARRIED_APART = frozenset({"chapters", "tmcd"})


class MuxInputs(Files):
    """`info`: `shared.media.Media` of `media`; `sheets`: `shared.cue.CueSheet`, and `subtitles`: SRT, in one order."""

    media: Path
    info: Path
    sheets: tuple[Path, ...] = ()
    subtitles: tuple[Path, ...] = ()


class MuxParams(Params):
    """Which subtitle is shown unasked, and whether the media's own stay."""

    default_language: str | None = Field(
        None, description="language of the new subtitle that players show unasked, BCP-47; unset: the first"
    )
    keep_subtitles: bool = Field(True, description="keep the subtitles that the media has already")

    @field_validator("default_language")
    @classmethod
    def _normalise(cls, text: str | None) -> str | None:
        return None if text is None else parse_language(text)


class MuxOutputs(Files):
    """`video`: Matroska; None where there is no picture or no cue, and the note `skipped` says which."""

    video: Path | None = None


MuxJob = Job[MuxInputs, MuxParams]


@dataclass(frozen=True)
class Kept:
    """A track of the media that goes into the new file, as it is or in another codec."""

    index: int
    codec: str = COPY


@dataclass(frozen=True)
class Cover:
    """A picture that goes into the new file as an attachment."""

    index: int
    file_name: str
    mime_type: str


@dataclass(frozen=True)
class NewSubtitle:
    """A subtitle to add."""

    path: Path
    language: str  # ISO 639-2/T
    title: str
    default: bool


@dataclass(frozen=True)
class Parts:
    """All that goes into the new file."""

    media: Path
    target: Path
    duration_ms: int
    kept: tuple[Kept, ...]
    subtitles: tuple[NewSubtitle, ...]
    covers: tuple[Cover, ...] = ()
    left_out: tuple[Track, ...] = ()


class Engine(Protocol):
    """What a module in `stages.backends` offers to this stage."""

    def holds(self, media: Path, track: Track, codec: str) -> bool: ...
    def write(self, parts: Parts, progress: Callable[[float], None]) -> None: ...


def run(engine: Engine, job: MuxJob) -> MuxOutputs:
    """Write the new file, unless there is nothing to show or nothing to show it on."""
    info = Media.read(job.inputs.info)
    subtitles = choose_subtitles(job)
    if reason := reason_to_skip(info, subtitles):
        job.note("skipped", reason)
        return MuxOutputs()
    parts = choose_parts(job, info, subtitles, engine.holds)
    if parts.left_out:
        names = ", ".join(_describe(track) for track in parts.left_out)
        job.warn(f"left out of the video, because Matroska cannot hold it: {names}")
    if converted := [kept for kept in parts.kept if kept.codec != COPY]:
        by_index = {track.index: track for track in info.tracks}
        job.note("converted", ", ".join(f"{_describe(by_index[kept.index])} to {kept.codec}" for kept in converted))
    job.note("subtitles", ", ".join(subtitle.language for subtitle in subtitles))
    engine.write(parts, job.progress)
    job.progress(1.0)
    return MuxOutputs(video=parts.target)


def choose_subtitles(job: MuxJob) -> tuple[NewSubtitle, ...]:
    """The subtitles that have cues, one of them marked as the default."""
    sheets, files = job.inputs.sheets, job.inputs.subtitles
    if len(sheets) != len(files):
        raise StageError(
            "mux.inputs",
            f"expected one subtitle file for each cue sheet, found {len(files)} files and {len(sheets)} sheets",
            hint="give `sheets` and `subtitles` in the same order",
        )
    read = [(CueSheet.read(sheet), path) for sheet, path in zip(sheets, files, strict=True)]
    first: dict[str, Path] = {}
    for sheet, path in read:
        if sheet.cues:  # a translation into the spoken language comes second, and adds nothing
            first.setdefault(sheet.language, path)
    spoken = list(first.items())
    default = _default_number([language for language, _ in spoken], job)
    return tuple(
        NewSubtitle(path, iso639_2t(language), english_name(language), default=number == default)
        for number, (language, path) in enumerate(spoken)
    )


def _default_number(languages: list[str], job: MuxJob) -> int:
    wanted = job.params.default_language
    if wanted is None or not languages:
        return 0
    near = [number for number, language in enumerate(languages) if primary(language) == primary(wanted)]
    exact = [number for number in near if languages[number] == wanted]
    if not near:
        job.warn(f"no subtitle in {wanted} to show by default; {languages[0]} is shown instead")
    return (exact or near or [0])[0]


def reason_to_skip(info: Media, subtitles: tuple[NewSubtitle, ...]) -> str | None:
    """Why no video is made; None where one is."""
    if not subtitles:
        return "there is no cue to show"
    if all(track.cover for track in info.of_kind("video")):
        return "the media has no picture; the subtitles lie beside it"
    return None


def choose_parts(
    job: MuxJob, info: Media, subtitles: tuple[NewSubtitle, ...], holds: Callable[[Path, Track, str], bool]
) -> Parts:
    """What becomes of each track of the media."""
    kept: list[Kept] = []
    covers: list[Cover] = []
    left_out: list[Track] = []
    for track in info.tracks:
        if track.cover and track.codec in _COVERS:
            covers.append(_cover(track, len(covers)))
        elif track.kind == "subtitle" and not job.params.keep_subtitles:
            continue
        elif codec := _codec_for(job.inputs.media, track, holds):
            kept.append(Kept(track.index, codec))
        elif track.codec not in _CARRIED_APART:
            left_out.append(track)
    return Parts(
        media=job.inputs.media,
        target=job.out_dir / "video.mkv",
        duration_ms=info.duration_ms,
        kept=tuple(kept),
        subtitles=subtitles,
        covers=tuple(covers),
        left_out=tuple(left_out),
    )


def _codec_for(media: Path, track: Track, holds: Callable[[Path, Track, str], bool]) -> str | None:
    """How a track goes into Matroska: `copy`, another codec, or not at all."""
    if track.kind == "data":
        return None
    if track.kind == "attachment" or track.codec in _HELD:
        return COPY
    if track.kind == "subtitle":
        return "subrip" if track.codec in _TEXT else COPY if holds(media, track, COPY) else None
    if holds(media, track, COPY):
        return COPY
    # A film without its sound is no film, so sound in a codec that Matroska never met keeps its samples in another.
    return _LOSSLESS if track.kind == "audio" and holds(media, track, _LOSSLESS) else None


def _cover(track: Track, number: int) -> Cover:
    suffix, mime_type = _COVERS[track.codec]
    return Cover(track.index, f"cover-{number + 1}.{suffix}" if number else f"cover.{suffix}", mime_type)


def _describe(track: Track) -> str:
    parts = [track.codec, *([track.language] if track.language else []), *([track.title] if track.title else [])]
    return f"track {track.index} ({track.kind}: {', '.join(parts)})"


def stub(job: MuxJob) -> MuxOutputs:
    """Bytes in the place of a video, wherever a real one would be made."""
    info = Media.read(job.inputs.info)
    subtitles = choose_subtitles(job)
    if not subtitles:
        job.note("skipped", reason_to_skip(info, subtitles))
        return MuxOutputs()
    video = job.out_dir / "video.mkv"
    video.write_bytes(b"a video with subtitles: " + ", ".join(s.language for s in subtitles).encode() + b"\n")
    return MuxOutputs(video=video)


STAGE = Stage(
    name="mux",
    version=1,
    summary="put subtitles into a copy of the media",
    inputs=MuxInputs,
    params=MuxParams,
    outputs=MuxOutputs,
    backends={
        "ffmpeg": Backend(
            module="stages.backends.ffmpeg_mux",
            environment="lite",
            summary="stream copy into Matroska by ffmpeg",
            tools=("ffmpeg",),
            resources=Resources(cpus=1, memory_gib=1.0, time_base_s=120.0, time_per_media_s=1.0),
        )
    },
    run=run,
    stub=stub,
)
