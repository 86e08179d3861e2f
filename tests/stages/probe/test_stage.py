"""Stage `probe` lists the tracks of a file, with or without sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.documents.media import Media, Probe, Track
from shared.stage import Job
from stages.probe.stage import ProbeInputs, ProbeJob, ProbeParams, run, stub
from tests.fakes.listener import Audience

PICTURE = Track(index=0, kind="video", codec="h264", width=64, height=36, duration_ms=3000)
SOUND = Track(index=1, kind="audio", codec="aac", sample_rate=48000)


@dataclass
class Fake:
    found: Probe

    def probe(self, media: Path) -> Probe:
        return self.found


def a_job(folder: Path) -> ProbeJob:
    return Job(ProbeInputs(media=folder / "film.mp4"), ProbeParams(), folder, "pyav", Audience())


def found(folder: Path, *tracks: Track, duration_ms: int | None = 5000) -> Media:
    probe = Probe(container="mp4", start_ms=0, duration_ms=duration_ms, tracks=tracks)
    return Media.read(run(Fake(probe), a_job(folder)).media)


def test_a_film_without_sound_is_described_like_any_other(tmp_path: Path) -> None:
    silent, heard = found(tmp_path, PICTURE), found(tmp_path, PICTURE, SOUND)
    assert (silent.audio_track, heard.audio_track) == (None, 1)
    assert silent.picture == heard.picture == PICTURE
    assert silent.decoded_ms == 5000


def test_the_longest_track_counts_where_the_container_states_no_length(tmp_path: Path) -> None:
    assert found(tmp_path, PICTURE, duration_ms=None).duration_ms == 3000
    assert found(tmp_path, SOUND, duration_ms=None).duration_ms == 0


def test_the_stub_has_a_picture(tmp_path: Path) -> None:
    assert Media.read(stub(a_job(tmp_path)).media).picture is not None
