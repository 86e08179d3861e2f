"""Take the sound out of a media file for the later stages, and describe the tracks of the file.

Time 0 of the sound is time 0 of the container's presentation: the sound of a track that starts late begins with
silence.
"""

from __future__ import annotations

import stat
import wave
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, field_validator

from shared.documents.channel_levels import ChannelLevels
from shared.documents.media import Media, Probe, Track, clock_tracks, lengths_differ, refused
from shared.stage import Backend, Files, Job, Params, Resources, Stage
from shared.text.language import primary
from shared.text.language_names import known_or_none
from shared.text.timecode import clock
from stages.demux.channels import hold_two_people, may_hold_two_people

SPEECH_RATE = 16_000
_BYTES_PER_SAMPLE = 2

# A mix so far below its loudest channel has lost that channel. Speech in one of 8 channels loses 16 dB in an ordinary
# mix, and in one of 16 it loses 20. Speech against its own inverse loses 18 to 30 dB if the gains differ by a tenth,
# and 50 and more if they are equal, in PCM, AAC, MP3, Opus and AC-3.
CANCELLED_DB = 20.0
_AUDIBLE_DB = -70.0


class DemuxInputs(Files):
    """`media`: any file in a container of the allow list."""

    media: Path


class DemuxParams(Params):
    """The track to take, and the sample rates. `audio_track` prevails over `audio_language`."""

    audio_track: int | None = Field(None, ge=0, description="number of the audio track, from 0 among the audio tracks")
    audio_language: str | None = Field(None, description="language of the audio track to take, BCP-47")
    full_rate: Literal[44100, 48000] | None = Field(
        None, description="also write stereo at this rate, for stages that need more than speech"
    )

    _known = field_validator("audio_language")(known_or_none)


class DemuxOutputs(Files):
    """`media`: `shared.documents.media.Media`; `speech`: 16 kHz mono WAV; `full`: stereo WAV at `full_rate`.

    `channels`: `shared.documents.channel_levels.ChannelLevels`, if the two channels hold different people.
    """

    media: Path
    speech: Path
    full: Path | None = None
    channels: Path | None = None


DemuxJob = Job[DemuxInputs, DemuxParams]


@dataclass(frozen=True)
class Extraction:
    """The track to decode, and the files to write."""

    media: Path
    track: Track
    clock_tracks: tuple[int, ...]  # indices of the tracks that define time 0, `track` among them
    duration_ms: int
    speech: Path
    full: Path | None = None
    full_rate: int = 0
    channel: int | None = None  # take this channel alone instead of the mix
    has_clock: bool = True  # the container gives each packet a time


@dataclass(frozen=True)
class Extracted:
    """The result of an extraction. Levels are in dB of full scale; they are missing if they could not be measured."""

    complaint: str | None = None  # the decoder's message if it could not go on
    channel_db: tuple[float, ...] = ()
    mix_db: float | None = None
    decoded_samples: int | None = None  # from the decoder, before gaps are filled with silence


class Engine(Protocol):
    """A backend."""

    def probe(self, media: Path) -> Probe: ...
    def extract(self, extraction: Extraction, progress: Callable[[float], None]) -> Extracted: ...
    def channel_levels(self, extraction: Extraction) -> ChannelLevels: ...


def run(engine: Engine, job: DemuxJob) -> DemuxOutputs:
    """Choose a track, decode it, and warn of faults of the file. Raises `StageError` for a file without usable
    sound."""
    media = job.inputs.media
    require_regular_file(media)
    probe = engine.probe(media)
    track, reason = choose_track(media, probe, job.params)
    number = _audio(probe.tracks).index(track)
    for name, value in (("audio_track", number), ("audio_language", track.language), ("audio_title", track.title)):
        job.note(name, value)
    job.note("audio_track_reason", reason)
    rate = job.params.full_rate
    extraction = Extraction(
        media=media,
        track=track,
        clock_tracks=clock_tracks(probe.tracks),
        duration_ms=probe.duration_ms or 0,
        speech=job.out_dir / "speech.wav",
        full=job.out_dir / "full.wav" if rate else None,
        full_rate=rate or 0,
        has_clock=not probe.length_is_guessed,
    )
    extracted = engine.extract(extraction, job.progress)
    decoded_ms = wav_length_ms(extraction.speech, SPEECH_RATE * _BYTES_PER_SAMPLE)
    if decoded_ms == 0:
        raise refused(
            "demux.undecodable",
            media,
            f"sound in {describe(track, number)}",
            "nothing that could be decoded" + (f" ({extracted.complaint})" if extracted.complaint else ""),
            "play the file to see whether it is complete; `audio_track` chooses another track",
        )
    _rescue_cancelled(engine, job, extraction, extracted, probe.low_frequency.get(track.index))
    _compare_lengths(job, probe, track, decoded_ms, extracted.complaint)
    _count_missing(job, probe, track, decoded_ms, extracted.decoded_samples)
    document = Media(
        container=probe.container,
        start_ms=probe.start_ms,
        duration_ms=probe.duration_ms or decoded_ms,
        tracks=probe.tracks,
        audio_track=track.index,
        decoded_ms=decoded_ms,
    )
    outputs = DemuxOutputs(
        media=document.write(job.out_dir / "media.json"), speech=extraction.speech, full=extraction.full,
        channels=_channels(engine, job, extraction, extracted),
    )  # fmt: skip
    job.progress(1.0)
    return outputs


def require_regular_file(media: Path) -> None:
    """Raise `StageError` unless `media` is a readable, non-empty, regular file. Other kinds are not opened, because a
    named pipe would block forever."""
    try:
        status = media.stat()
    except FileNotFoundError:
        raise refused("demux.not-a-file", media, "a media file", "nothing", "check the name") from None
    except OSError as error:
        raise refused("demux.unreadable", media, "a media file", str(error.strerror), "check the name") from error
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
        found = kinds.get(stat.S_IFMT(status.st_mode), "a device")
        raise refused("demux.not-a-file", media, "a regular file", found, "name the media file itself")
    if status.st_size == 0:
        raise refused("demux.not-a-file", media, "a media file", "an empty file", "copy the file again")
    try:
        media.open("rb").close()
    except OSError as error:
        expected = "a file that may be read"
        raise refused("demux.unreadable", media, expected, str(error.strerror), "check the permissions") from error


def choose_track(media: Path, probe: Probe, params: DemuxParams) -> tuple[Track, str]:
    """Return the audio track to take, and the reason. Raises `StageError` if there is no such track."""
    audio = _audio(probe.tracks)
    if not audio:
        found = ", ".join(f"{track.kind} ({track.codec})" for track in probe.tracks) or "no tracks at all"
        hint = "name a file with sound; a subtitle alone is translated by `./reel run film.en.srt --to pt`"
        raise refused("demux.no-audio", media, "an audio track", found, hint)
    if params.audio_track is not None:
        if params.audio_track >= len(audio):
            hint = "set `audio_track` to one of these numbers, or leave it out"
            raise refused("demux.track", media, f"an audio track {params.audio_track}", _listed(audio), hint)
        return audio[params.audio_track], "asked for by number"
    if params.audio_language is not None:
        return _track_in(params.audio_language, media, probe, audio)
    return _preferred(probe, audio)


def describe(track: Track, number: int) -> str:
    """Return the description of a track in messages: `track 1 (hi, ac3, 6 channels, "Director's commentary",
    default)`."""
    parts = [track.language or "language unknown", track.codec]
    parts += [f"{track.channels} channels"] if track.channels else []
    parts += [f'"{track.title}"'] if track.title else []
    parts += ["default"] if track.default else []
    return f"track {number} ({', '.join(parts)})"


def wav_length_ms(path: Path, bytes_per_second: int) -> int:
    """Return the length of a PCM WAV file from its size; 0 if there is no file.

    The header's 32 bits are too small for a long file, and `wave` cannot read RF64, which ffmpeg writes above 4 GiB.
    """
    if not path.is_file():
        return 0
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(12)
        while len(header := stream.read(8)) == 8:
            if header[:4] == b"data":
                return (size - stream.tell()) * 1000 // bytes_per_second
            stream.seek(int.from_bytes(header[4:], "little"), 1)
    return 0


def lone_channel(extracted: Extracted, low_frequency: int | None) -> int | None:
    """Return the channel to take instead of the mix, because the mix has lost it; None if the mix is good."""
    levels = {n: level for n, level in enumerate(extracted.channel_db) if n != low_frequency}
    if extracted.mix_db is None or len(levels) < 2:
        return None
    loudest = max(levels, key=lambda n: levels[n])
    is_lost = levels[loudest] > _AUDIBLE_DB and levels[loudest] - extracted.mix_db > CANCELLED_DB
    return loudest if is_lost else None


def declared_length_ms(probe: Probe, track: Track, decoded_ms: int) -> int | None:
    """Return the end of the track from time 0 as the container declares it; None if it declares none.

    Matroska writers disagree on whether a track's length includes the delay before it, so the reading that fits better
    is taken.
    """
    if probe.promised_ms is not None:
        return probe.promised_ms
    if probe.length_is_guessed or track.duration_ms is None:
        return None if probe.length_is_guessed else probe.duration_ms
    readings = (track.duration_ms, track.duration_ms + max(track.start_ms - probe.start_ms, 0))
    return min(readings, key=lambda reading: abs(reading - decoded_ms))


def length_warning(declared_ms: int, decoded_ms: int) -> str | None:
    """Return the warning for a track that is longer or shorter than its container declares."""
    if not lengths_differ(declared_ms, decoded_ms):
        return None
    what = "cut off or damaged" if decoded_ms < declared_ms else "wrongly labelled"
    return f"the file declares {clock(declared_ms)} of sound and holds {clock(decoded_ms)}: it may be {what}"


def _audio(tracks: tuple[Track, ...]) -> tuple[Track, ...]:
    return tuple(track for track in tracks if track.kind == "audio")


def _listed(audio: tuple[Track, ...]) -> str:
    return "; ".join(describe(track, number) for number, track in enumerate(audio))


def _track_in(language: str, media: Path, probe: Probe, audio: tuple[Track, ...]) -> tuple[Track, str]:
    exact = tuple(track for track in audio if track.language == language)
    near = tuple(track for track in audio if track.language and primary(track.language) == primary(language))
    if not near:
        hint = "set `audio_track` to one of these numbers, or leave `audio_language` out"
        raise refused("demux.track", media, f"an audio track in {language}", _listed(audio), hint)
    track, reason = _preferred(probe, exact or near)
    return track, f"asked for by language, {reason}"


def _preferred(probe: Probe, audio: tuple[Track, ...]) -> tuple[Track, str]:
    """Return the track to take, and the reason. The number of channels does not count: the order is the author's
    choice, and the dialogue is the same in stereo and 5.1."""
    if len(audio) == 1:
        return audio[0], "the only one"

    # This comes before the default flag: many files flag every track, and users want a commentary only on request.
    plain = [track for track in audio if not track.commentary and track.index not in probe.described] or list(audio)
    default = [track for track in plain if track.default]
    reason = "default" if len(default) == 1 else "the first default" if default else "the first"
    skipped = " that is not a commentary or description" if len(plain) < len(audio) else ""
    return (default or plain)[0], reason + skipped


def _rescue_cancelled(
    engine: Engine, job: DemuxJob, extraction: Extraction, extracted: Extracted, low_frequency: int | None
) -> None:
    channel = lone_channel(extracted, low_frequency)
    job.note("mix", "all channels" if channel is None else f"channel {channel}")
    if channel is None:
        return
    job.warn(
        f"mixing the {len(extracted.channel_db)} channels to one loses the sound (one is inverted, or speaks alone); "
        f"channel {channel}, the loudest, is taken instead"
    )
    engine.extract(replace(extraction, channel=channel, full=None), job.progress)


def _channels(engine: Engine, job: DemuxJob, extraction: Extraction, extracted: Extracted) -> Path | None:
    """Write the levels of the channels over time if the two hold different people; return None otherwise."""
    if not may_hold_two_people(extracted.channel_db, extracted.mix_db):
        return None
    levels = engine.channel_levels(extraction)
    two_people = hold_two_people(levels)
    job.note("person_per_channel", two_people)
    return levels.write(job.out_dir / "channels.json") if two_people else None


def _compare_lengths(job: DemuxJob, probe: Probe, track: Track, decoded_ms: int, complaint: str | None) -> None:
    job.note("decoded_ms", decoded_ms)
    declared_ms = declared_length_ms(probe, track, decoded_ms)
    job.note("declared_ms", declared_ms)
    warning = None if declared_ms is None else length_warning(declared_ms, decoded_ms)
    if warning is None and complaint is not None:
        warning = f"the sound could not be decoded to its end: the first {clock(decoded_ms)} are used"
    if warning is not None:
        job.warn(f"{warning} ({complaint})" if complaint else warning)


def missing_ms(probe: Probe, track: Track, decoded_ms: int, decoded_samples: int | None) -> int:
    """Return the length of the silence in place of sound that could not be decoded; 0 if it is too short to report."""
    if decoded_samples is None or not track.sample_rate:
        return 0
    delay_ms = max(track.start_ms - probe.start_ms, 0)
    heard_ms = decoded_samples * 1000 // track.sample_rate
    expected_ms = decoded_ms - delay_ms
    return expected_ms - heard_ms if heard_ms < expected_ms and lengths_differ(expected_ms, heard_ms) else 0


def _count_missing(job: DemuxJob, probe: Probe, track: Track, decoded_ms: int, decoded_samples: int | None) -> None:
    missing = missing_ms(probe, track, decoded_ms, decoded_samples)
    job.note("missing_ms", missing)
    if missing:
        job.warn(
            f"{clock(missing)} of the {clock(decoded_ms)} of sound are not in the file or could not be decoded: "
            "silence stands there; it may be damaged, or an incomplete copy"
        )


def stub(job: DemuxJob) -> DemuxOutputs:
    """Write one second of silence for any file."""
    require_regular_file(job.inputs.media)
    track = Track(index=0, kind="audio", codec="pcm_s16le", duration_ms=1000, channels=1, sample_rate=SPEECH_RATE)
    document = Media(container="stub", start_ms=0, duration_ms=1000, tracks=(track,), audio_track=0, decoded_ms=1000)
    rate = job.params.full_rate
    return DemuxOutputs(
        media=document.write(job.out_dir / "media.json"),
        speech=_write_silence(job.out_dir / "speech.wav", 1, SPEECH_RATE),
        full=_write_silence(job.out_dir / "full.wav", 2, rate) if rate else None,
    )


def _write_silence(path: Path, channels: int, rate: int) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(_BYTES_PER_SAMPLE)
        sound.setframerate(rate)
        sound.writeframes(bytes(rate * channels * _BYTES_PER_SAMPLE))
    return path


STAGE = Stage(
    name="demux",
    version=5,
    summary="take the sound out of a media file",
    inputs=DemuxInputs,
    params=DemuxParams,
    outputs=DemuxOutputs,
    backends={
        "ffmpeg": Backend(
            module="stages.demux.ffmpeg",
            environment="lite",
            summary="probing by PyAV, decoding by ffmpeg",
            tools=("ffmpeg",),
            resources=Resources(cpus=1, memory_gib=1.0, time_base_s=120.0, time_per_media_s=1.0),
        )
    },
    run=run,
    stub=stub,
)
