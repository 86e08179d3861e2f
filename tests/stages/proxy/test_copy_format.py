"""A copy of a picture has its shape, an even size, and a frame rate that a browser plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.documents.media import Media, Track
from shared.stage import Job
from stages.proxy.stage import ProxyInputs, ProxyParams, copy_format, run
from tests.fakes.listener import Audience

SIZES, RATES = st.none() | st.integers(1, 8000), st.none() | st.floats(0.1, 240)


@given(SIZES, SIZES, RATES)
def test_a_copy_is_even_and_small_and_neither_slow_nor_fast(
    width: int | None, height: int | None, rate: float | None
) -> None:
    made = copy_format(
        Track(index=0, kind="video", codec="x", width=width, height=height, frame_rate=rate), ProxyParams()
    )
    assert made.width % 2 == made.height % 2 == 0
    assert 2 <= made.height <= max(360, 2)
    assert made.width >= 2
    assert 15 <= made.frame_rate <= 30


@pytest.mark.parametrize(
    ("size", "shown", "copied"),
    [((1920, 1080), (None, None), (640, 360)), ((720, 576), (1024, 576), (640, 360)),
     ((64, 48), (None, None), (64, 48)), ((1920, 1080), (1080, 1920), (202, 360))],
)  # fmt: skip
def test_a_copy_has_the_shape_that_is_shown(
    size: tuple[int, int], shown: tuple[int | None, int | None], copied: tuple[int, int]
) -> None:
    picture = Track(
        index=0, kind="video", codec="x", width=size[0], height=size[1], shown_width=shown[0], shown_height=shown[1]
    )
    made = copy_format(picture, ProxyParams())
    assert (made.width, made.height) == copied


def test_sound_alone_is_not_copied(tmp_path: Path) -> None:
    sound = Track(index=0, kind="audio", codec="flac", sample_rate=48_000)
    info = Media(container="flac", start_ms=0, duration_ms=1, tracks=(sound,), audio_track=0, decoded_ms=1)
    inputs = ProxyInputs(media=tmp_path / "x.flac", info=info.write(tmp_path / "media.json"))
    job = Job(inputs, ProxyParams(), tmp_path, "ffmpeg", Audience())
    assert run(None, job).video is None  # type: ignore[arg-type]
