"""Write a copy of a media file with subtitles added. Nothing is encoded again, unless a subtitle is burnt into the
picture. Parts that an edit list hides stay hidden.

A track that the container cannot hold is converted if a viewer notices no loss, and otherwise left out with a warning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator

from shared.documents.cue import CueSheet
from shared.documents.media import TEXT_CODECS, Media, Track, lengths_differ
from shared.stage import Backend, Files, Job, Params, Resources, Stage, StageError
from shared.text.language import english_name, iso639_2t, primary
from shared.text.language_names import known_or_none
from shared.text.timecode import clock
from stages.mux.presentation import Cut, cut_of

COPY = "copy"
ENCODED = "encoded"  # by the codec that the backend has for pictures

Container = Literal["mkv", "mp4"]
# Codecs that each container is known to hold; any other is first tried with one packet.
_KNOWN_CODECS: dict[Container, frozenset[str]] = {
    "mkv": frozenset({
        "h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "mpeg2video", "mpeg1video",
        "aac", "ac3", "eac3", "mp2", "mp3", "opus", "vorbis", "flac", "alac", "dts", "truehd", "pcm_s16le", "pcm_s24le",
        "subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle",
    }),
    "mp4": frozenset({"h264", "hevc", "av1", "mpeg4", "aac", "ac3", "eac3", "mp3", "alac", "mov_text"}),
}  # fmt: skip
_CONTAINER_NAMES = {"mkv": "Matroska", "mp4": "MP4"}
# The container's own codec for text. It holds the words, but not every style.
_TEXT_CODEC: dict[Container, str] = {"mkv": "subrip", "mp4": "mov_text"}
_TITLES = {"full": "", "sdh": " (SDH)", "forced": " (forced)"}
_LOSSLESS = "flac"
_COVERS = {"mjpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png")}
# MP4 has its chapters and its time code as tracks too; both are copied separately, as chapters and as a tag.
_CARRIED_APART = frozenset({"chapters", "tmcd"})


class MuxInputs(Files):
    """`info`: `shared.documents.media.Media` of `media`; `sheets`: `shared.documents.cue.CueSheet`, the spoken language
    first."""

    media: Path
    info: Path
    sheets: tuple[Path, ...] = ()


class MuxParams(Params):
    """The container, the subtitle to show by default or to burn in, and whether the media's own subtitles stay."""

    container: Container = Field("mkv", description="the kind of file to write")
    burn_in: str | None = Field(
        None, description="language of a new subtitle to draw into the picture, which is encoded again; unset: none"
    )
    default_language: str | None = Field(
        None, description="language of the new subtitle that players show by default, BCP-47; unset: the first"
    )
    keep_subtitles: bool = Field(True, description="keep the subtitles that the media file already has")

    _known = field_validator("default_language", "burn_in")(known_or_none)


class MuxOutputs(Files):
    """`video`: a film; None if none is made, and the note `skipped` has the reason."""

    video: Path | None = None


MuxJob = Job[MuxInputs, MuxParams]


@dataclass(frozen=True)
class KeptTrack:
    """A track of the media file that goes into the new file, unchanged or in another codec."""

    index: int
    codec: str = COPY


@dataclass(frozen=True)
class Cover:
    """A cover picture, which goes into the new file as an attachment."""

    index: int
    file_name: str
    mime_type: str


@dataclass(frozen=True)
class NewSubtitle:
    """A subtitle to add."""

    sheet: CueSheet
    language: str  # ISO 639-2/T
    title: str
    default: bool


@dataclass(frozen=True)
class Parts:
    """The contents of the new file. `burnt` is drawn into the video track `picture`."""

    media: Path
    target: Path
    container: Container
    duration_ms: int
    kept: tuple[KeptTrack, ...]
    subtitles: tuple[NewSubtitle, ...]
    covers: tuple[Cover, ...] = ()
    left_out: tuple[Track, ...] = ()
    burnt: CueSheet | None = None
    picture: Track | None = None
    ends_ms: int | None = None  # the end of the film, if the media's edit list hides the rest


class Engine(Protocol):
    """A backend."""

    def holds(self, media: Path, track: Track, codec: str, container: Container) -> bool: ...
    def write(self, parts: Parts, progress: Callable[[float], None]) -> tuple[str, ...]: ...
    def length_ms(self, video: Path) -> int | None: ...


def run(engine: Engine, job: MuxJob) -> MuxOutputs:
    """Write the new file, unless there is no cue, no picture, or no copy that shows the same as the media does."""
    info = Media.read(job.inputs.info)
    sheets = choose_sheets(job)
    if reason := reason_to_skip(info, sheets):
        job.note("skipped", reason)
        return MuxOutputs()
    burnt = _burnt(sheets, job)
    cut = cut_of(info)
    container = container_for(job.params.container, cut, is_encoded=burnt is not None)
    parts = choose_parts(job, info, (sheets, burnt), container, engine.holds) if container else None
    if parts is None or (container != job.params.container and _loses_a_clock_track(parts)):
        return _skip_cut(job, cut)
    _report(job, info, parts)
    for warning in engine.write(parts, job.progress):
        job.warn(warning)
    film_ms = engine.length_ms(parts.target)
    job.note("film_ms", film_ms)
    media_lengths = (info.duration_ms, info.decoded_ms)  # a file that was cut off holds less than it declares
    if film_ms is not None and all(lengths_differ(film_ms, media_ms) for media_ms in media_lengths):
        if cut.is_any:
            parts.target.unlink()
            return _skip_cut(job, cut)
        lasts = f"the film lasts {clock(film_ms)}, and the media file {clock(info.duration_ms)}"
        job.warn(f"{lasts}: play both to see whether they are complete")
    job.progress(1.0)
    return MuxOutputs(video=parts.target)


def _report(job: MuxJob, info: Media, parts: Parts) -> None:
    """Report what becomes of the tracks, before the work begins."""
    if parts.left_out:
        names = ", ".join(_describe(track) for track in parts.left_out)
        job.warn(f"left out of the video, because {_CONTAINER_NAMES[parts.container]} cannot hold it: {names}")
    if parts.container != job.params.container:
        job.note("container", parts.container)
        job.warn(
            f"the film is an {_CONTAINER_NAMES[parts.container]}: its edit list hides its beginning (it was cut "
            f"without encoding), which {_CONTAINER_NAMES[job.params.container]} would show again"
        )
    if converted := [kept for kept in parts.kept if kept.codec not in {COPY, ENCODED}]:
        by_index = {track.index: track for track in info.tracks}
        job.note("converted", ", ".join(f"{_describe(by_index[kept.index])} to {kept.codec}" for kept in converted))
    if parts.subtitles:  # there is none if the only subtitle is burnt in
        job.note("subtitles", ", ".join(subtitle.language for subtitle in parts.subtitles))
    if parts.burnt:
        job.note("burnt_in", parts.burnt.language)
        if parts.picture and parts.picture.hdr:
            job.note("hdr", parts.picture.hdr)
            job.warn(
                f"the picture has high dynamic range ({parts.picture.hdr.upper()}): it is encoded as 10-bit HEVC with "
                "its colours kept, which takes several times as long as H.264; the subtitles are drawn at 203 cd/m2"
            )


def container_for(requested: Container, cut: Cut, *, is_encoded: bool) -> Container | None:
    """Return the container in which a copy shows the same as the media; None if there is none.

    Matroska has no edit lists. MP4 has them, but ffmpeg writes one only for a hidden beginning, not for a hidden part
    inside. A picture that is encoded again has no hidden part.
    """
    if cut.inside:
        return None
    return "mp4" if cut.sound_start or (cut.start and not is_encoded) else requested


def _loses_a_clock_track(parts: Parts) -> bool:
    return any(track.kind in {"video", "audio"} for track in parts.left_out)


def _skip_cut(job: MuxJob, cut: Cut) -> MuxOutputs:
    where = "parts inside it" if cut.inside else "its beginning or end"
    reason = (
        f"the media file's edit list hides {where}, and a copy would show that again; the subtitle files are correct"
    )
    job.note("skipped", reason)
    job.warn(f"no film was made: {reason}. For a film, encode the media file first")
    return MuxOutputs()


def choose_sheets(job: MuxJob) -> tuple[CueSheet, ...]:
    """Return the first sheet with cues of each language: a translation into the spoken language adds nothing."""
    first: dict[str, CueSheet] = {}
    for sheet in map(CueSheet.read, job.inputs.sheets):
        if sheet.cues:
            first.setdefault(sheet.language, sheet)
    return tuple(first.values())


def _burnt(sheets: tuple[CueSheet, ...], job: MuxJob) -> CueSheet | None:
    """Return the sheet to draw into the picture, None if none is requested. Raises `StageError` if it is missing."""
    requested = job.params.burn_in
    if requested is None:
        return None
    found = _nearest([sheet.language for sheet in sheets], requested)
    if found is None:
        raise StageError(
            "mux.burn-in",
            f"expected a subtitle in {requested} to burn in, found {', '.join(sheet.language for sheet in sheets)}",
            hint=f"add `--to {requested}`, or choose another language",
        )
    return sheets[found]


def _new_subtitles(sheets: tuple[CueSheet, ...], job: MuxJob, *, burnt: bool) -> tuple[NewSubtitle, ...]:
    """Return the tracks to add. One is marked as the default, unless another subtitle is burnt in."""
    default = None if burnt else _default_number([sheet.language for sheet in sheets], job)
    return tuple(
        NewSubtitle(
            sheet, iso639_2t(sheet.language), english_name(sheet.language) + _TITLES[sheet.kind], number == default
        )
        for number, sheet in enumerate(sheets)
    )


def _default_number(languages: list[str], job: MuxJob) -> int:
    requested = job.params.default_language
    if requested is None or not languages:
        return 0
    found = _nearest(languages, requested)
    if found is None:
        job.warn(f"no subtitle in {requested} to show by default; {languages[0]} is shown instead")
    return found or 0


def _nearest(languages: list[str], requested: str) -> int | None:
    """Return the number of a language in a list, or else of a variety of it; None without either."""
    near = [number for number, language in enumerate(languages) if primary(language) == primary(requested)]
    exact = [number for number in near if languages[number] == requested]
    return next(iter(exact or near), None)


def reason_to_skip(info: Media, sheets: tuple[CueSheet, ...]) -> str | None:
    """Return the reason why no video is made; None if one is."""
    if not sheets:
        return "there is no cue to show"
    if all(track.cover for track in info.of_kind("video")):
        return "the media file has no picture; the subtitles are next to it"
    return None


def choose_parts(
    job: MuxJob, info: Media, shown: tuple[tuple[CueSheet, ...], CueSheet | None], container: Container,
    holds: Callable[[Path, Track, str, Container], bool],
) -> Parts:  # fmt: skip
    """Decide what becomes of each track of the media file. `shown` are all sheets, and the one of them to burn in."""
    sheets, burnt = shown
    picture = next(track for track in info.of_kind("video") if not track.cover)
    kept: list[KeptTrack] = []
    covers: list[Cover] = []
    left_out: list[Track] = []
    for track in info.tracks:
        if burnt and track == picture:
            kept.append(KeptTrack(track.index, ENCODED))
        elif track.cover and track.codec in _COVERS and container == "mkv":
            covers.append(_cover(track, len(covers)))
        elif track.kind == "subtitle" and not job.params.keep_subtitles:
            continue
        elif codec := _codec_for(job.inputs.media, track, container, holds):
            kept.append(KeptTrack(track.index, codec))
        elif track.codec not in _CARRIED_APART:
            left_out.append(track)
    return Parts(
        media=job.inputs.media,
        target=job.out_dir / f"video.{container}",
        container=container,
        duration_ms=info.duration_ms,
        kept=tuple(kept),
        subtitles=_new_subtitles(tuple(sheet for sheet in sheets if sheet != burnt), job, burnt=burnt is not None),
        covers=tuple(covers),
        left_out=tuple(left_out),
        burnt=burnt,
        picture=picture,
        ends_ms=cut_of(info).end_ms,
    )


def _codec_for(
    media: Path, track: Track, container: Container, holds: Callable[[Path, Track, str, Container], bool]
) -> str | None:
    """Return the codec with which a track goes into the container: `copy`, another codec, or None for not at all."""
    if track.kind == "data" or (track.kind == "attachment" and container != "mkv"):
        return None
    if track.kind == "attachment" or track.codec in _KNOWN_CODECS[container]:
        return COPY
    if track.kind == "subtitle":
        if track.codec in TEXT_CODECS:
            return _TEXT_CODEC[container]
        return COPY if holds(media, track, COPY, container) else None
    if holds(media, track, COPY, container):
        return COPY
    # A film needs its sound, so sound in a codec that the container does not support is converted without loss.
    return _LOSSLESS if track.kind == "audio" and holds(media, track, _LOSSLESS, container) else None


def _cover(track: Track, number: int) -> Cover:
    suffix, mime_type = _COVERS[track.codec]
    return Cover(track.index, f"cover-{number + 1}.{suffix}" if number else f"cover.{suffix}", mime_type)


def _describe(track: Track) -> str:
    parts = [track.codec, *([track.language] if track.language else []), *([track.title] if track.title else [])]
    return f"track {track.index} ({track.kind}: {', '.join(parts)})"


def stub(job: MuxJob) -> MuxOutputs:
    """Write placeholder bytes if a real video would be made."""
    info = Media.read(job.inputs.info)
    sheets = choose_sheets(job)
    if not sheets:
        job.note("skipped", reason_to_skip(info, sheets))
        return MuxOutputs()
    video = job.out_dir / f"video.{job.params.container}"
    names = ", ".join(iso639_2t(sheet.language) for sheet in sheets)
    video.write_bytes(f"a video with subtitles: {names}\n".encode())
    return MuxOutputs(video=video)


STAGE = Stage(
    name="mux",
    version=4,
    summary="put subtitles into a copy of the media file",
    inputs=MuxInputs,
    params=MuxParams,
    outputs=MuxOutputs,
    backends={
        "ffmpeg": Backend(
            module="stages.mux.ffmpeg",
            environment="lite",
            summary="stream copy into Matroska or MP4 by ffmpeg; burning in by libass and x264",
            tools=("ffmpeg",),
            resources=Resources(cpus=1, memory_gib=1.0, time_base_s=120.0, time_per_media_s=20.0),
        )
    },
    run=run,
    stub=stub,
)
