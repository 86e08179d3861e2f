"""Stage `vad` with a fake engine, and the reading and writing of WAV files that all stages share."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.speech import SpeechRegions
from shared.stage import Job, StageError
from stages.toolkit.audio.waveform import SoundWriter, open_speech
from stages.vad.stage import WINDOW_MS, VadInputs, VadJob, VadParams, find_regions, run, stub
from tests.fakes.listener import Audience


class FakeEngine:
    def __init__(self, probabilities: Sequence[float]) -> None:
        self._probabilities = probabilities

    def duration_ms(self, audio: Path) -> int:
        return len(self._probabilities) * WINDOW_MS

    def probabilities(self, audio: Path) -> Iterator[Sequence[float]]:
        for start in range(0, len(self._probabilities), 7):
            yield self._probabilities[start : start + 7]


def a_job(out_dir: Path, params: VadParams | None = None) -> VadJob:
    return Job(VadInputs(audio=Path("speech.wav")), params or VadParams(), out_dir, "fake", Audience())


def windows(*parts: tuple[float, int]) -> list[float]:
    """Return probabilities by duration: `(0.9, 2_000)` is two seconds of speech."""
    return [probability for probability, ms in parts for _ in range(ms // WINDOW_MS)]


EXACT = VadParams(speech_pad_ms=0)


def regions_of(probabilities: Sequence[float], params: VadParams) -> list[tuple[int, int]]:
    found = find_regions(probabilities, len(probabilities) * WINDOW_MS, params)
    return [(region.start_ms, region.end_ms) for region in found]


def test_speech_between_silence_becomes_one_region(tmp_path: Path) -> None:
    job = a_job(tmp_path, EXACT)
    speech = SpeechRegions.read(run(FakeEngine(windows((0, 1600), (0.9, 3200), (0, 1600))), job).speech)
    assert [(region.start_ms, region.end_ms) for region in speech.regions] == [(1600, 4800)]
    assert speech.duration_ms == 6400
    assert job.facts == {"speech_ms": 3200, "regions": 1}


def test_silence_has_no_regions() -> None:
    assert regions_of(windows((0.1, 10_000)), EXACT) == []


def test_a_short_pause_does_not_end_a_region() -> None:
    assert regions_of(windows((0.9, 1600), (0, 160), (0.9, 1600), (0, 1600)), EXACT) == [(0, 3360)]


def test_a_wavering_voice_stays_in_one_piece() -> None:
    assert regions_of(windows((0.9, 960), (0.4, 3200), (0.9, 960)), EXACT) == [(0, 5120)]


def test_a_click_is_not_speech() -> None:
    assert regions_of(windows((0, 960), (0.9, 96), (0, 960)), EXACT) == []


def test_speech_that_is_too_long_is_cut_at_its_longest_late_pause() -> None:
    params = VadParams(speech_pad_ms=0, max_speech_duration_ms=10_000)
    speech = windows((0.9, 6400), (0, 320), (0.9, 1600), (0, 128), (0.9, 6400))
    assert regions_of(speech, params) == [(0, 6400), (6720, 14848)]


def test_speech_without_any_pause_is_cut_all_the_same() -> None:
    params = VadParams(speech_pad_ms=0, max_speech_duration_ms=1_000)
    assert [end - start for start, end in regions_of(windows((0.9, 3200)), params)] == [1000, 1000, 1000, 200]


def test_padding_never_makes_regions_overlap() -> None:
    params = VadParams(speech_pad_ms=1_000)
    assert regions_of(windows((0.9, 1600), (0, 640), (0.9, 1600)), params) == [(0, 1920), (1920, 3840)]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(32, 3_000)), max_size=40),
    st.integers(0, 1_000), st.integers(0, 2_000), st.integers(1_000, 5_000), st.integers(0, 600),
)  # fmt: skip
def test_regions_are_in_order_apart_and_inside_the_audio(
    parts: list[tuple[float, int]], shortest: int, silence: int, longest: int, pad: int
) -> None:
    probabilities = windows(*parts)
    params = VadParams(
        min_speech_duration_ms=shortest, min_silence_duration_ms=silence, max_speech_duration_ms=longest,
        speech_pad_ms=pad,
    )  # fmt: skip
    edges = [edge for region in regions_of(probabilities, params) for edge in region]
    assert edges == sorted(edges)
    assert all(start < end for start, end in regions_of(probabilities, params))
    assert not edges or (edges[0] >= 0 and edges[-1] <= len(probabilities) * WINDOW_MS)
    assert all(end - start <= longest + 2 * pad for start, end in regions_of(probabilities, params))


def test_the_stub_needs_no_library(tmp_path: Path) -> None:
    assert SpeechRegions.read(stub(a_job(tmp_path)).speech).speech_ms == 3_000


def test_a_written_wav_is_read_back_and_by_others(tmp_path: Path) -> None:
    samples = (np.arange(-16_000, 16_000) / 32_768).astype(np.float32)
    with SoundWriter(tmp_path / "a.wav") as writer:
        writer.write(samples[:20_000])
        writer.write(samples[20_000:])
    waveform = open_speech(tmp_path / "a.wav")
    assert waveform.duration_ms == 2_000
    assert np.array_equal(np.concatenate(list(waveform.blocks(7_000))), samples)
    assert np.array_equal(waveform.read(500, 750), samples[8_000:12_000])
    with wave.open(str(tmp_path / "a.wav")) as other:
        assert (other.getframerate(), other.getnchannels(), other.getnframes()) == (16_000, 1, 32_000)


def test_a_wav_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with SoundWriter(tmp_path / "a.wav") as writer:
            writer.write(np.zeros(100, np.float32))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_wav_with_an_rf64_header_or_no_stated_length_is_read(tmp_path: Path) -> None:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16)
    data = struct.pack("<4sI", b"data", 0xFFFFFFFF) + bytes(6_400)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 6_472, 3_200, 1_600, 0)
    (tmp_path / "large.wav").write_bytes(struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + sizes + form + data)
    (tmp_path / "streamed.wav").write_bytes(struct.pack("<4sI4s", b"RIFF", 0xFFFFFFFF, b"WAVE") + form + data)
    assert open_speech(tmp_path / "large.wav").duration_ms == 100
    assert open_speech(tmp_path / "streamed.wav").duration_ms == 200


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"not a sound file at all", struct.pack("<4sI4s", b"RIFF", 4, b"WAVE")]
)
def test_what_is_no_wav_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(StageError) as refusal:
        open_speech(tmp_path / "a.wav")
    assert refusal.value.code == "audio.format"


def test_a_wav_of_another_rate_is_refused_with_what_was_found(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as other:
        other.setnchannels(2)
        other.setsampwidth(2)
        other.setframerate(44_100)
        other.writeframes(bytes(400))
    with pytest.raises(StageError, match="found 44100 Hz, 2 channels"):
        open_speech(tmp_path / "a.wav")
