"""Peaks are the lowest and the highest sample of each part of a stretch, whatever the stretch."""

from __future__ import annotations

import tempfile
import wave
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import BadInput
from pipeline.web.review.sound_peaks import peaks
from tests.conftest import examples

_RATE = 1000  # a sample is a millisecond


def a_sound(path: Path, samples: list[int], *, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(2)
        stream.setframerate(_RATE)
        stream.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    return path


@examples(1)
@given(
    st.lists(st.integers(-32_768, 32_767), max_size=60), st.integers(-5, 70), st.integers(-5, 70), st.integers(0, 70)
)
def test_peaks_are_those_of_the_parts(samples: list[int], start_ms: int, end_ms: int, parts: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = peaks(a_sound(Path(folder) / "sound.wav", samples), start_ms, end_ms, parts)
    inside = samples[max(start_ms, 0) : max(end_ms, 0)]
    assert len(found) == min(max(parts, 1), len(inside))
    if found:
        assert min(low for low, _ in found) == min(inside) >> 8
        assert max(high for _, high in found) == max(inside) >> 8
        edges = [len(inside) * number // len(found) for number in range(len(found) + 1)]
        for number, (low, high) in enumerate(found):
            part = array("h", inside[edges[number] : edges[number + 1]])
            assert (low, high) == (min(part) >> 8, max(part) >> 8)


def test_what_is_no_such_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one track"):
        peaks(a_sound(tmp_path / "two.wav", [1, 2], channels=2), 0, 10, 3)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(BadInput, match="not a WAV file"):
        peaks(tmp_path / "text.wav", 0, 10, 3)
