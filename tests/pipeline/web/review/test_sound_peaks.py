"""Peaks are the lowest and the highest sample of each 10 ms, by either way of computing them."""

from __future__ import annotations

import struct
import sys
import tempfile
import wave
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.web.review.sound_peaks import SAMPLES, write_peaks
from tests.conftest import examples

_RATE = 16_000
NUMPY = Path(sys.executable)  # the environment of the tests has numpy


def a_sound(path: Path, samples: list[int], *, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(2)
        stream.setframerate(_RATE)
        stream.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    return path


def read_peaks(path: Path) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """Return the header and the pairs of a file of audiowaveform."""
    content = path.read_bytes()
    pairs = array("b", content[24:])
    return struct.unpack("<iIiiIi", content[:24]), list(zip(pairs[::2], pairs[1::2], strict=True))


SOUNDS = {"some": st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=12), "length": st.integers(1, 700)}


@given(**SOUNDS)
def test_peaks_are_the_lowest_and_the_highest_of_each_160_samples(some: list[int], length: int) -> None:
    assert_peaks((some * length)[:length], None)


@examples(0.1)  # each starts a process
@given(**SOUNDS)
def test_the_peaks_of_another_environment_with_numpy_are_the_same(some: list[int], length: int) -> None:
    assert_peaks((some * length)[:length], NUMPY)


def assert_peaks(samples: list[int], python: Path | None) -> None:
    """Fail unless the file of the peaks holds the lowest and the highest of each 160 samples."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "peaks.dat"
        write_peaks(a_sound(Path(folder) / "sound.wav", samples), target, python)
        header, found = read_peaks(target)
        assert [path.name for path in Path(folder).iterdir() if path.name.startswith(".")] == []
    parts = [samples[first : first + SAMPLES] for first in range(0, len(samples), SAMPLES)]
    assert header == (2, 1, _RATE, SAMPLES, len(parts), 1)
    assert found == [(min(part) >> 8, max(part) >> 8) for part in parts]


def test_what_is_no_such_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one track"):
        write_peaks(a_sound(tmp_path / "two.wav", [1, 2], channels=2), tmp_path / "peaks.dat", None)
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    with pytest.raises(BadInput, match="not a WAV file"):
        write_peaks(tmp_path / "text.wav", tmp_path / "peaks.dat", None)
