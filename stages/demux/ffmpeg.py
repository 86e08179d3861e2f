"""Decode an audio track with ffmpeg: 16 kHz mono for speech, and stereo besides, in one pass.

Two details are easily forgotten, and without either a whole transcript is shifted. For MPEG-TS, ffmpeg takes the start
of the *requested* tracks as time 0, so the picture is requested too and discarded. If a broadcast changes its channels
midway, ffmpeg builds the filters again and `first_pts=0` pads from 0 a second time; so such a track is decoded once
with its timestamps and padded in a second run. A stream without a container has no timestamps: ffmpeg counts them by
the first rate, so they are wrong after a change of rate, and only the number of samples gives the time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.documents.channel_levels import ChannelLevels
from shared.documents.media import Probe
from shared.stage import Device, StageError
from stages.demux.channels import FRAME_MS, SILENT_DB
from stages.demux.header_length import header_length_ms
from stages.demux.stage import SPEECH_RATE, Extracted, Extraction
from stages.toolkit.media import ffmpeg
from stages.toolkit.media.probe import probe

_MOST_NAMED_CHANNELS = 8  # beyond 7.1, ffmpeg 5 has no mix for most layouts
# `astats` takes 7 of the 9 ns that a sample costs, and `volumedetect` 1. So after the first minute or so, `astats` gets
# one frame in eight: two hours of stereo take 14 CPU-seconds instead of 27.
_MEASURE = (
    "volumedetect@count,aselect='lt(n,2000)+not(mod(n,8))',"
    "astats@channels=measure_perchannel=RMS_level:measure_overall=none"
)
_FOUND = re.compile(r"\[\w+@(channels|count|mix) @ ")
_COUNT = re.compile(r"\[volumedetect@count @ \w+\] n_samples: (\d+)")
_LEVEL = re.compile(r"\[astats@channels @ (\w+)\] RMS level dB: (\S+)")
_MIX_LEVEL = re.compile(r"\[volumedetect@mix @ \w+\] mean_volume: (\S+) dB")
_FRAME_LEVEL = re.compile(r"lavfi\.astats\.([12])\.RMS_level=(\S+)")
_LEVEL_RATE = 4_000
_ON_TIME = ":async=1:first_pts=0"  # fills gaps of the timestamps with silence
_WAV = ("-c:a", "pcm_s16le", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-rf64", "auto")


class FfmpegDemux:
    """The engine, with the path of the program."""

    def __init__(self, program: str) -> None:
        self._program = program

    def probe(self, media: Path) -> Probe:
        """Describe the tracks of a file."""
        return probe(media).model_copy(update={"promised_ms": header_length_ms(media)})

    def extract(self, extraction: Extraction, progress: Callable[[float], None]) -> Extracted:
        """Decode the track, and measure its channels and their mix."""
        ended = self._run(extraction, extraction_arguments(extraction), progress)
        levels = _channel_levels(ended.found)
        if len(levels) > 1:
            return self._extract_changing(extraction, progress)
        channels = next(iter(levels.values()), [])
        mixes = [float(found[1]) for line in ended.found if (found := _MIX_LEVEL.search(line))]
        counts = [int(found[1]) for line in ended.found if (found := _COUNT.search(line))]  # of all channels together
        samples = counts[0] // len(channels) if counts and channels else None
        return Extracted(self._complaint(ended), tuple(channels), max(mixes, default=None), samples)

    def _extract_changing(self, extraction: Extraction, progress: Callable[[float], None]) -> Extracted:
        """Decode a track that changes its format. Its levels are not returned: ffmpeg measures them from change to
        change."""
        if not extraction.has_clock:
            return Extracted(self._complaint(self._run(extraction, extraction_arguments(extraction, ""), progress)))
        between = extraction.speech.with_name("between.mkv")
        try:
            ended = self._run(extraction, _timed_arguments(extraction, between), progress)
            self._run(extraction, _on_time_arguments(extraction, between), progress)
        finally:
            between.unlink(missing_ok=True)
        return Extracted(self._complaint(ended))

    def channel_levels(self, extraction: Extraction) -> ChannelLevels:
        """Decode the track once more, and return the levels of its two channels frame by frame."""
        listed = extraction.speech.with_name("levels.txt")
        try:
            self._run(extraction, _level_arguments(extraction, listed), lambda done: None)
            return _frame_levels(listed)
        finally:
            listed.unlink(missing_ok=True)

    def _complaint(self, ended: ffmpeg.Ended) -> str | None:
        """Return the reason why ffmpeg could not go on, and the version of ffmpeg, because another one may be able to;
        None if it succeeded. Damage inside a file does not end it."""
        return None if ended.status == 0 else f"{ended.reason()}, says {ffmpeg.named(self._program)}"

    def _run(self, extraction: Extraction, arguments: list[str], progress: Callable[[float], None]) -> ffmpeg.Ended:
        ended = ffmpeg.run(
            self._program, arguments, duration_ms=extraction.duration_ms, progress=progress, find=_FOUND, level="info",
            folder=extraction.speech.parent,
        )  # fmt: skip
        if ended.no_space:
            raise StageError(
                "demux.no-space",
                f"{extraction.speech.parent}: expected room for the decoded sound, found a full disk",
                hint="free some space; sound takes 115 MB an hour, in full 690 MB more",
            )
        if ended.status < 0:
            raise StageError(
                "demux.killed", f"signal {-ended.status} ended ffmpeg; the file is not the cause", hint=None
            )
        return ended


def load(models: Mapping[str, Path], device: Device) -> FfmpegDemux:
    """Return the engine; there is no model to load."""
    return FfmpegDemux(ffmpeg.find_ffmpeg())


def extraction_arguments(extraction: Extraction, on_time: str = _ON_TIME) -> list[str]:
    """Return ffmpeg's arguments for one pass: the speech, the stereo, the measurements of the unchanged track, and all
    other tracks to a null output, because they define time 0."""
    stream = ["-map", f"0:{extraction.track.index}"]
    speech = ",".join(
        [
            *_mix(extraction, 1),
            f"aresample={SPEECH_RATE}{on_time}",
            "aformat=sample_fmts=s16:channel_layouts=mono",
            "volumedetect@mix",
        ]
    )
    arguments = [*ffmpeg.reading(extraction.media), *stream, "-af", speech, *_wav(extraction.speech)]
    if extraction.full is not None:
        full = [*_mix(extraction, 2), f"aresample={extraction.full_rate}{on_time}"]
        full.append("aformat=sample_fmts=s16:channel_layouts=stereo")
        arguments += [*stream, "-af", ",".join(full), *_wav(extraction.full)]
    return [*arguments, *stream, "-af", _MEASURE, "-f", "null", "-", *_clock(extraction)]


def _level_arguments(extraction: Extraction, listed: Path) -> list[str]:
    """Return the arguments that list the level of each channel for each frame, at a low rate: voices are loudest below
    2 kHz."""
    measures = "metadata=1:reset=1:measure_perchannel=RMS_level:measure_overall=none"
    filters = [
        f"aresample={_LEVEL_RATE}{_ON_TIME}", f"asetnsamples=n={_LEVEL_RATE * FRAME_MS // 1000}:p=0",
        f"astats={measures}", f"ametadata=mode=print:file={listed.name}",
    ]  # fmt: skip
    stream = ["-map", f"0:{extraction.track.index}", "-af", ",".join(filters), "-f", "null", "-"]
    return [*ffmpeg.reading(extraction.media), *stream, *_clock(extraction)]


def _frame_levels(listed: Path) -> ChannelLevels:
    levels: dict[str, list[int]] = {"1": [], "2": []}
    for line in listed.read_text(encoding="utf-8").splitlines():
        if found := _FRAME_LEVEL.fullmatch(line):
            level = float(found[2])  # `-inf` for digital silence, `nan` for an empty frame
            levels[found[1]].append(round(level) if math.isfinite(level) else SILENT_DB)
    return ChannelLevels(frame_ms=FRAME_MS, left=tuple(levels["1"]), right=tuple(levels["2"]))


def _timed_arguments(extraction: Extraction, between: Path) -> list[str]:
    """Return the arguments that decode with timestamps into a file of one format."""
    arguments = [*ffmpeg.reading(extraction.media)]
    for rate, layout in _formats(extraction):
        fixed = f"aresample={rate},aformat=sample_fmts=s16:sample_rates={rate}:channel_layouts={layout}"
        arguments += ["-map", f"0:{extraction.track.index}", f"-filter:a:{layout == 'stereo':d}", fixed]
    return [*arguments, "-c:a", "pcm_s16le", "-f", "matroska", ffmpeg.address(between), *_clock(extraction)]


def _on_time_arguments(extraction: Extraction, between: Path) -> list[str]:
    """Return the arguments that write the decoded file with silence in its gaps."""
    # -copyts: the file's first timestamp is the delay that must become silence.
    arguments = ["-copyts", "-protocol_whitelist", ffmpeg.PROTOCOLS, "-i", ffmpeg.address(between)]
    for number, (rate, _) in enumerate(_formats(extraction)):
        target = extraction.full if number and extraction.full else extraction.speech
        arguments += ["-map", f"0:{number}", "-af", f"aresample={rate}{_ON_TIME}", *_wav(target)]
    return arguments


def _formats(extraction: Extraction) -> list[tuple[int, str]]:
    full = [(extraction.full_rate, "stereo")] if extraction.full else []
    return [(SPEECH_RATE, "mono"), *full]


def _mix(extraction: Extraction, channels: int) -> list[str]:
    """Return the filters that choose or average channels; none if ffmpeg's own mix is to be used."""
    layout = "mono" if channels == 1 else "stereo"
    if extraction.channel is not None:
        source = f"c{extraction.channel}"
    elif (extraction.track.channels or 0) > _MOST_NAMED_CHANNELS:
        part = 1 / (extraction.track.channels or 1)
        source = "+".join(f"{part:.6f}*c{number}" for number in range(extraction.track.channels or 1))
    else:
        return []
    return ["|".join([f"pan={layout}", *(f"c{number}={source}" for number in range(channels))])]


def _wav(target: Path) -> list[str]:
    return [*_WAV, "-f", "wav", ffmpeg.address(target)]


def _clock(extraction: Extraction) -> list[str]:
    others = [index for index in extraction.clock_tracks if index != extraction.track.index]
    if not others:
        return []
    maps = [part for index in extraction.clock_tracks for part in ("-map", f"0:{index}")]
    return [*maps, "-c", "copy", "-f", "null", "-"]


def _channel_levels(lines: tuple[str, ...]) -> dict[str, list[float]]:
    """Return the levels of the channels by filter. A second filter means that the track changed its format."""
    levels: dict[str, list[float]] = {}
    for line in lines:
        if (found := _LEVEL.search(line)) and "nan" not in found[2]:  # a filter without sound reports `nan`
            levels.setdefault(found[1], []).append(float(found[2]))
    return levels
