"""Stage `demux` with a fake engine: the choice of the track, the mix, the length, and refusals."""

from __future__ import annotations

import os
import re
import sys
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.documents.channel_levels import ChannelLevels
from shared.documents.media import Media, Probe, Track, clock_tracks
from shared.stage import Job, JobCancelled, StageError
from stages.demux.channels import FRAME_MS
from stages.demux.stage import (
    DemuxInputs,
    DemuxJob,
    DemuxParams,
    Extracted,
    Extraction,
    choose_track,
    declared_length_ms,
    length_warning,
    lone_channel,
    run,
    stub,
    wav_length_ms,
)
from stages.toolkit.media import ffmpeg
from tests.fakes.listener import Audience


@dataclass
class FakeEngine:
    """Finds what it was told, and writes so much silence."""

    found: Probe
    decoded_ms: int = 1000
    extracted: Extracted = field(default_factory=Extracted)
    asked: list[Extraction] = field(default_factory=list)

    def probe(self, media: Path) -> Probe:
        return self.found

    def extract(self, extraction: Extraction, progress: Callable[[float], None]) -> Extracted:
        self.asked.append(extraction)
        if self.decoded_ms:
            write_wav(extraction.speech, self.decoded_ms)
        return self.extracted

    def channel_levels(self, extraction: Extraction) -> ChannelLevels:
        return ChannelLevels(frame_ms=FRAME_MS, left=(), right=())


def write_wav(path: Path, length_ms: int) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(length_ms * 32))


def audio(
    index: int = 0,
    *,
    language: str | None = None,
    title: str | None = None,
    default: bool = False,
    commentary: bool = False,
    start_ms: int = 0,
    duration_ms: int | None = 1000,
) -> Track:
    return Track(
        index=index, kind="audio", codec="aac", language=language, title=title, default=default, commentary=commentary,
        start_ms=start_ms, duration_ms=duration_ms, channels=2, sample_rate=48_000,
    )  # fmt: skip


def a_probe(*tracks: Track, start_ms: int = 0, duration_ms: int | None = 1000) -> Probe:
    return Probe(container="matroska,webm", start_ms=start_ms, duration_ms=duration_ms, tracks=tracks)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"anything")
    return path


def a_job(media: Path, params: DemuxParams | None = None) -> tuple[DemuxJob, Audience]:
    listener = Audience()
    out_dir = media.parent / "out"
    out_dir.mkdir(exist_ok=True)
    return Job(DemuxInputs(media=media), params or DemuxParams(), out_dir, "fake", listener), listener


def chosen(probe: Probe, **params: object) -> int:
    return choose_track(Path("film.mkv"), probe, DemuxParams.model_validate(params))[0].index


def refused(probe: Probe, **params: object) -> StageError:
    with pytest.raises(StageError) as caught:
        choose_track(Path("film.mkv"), probe, DemuxParams.model_validate(params))
    return caught.value


def test_the_default_track_is_taken_before_the_first() -> None:
    assert chosen(a_probe(audio(1), audio(2, default=True))) == 2


def test_the_first_of_several_defaults_is_taken() -> None:
    assert chosen(a_probe(audio(1), audio(2, default=True), audio(3, default=True))) == 2


def test_a_commentary_is_not_taken_even_where_it_is_the_default() -> None:
    assert chosen(a_probe(audio(1, default=True, commentary=True), audio(2))) == 2


def test_a_description_for_the_blind_is_not_taken() -> None:
    probe = a_probe(audio(1, default=True), audio(2)).model_copy(update={"described": frozenset({1})})
    assert chosen(probe) == 2


def test_a_commentary_is_taken_where_there_is_nothing_else() -> None:
    assert chosen(a_probe(audio(1, commentary=True), audio(2, commentary=True, default=True))) == 2


def test_a_track_is_counted_among_the_audio_tracks() -> None:
    picture = Track(index=0, kind="video", codec="h264")
    assert chosen(a_probe(picture, audio(1), audio(2)), audio_track=1) == 2


def test_a_language_finds_its_track_however_it_is_written() -> None:
    probe = a_probe(audio(1, language="en", default=True), audio(2, language="hi"))
    assert [chosen(probe, audio_language=text) for text in ("hi", "hin", "HI-in")] == [2, 2, 2]


def test_the_exact_language_is_taken_before_its_kin() -> None:
    probe = a_probe(audio(1, language="pt"), audio(2, language="pt-BR"))
    assert chosen(probe, audio_language="pt-BR") == 2


def test_a_number_is_stronger_than_a_language() -> None:
    probe = a_probe(audio(1, language="en"), audio(2, language="hi"))
    assert chosen(probe, audio_track=0, audio_language="hi") == 1


def test_a_missing_track_is_refused_with_the_tracks_there_are() -> None:
    probe = a_probe(audio(1, language="en"), audio(2, title="Ton", commentary=True))
    for error in (refused(probe, audio_track=2), refused(probe, audio_language="hi")):
        assert error.code == "demux.track"
        assert "track 0 (en, aac, 2 channels)" in error.message
        assert 'track 1 (language unknown, aac, 2 channels, "Ton")' in error.message


def test_a_file_without_sound_is_refused_with_what_is_in_it() -> None:
    error = refused(a_probe(Track(index=0, kind="video", codec="h264")))
    assert error.code == "demux.no-audio"
    assert "video (h264)" in error.message


def test_a_parameter_that_is_no_language_is_refused_before_any_job() -> None:
    with pytest.raises(ValidationError, match="a language that is known"):
        DemuxParams(audio_language="?!")


@given(st.integers(1, 10_000_000), st.integers(-900_000, 900_000))
def test_lengths_are_told_apart_above_one_second_and_one_percent(declared_ms: int, difference_ms: int) -> None:
    decoded_ms = max(declared_ms + difference_ms, 1)
    is_told = length_warning(declared_ms, decoded_ms) is not None
    assert is_told == (abs(declared_ms - decoded_ms) > max(1000, declared_ms / 100))


def test_a_delay_before_a_track_counts_as_its_length_or_not_as_the_writer_likes() -> None:
    track = audio(1, start_ms=2400, duration_ms=3500)
    probe = a_probe(track, start_ms=1400)
    assert declared_length_ms(probe, track, 4480) == 4500
    assert declared_length_ms(probe, track, 3510) == 3500


def test_a_guessed_length_is_not_compared() -> None:
    probe = a_probe(audio(0)).model_copy(update={"length_is_guessed": True})
    assert declared_length_ms(probe, probe.tracks[0], 5) is None


def test_the_loudest_channel_is_taken_where_the_mix_has_lost_it() -> None:
    assert lone_channel(Extracted(channel_db=(-22.0, -21.4), mix_db=-73.5), None) == 1


def test_a_speaker_in_one_of_eight_channels_is_not_lost_by_mixing() -> None:
    assert lone_channel(Extracted(channel_db=(-20.8, *[float("-inf")] * 7), mix_db=-36.7), None) is None


def test_effects_are_never_taken_for_speech() -> None:
    extracted = Extracted(channel_db=(-40.0, -40.0, -38.0, -10.0, -50.0, -50.0), mix_db=-46.0)
    assert lone_channel(extracted, 3) is None


def test_silence_is_no_cancelled_sound() -> None:
    assert lone_channel(Extracted(channel_db=(-90.0, -90.0), mix_db=float("-inf")), None) is None


def test_pictures_and_unknown_tracks_do_not_set_the_clock() -> None:
    tracks = (
        Track(index=0, kind="video", codec="h264", width=64),
        audio(1),
        Track(index=2, kind="video", codec="png", width=64, cover=True),
        Track(index=3, kind="video", codec="unknown"),
        Track(index=4, kind="data", codec="bin_data"),
    )
    assert clock_tracks(tracks) == (0, 1)


def test_a_run_notes_its_track_and_both_lengths(media: Path) -> None:
    job, listener = a_job(media)
    outputs = run(FakeEngine(a_probe(audio(1, language="en", title="Main"))), job)
    assert job.facts == {
        "audio_track": 0, "audio_language": "en", "audio_title": "Main", "audio_track_reason": "the only one",
        "mix": "all channels", "decoded_ms": 1000, "declared_ms": 1000, "missing_ms": 0,
    }  # fmt: skip
    assert listener.warnings == []
    assert Media.read(outputs.media).decoded_ms == 1000


def test_cancelled_sound_is_decoded_again_from_one_channel(media: Path) -> None:
    job, listener = a_job(media, DemuxParams(full_rate=48000))
    engine = FakeEngine(a_probe(audio(0)), extracted=Extracted(channel_db=(-20.0, -21.0), mix_db=-80.0))
    run(engine, job)
    assert [asked.channel for asked in engine.asked] == [None, 0]
    assert engine.asked[1].full is None, "the stereo is good as it is"
    assert job.facts["mix"] == "channel 0"
    assert "channel 0" in listener.warnings[0]


def test_a_short_track_is_used_with_a_warning(media: Path) -> None:
    job, listener = a_job(media)
    run(FakeEngine(a_probe(audio(0, duration_ms=60_000)), decoded_ms=15_000), job)
    assert listener.warnings == ["the file declares 1:00 of sound and holds 0:15: it may be cut off or damaged"]


def test_a_track_of_which_nothing_decodes_is_refused(media: Path) -> None:
    job, _ = a_job(media)
    with pytest.raises(StageError) as caught:
        run(FakeEngine(a_probe(audio(0)), decoded_ms=0, extracted=Extracted("broken bits")), job)
    assert caught.value.code == "demux.undecodable"
    assert "broken bits" in caught.value.message


def test_what_is_no_regular_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path, tmp_path / "empty.mp4", tmp_path / "pipe.mp4", tmp_path / "none.mp4", Path("/dev/null")):
        job, _ = a_job(tmp_path / "film.mkv")
        with pytest.raises(StageError) as caught:
            run(FakeEngine(a_probe(audio(0))), Job(DemuxInputs(media=path), job.params, job.out_dir, "x", job.listener))
        assert caught.value.code == "demux.not-a-file"


def test_a_wav_beyond_four_gibibytes_is_measured_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    header = (
        b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + bytes(28) + b"fmt \x10\0\0\0" + bytes(16) + b"data\xff\xff\xff\xff"
    )
    with path.open("wb") as stream:
        stream.write(header)
        stream.truncate(len(header) + 200_000 * 32_000)  # a hole, not 6.4 GB
    assert wav_length_ms(path, 32_000) == 200_000_000


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Speak as ffmpeg does: progress on stdout, words on stderr; then it works for an hour if it is told to."""
    path = tmp_path / "program"
    path.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, time\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "for line in ('[aac @ 0x55d7] Error submitting packet', '[mix @ 0x1] level 5', 'Conversion failed!'):\n"
        "    print(line, file=sys.stderr)\n"
        "for us in ('N/A', '250000', '500000', '400000'):\n"
        "    print(f'out_time_us={us}', 'progress=continue', sep='\\n', flush=True)\n"
        "time.sleep(3600 if 'long' in sys.argv else 0)\n"
        "sys.exit(69)\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return str(path)


def test_progress_is_a_part_of_the_length_and_never_goes_back(program: str) -> None:
    heard: list[float] = []
    ended = ffmpeg.run(program, [], duration_ms=1000, progress=heard.append, find=re.compile("level"))
    assert heard == [0.0, 0.25, 0.5, 0.5]
    assert ended.status == 69
    assert ended.found == ("[mix @ 0x1] level 5",)


def test_a_reason_holds_no_address_in_memory_so_that_two_runs_say_the_same(program: str) -> None:
    assert ffmpeg.run(program, []).reason() == "Error submitting packet"


def test_a_cancelled_job_leaves_no_process_behind(program: str, tmp_path: Path) -> None:
    def cancel(done: float) -> None:
        if done >= 0.5:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        ffmpeg.run(program, ["long"], duration_ms=1000, progress=cancel)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), 0)


def test_a_stub_makes_valid_outputs(media: Path) -> None:
    job, _ = a_job(media, DemuxParams(full_rate=44100))
    outputs = stub(job)
    assert Media.read(outputs.media).decoded_ms == 1000
    assert outputs.full is not None
    for path, channels, rate in ((outputs.speech, 1, 16_000), (outputs.full, 2, 44_100)):
        with wave.open(str(path)) as sound:
            assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (channels, rate, rate)
