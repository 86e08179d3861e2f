"""Read stretches of WAV files as float32, write WAV files block by block, and measure levels.

Stages work on 16 kHz mono 16-bit WAV, and on stereo at a higher rate if they need more than speech. Ten hours of speech
are 1.2 GB, so no function keeps a whole file in memory. The header is read here because the standard library refuses
RF64, the header of files above 4 GiB, and trusts the length field of a streamed file, which programs leave at 0 or at
its maximum.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

from shared.documents.speech import Region
from shared.stage import StageError

Samples = npt.NDArray[np.float32]

SPEECH_RATE = 16_000
_SAMPLE_BYTES = 2
_UNKNOWN_SIZES = {0, 0xFFFFFFFF}
_PCM, _EXTENSIBLE = 1, 0xFFFE
_RIFF_LIMIT = 0xFFFFFFFF - 1024
_LEVEL_FRAME = 20 * SPEECH_RATE // 1000
_LEVEL_BLOCK = 60 * SPEECH_RATE


@dataclass(frozen=True)
class Sound:
    """A 16-bit WAV, opened by `open_sound`, of which only requested parts are read. `samples` is the number of samples
    of one channel."""

    path: Path
    rate: int
    channels: int
    samples: int
    _offset: int

    def read_frames(self, start: int, end: int) -> Samples:
        """Return the samples from number `start` to before number `end` of every channel, `(samples, channels)`,
        between -1 and 1. Samples outside the file are left out."""
        first, last = max(start, 0), min(end, self.samples)
        if last <= first:
            return np.zeros((0, self.channels), np.float32)
        bytes_per_frame = _SAMPLE_BYTES * self.channels
        with open(self.path, "rb") as stream:
            stream.seek(self._offset + first * bytes_per_frame)
            content = stream.read((last - first) * bytes_per_frame)
        samples = np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)
        return samples.reshape(-1, self.channels)

    def frame_blocks(self, samples: int) -> Iterator[Samples]:
        """Yield the whole file in blocks of `samples`, of which the last one may be shorter."""
        for start in range(0, self.samples, samples):
            yield self.read_frames(start, start + samples)


@dataclass(frozen=True)
class Waveform(Sound):
    """A mono sound at the rate that speech models take. Opened by `open_speech`."""

    @property
    def duration_ms(self) -> int:
        return self.samples * 1000 // SPEECH_RATE

    def read(self, start_ms: int, end_ms: int) -> Samples:
        """Return the samples from `start_ms` to `end_ms`, between -1 and 1. Samples outside the file are left out."""
        return self.read_samples(start_ms * SPEECH_RATE // 1000, end_ms * SPEECH_RATE // 1000)

    def read_samples(self, start: int, end: int) -> Samples:
        """Return the samples from number `start` to before number `end`."""
        return self.read_frames(start, end)[:, 0]

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Yield the whole file in blocks of `samples`, of which the last one may be shorter."""
        for block in self.frame_blocks(samples):
            yield block[:, 0]


def open_speech(path: Path) -> Waveform:
    """Open a 16 kHz mono 16-bit WAV. Raises `StageError` for any other file."""
    sound = _open(path, "16000 Hz mono 16-bit PCM", lambda rate, channels: (rate, channels) == (SPEECH_RATE, 1))
    return Waveform(path, sound.rate, sound.channels, sound.samples, sound._offset)


def open_sound(path: Path) -> Sound:
    """Open a 16-bit WAV of one or two channels. Raises `StageError` for any other file."""
    return _open(path, "mono or stereo 16-bit PCM", lambda rate, channels: rate > 0 and channels in {1, 2})


def _open(path: Path, expected: str, fits: Callable[[int, int], bool]) -> Sound:
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            form, offset, length = _read_header(stream, size)
        except (struct.error, ValueError) as error:
            raise StageError("audio.format", f"{path.name} is not a WAV file: {error}", _HINT) from error
    coding, channels, rate, _, _, bits = form
    if not fits(rate, channels) or bits != 16 or coding not in {_PCM, _EXTENSIBLE}:
        found = f"{rate} Hz, {channels} channels, {bits} bits, coding {coding}"
        raise StageError("audio.format", f"{path.name}: expected {expected}, found {found}", _HINT)
    return Sound(path, rate, channels, length // (_SAMPLE_BYTES * channels), offset)


def read_pack(audio: Path, pack: Sequence[Region]) -> Samples:
    """Return the samples of the stretches of a pack, one after the other."""
    waveform = open_speech(audio)
    return np.concatenate([waveform.read(stretch.start_ms, stretch.end_ms) for stretch in pack])


def levels(audio: Path) -> Iterator[Sequence[float]]:
    """Yield the mean power of each frame of 20 ms of speech, in blocks of a minute; an incomplete frame at the end is
    dropped."""
    for block in open_speech(audio).blocks(_LEVEL_BLOCK):
        whole = len(block) // _LEVEL_FRAME * _LEVEL_FRAME
        frames = block[:whole].reshape(-1, _LEVEL_FRAME).astype(np.float64)
        yield [float(power) for power in np.mean(frames * frames, axis=1)]


_HINT = "stage `demux` writes what this stage reads"


def _read_header(stream: BinaryIO, size: int) -> tuple[tuple[int, ...], int, int]:
    """Return the fields of `fmt `, and the offset and length of the samples in bytes."""
    kind, _, wave = struct.unpack("<4sI4s", stream.read(12))
    if kind not in {b"RIFF", b"RF64"} or wave != b"WAVE":
        raise ValueError("it begins with neither RIFF nor RF64")
    form: tuple[int, ...] = ()
    large: int | None = None
    while True:
        name, length = struct.unpack("<4sI", stream.read(8))
        if name == b"ds64":
            _, large = struct.unpack("<QQ", stream.read(16))
            stream.seek(length - 16, os.SEEK_CUR)
        elif name == b"fmt ":
            form = struct.unpack("<HHIIHH", stream.read(16))
            stream.seek(length - 16 + length % 2, os.SEEK_CUR)
        elif name == b"data":
            if not form:
                raise ValueError("its samples come before their format")
            stated = large if large is not None and length == 0xFFFFFFFF else length
            here = stream.tell()
            return form, here, size - here if stated in _UNKNOWN_SIZES else min(stated, size - here)
        else:
            stream.seek(length + length % 2, os.SEEK_CUR)


class SoundWriter:
    """Writes a 16-bit WAV block by block, and renames it into place if no exception is raised."""

    def __init__(self, path: Path, rate: int = SPEECH_RATE, channels: int = 1) -> None:
        self._path, self._beside = path, path.with_name(f".{path.name}.part")
        self._rate, self._channels = rate, channels
        self._stream = open(self._beside, "wb")  # noqa: SIM115 - closed by `__exit__`
        self._stream.write(_header(0, rate, channels))
        self._bytes = 0

    def write(self, samples: Samples) -> None:
        """Append `samples`, `(samples,)` or `(samples, channels)`. Values above full scale are clipped."""
        scaled = np.clip(np.rint(samples * np.float32(32768)), -32768, 32767)
        self._bytes += self._stream.write(scaled.astype("<i2").tobytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._stream.seek(0)
            self._stream.write(_header(self._bytes, self._rate, self._channels))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._stream.close()
        if kind is None:
            os.replace(self._beside, self._path)
        else:
            self._beside.unlink(missing_ok=True)


def _header(length: int, rate: int, channels: int) -> bytes:
    """Return a header of fixed length: a file that does not need `ds64` has a `JUNK` chunk in its place."""
    large, width = length > _RIFF_LIMIT, channels * _SAMPLE_BYTES
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, _PCM, channels, rate, rate * width, width, 16)
    sizes = struct.pack("<QQQI", length + 72, length, length // width, 0) if large else bytes(28)
    spare = struct.pack("<4sI", b"ds64" if large else b"JUNK", len(sizes)) + sizes
    total, data = (0xFFFFFFFF, 0xFFFFFFFF) if large else (length + 72, length)
    kind = b"RF64" if large else b"RIFF"
    return struct.pack("<4sI4s", kind, total, b"WAVE") + spare + form + struct.pack("<4sI", b"data", data)
