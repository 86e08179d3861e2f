"""Makes the peaks of a sound, for a picture of its wave, in the format of audiowaveform: `.dat`, version 2.

See https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import wave
from array import array
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.base.project import CODE_ROOT
from shared.files import write_atomically
from shared.processes import child_options

SAMPLES = 160
"""So many samples have one peak: 10 ms at 16 kHz."""
_VERSION, _EIGHT_BITS, _CHANNELS = 2, 1, 1
_SAMPLE_BYTES = 2
_BLOCK_FRAMES = SAMPLES << 11
_PROGRAM = "stages.toolkit.audio.peaks"
_LIMIT_S = 600.0


def write_peaks(sound: Path, target: Path, python: Path | None) -> None:
    """Write the peaks of a WAV file with one track of 16-bit samples, as the stage `demux` makes it.

    `python` is that of an environment with numpy, which takes 0.2 s of CPU for 3 hours; without one, it takes 12 s.
    Raises `BadInput` for another sound.
    """
    try:
        with wave.open(str(sound), "rb") as stream:
            if (stream.getnchannels(), stream.getsampwidth()) != (_CHANNELS, _SAMPLE_BYTES):
                raise BadInput("media.sound", f"{sound.name} is not a WAV file with one track of 16-bit samples")
            rate = stream.getframerate()
            pairs = _by_program(sound, target, python) if python else _pairs(stream)
    except (wave.Error, EOFError) as error:
        raise BadInput("media.sound", f"{sound.name} is not a WAV file: {error}") from error
    header = struct.pack("<iIiiIi", _VERSION, _EIGHT_BITS, rate, SAMPLES, len(pairs) // 2, _CHANNELS)
    write_atomically(target, header + pairs)


def _by_program(sound: Path, target: Path, python: Path) -> bytes:
    """Return the peaks that a program in another environment computes. Raises `BadInput`."""
    between = target.with_name(f".{target.name}.{os.getpid()}.pairs")
    command = [str(python), "-P", "-m", _PROGRAM, str(sound), str(between), str(SAMPLES)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S,
            env={**os.environ, "PYTHONPATH": str(CODE_ROOT)}, **child_options(),
        )  # fmt: skip
        if done.returncode:
            raise BadInput(
                "media.sound", f"the peaks cannot be computed: {done.stderr.decode(errors='replace')[-500:]}"
            )
        return between.read_bytes()
    except subprocess.TimeoutExpired as error:
        raise BadInput("media.sound", f"the peaks were not computed within {_LIMIT_S:.0f} s") from error
    finally:
        between.unlink(missing_ok=True)


def _pairs(stream: wave.Wave_read) -> bytes:
    """Return the lowest and the highest of each `SAMPLES` samples, as two signed bytes."""
    found = bytearray()
    while content := stream.readframes(_BLOCK_FRAMES):
        samples = array("h", content[: len(content) // _SAMPLE_BYTES * _SAMPLE_BYTES])
        if sys.byteorder == "big":
            samples.byteswap()
        for first in range(0, len(samples), SAMPLES):
            part = samples[first : first + SAMPLES]
            found += bytes(((min(part) >> 8) & 0xFF, (max(part) >> 8) & 0xFF))
    return bytes(found)
