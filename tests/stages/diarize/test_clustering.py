"""Speaker clustering on synthetic voices: a sample's value names the speaker, so no model is needed."""

from __future__ import annotations

import tracemalloc
from bisect import bisect_right
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.diarize.clustering import (
    MINIMUM_TURN_MS,
    SAMPLES_PER_MS,
    Turn,
    diarize,
    merge_regions,
    place_windows,
    turns_from_embeddings,
)

DIMENSIONS = 64
Floats = NDArray[np.float32]
VOICES: Floats = np.random.default_rng(1).normal(size=(8, DIMENSIONS)).astype(np.float32)


def embed(windows: Floats, centres_ms: NDArray[np.int64]) -> Floats:
    """Return the voices in each window, mixed by their share of it, plus noise that depends on nothing but the
    window."""
    shares = np.stack([(np.rint(windows) == voice + 1).mean(axis=1) for voice in range(len(VOICES))], axis=1)
    noise = np.sin(np.outer(windows.sum(axis=1) + 1, np.arange(1, DIMENSIONS + 1) ** 2))
    vectors: Floats = (shares @ VOICES + 0.3 * noise).astype(np.float32)
    return vectors


def conversation(*turns: tuple[int, int]) -> tuple[Floats, list[tuple[int, int]]]:
    """Return sound and speech regions of (voice, length in ms) turns with half a second of silence around each."""
    parts, regions, at_ms = [np.zeros(500 * SAMPLES_PER_MS)], [], 500
    for voice, length_ms in turns:
        parts += [np.full(length_ms * SAMPLES_PER_MS, voice + 1.0), np.zeros(500 * SAMPLES_PER_MS)]
        regions.append((at_ms, at_ms + length_ms))
        at_ms += length_ms + 500
    sound = np.concatenate(parts)
    # The hiss makes windows of one voice differ a little, as real ones do.
    return (sound + np.random.default_rng(2).normal(scale=0.01, size=len(sound))).astype(np.float32), regions


FOUR_PEOPLE = conversation(*((voice, 4000 + 500 * voice) for voice in (0, 1, 2, 0, 3, 1, 2, 3, 0)))


def count(turns: list[Turn]) -> int:
    return len({turn.speaker for turn in turns})


def test_each_voice_becomes_one_speaker_numbered_by_first_appearance() -> None:
    samples, regions = FOUR_PEOPLE
    turns = diarize(samples, regions, embed)
    assert [turn.speaker for turn in turns] == [0, 1, 2, 0, 3, 1, 2, 3, 0]
    assert [(turn.start_ms, turn.end_ms) for turn in turns] == regions


def test_one_voice_stays_one_speaker() -> None:
    samples, regions = conversation(*((0, 5000) for _ in range(8)))
    assert count(diarize(samples, regions, embed)) == 1


def test_a_change_inside_a_region_is_found_within_a_quarter_second() -> None:
    samples = np.repeat(np.array([1, 2, 1], dtype=np.float32), 6000 * SAMPLES_PER_MS)
    turns = diarize(samples, [(0, 18_000)], embed)
    assert [turn.speaker for turn in turns] == [0, 1, 0]
    assert [turn.end_ms for turn in turns] == pytest.approx([6000, 12_000, 18_000], abs=250)


@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 6])
def test_the_number_of_speakers_is_honoured(wanted: int) -> None:
    samples, regions = FOUR_PEOPLE
    assert count(diarize(samples, regions, embed, num_speakers=wanted)) == wanted


def test_minimum_and_maximum_are_honoured() -> None:
    samples, regions = FOUR_PEOPLE
    assert count(diarize(samples, regions, embed, max_speakers=3)) == 3
    assert count(diarize(samples, regions, embed, min_speakers=5)) == 5
    assert count(diarize(samples, regions, embed, min_speakers=2, max_speakers=9)) == 4


def test_contradictory_limits_are_refused() -> None:
    samples, regions = FOUR_PEOPLE
    with pytest.raises(ValueError, match="min 3, max 2"):
        diarize(samples, regions, embed, min_speakers=3, max_speakers=2)


@pytest.mark.parametrize("regions", [[], [(700, 700)], [(99_000, 99_500)]])
def test_no_speech_gives_no_turns(regions: list[tuple[int, int]]) -> None:
    assert diarize(np.zeros(16_000, dtype=np.float32), regions, embed) == []


def test_a_recording_shorter_than_a_window_gives_one_turn() -> None:
    assert diarize(np.ones(3200, dtype=np.float32), [(20, 200)], embed) == [Turn(20, 200, 0)]


def test_turns_are_ordered_inside_their_regions_and_not_slivers() -> None:
    random = np.random.default_rng(3)
    values = random.integers(1, 4, size=400).repeat(150 * SAMPLES_PER_MS).astype(np.float32)
    regions = [(at, at + int(random.integers(60, 5000))) for at in range(0, 55_000, 6000)]
    turns = diarize(values, regions, embed, num_speakers=3)
    assert len(turns) > 1
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(turns))
    for turn in turns:
        inside = [region for region in regions if region[0] <= turn.start_ms and turn.end_ms <= region[1]]
        assert inside
        assert turn.end_ms - turn.start_ms >= MINIMUM_TURN_MS or inside == [(turn.start_ms, turn.end_ms)]


def test_speech_regions_are_covered_completely() -> None:
    samples, regions = FOUR_PEOPLE
    spoken_ms = sum(turn.end_ms - turn.start_ms for turn in diarize(samples, regions, embed))
    assert spoken_ms == sum(end - start for start, end in regions)


def test_overlapping_and_unsorted_regions_are_joined() -> None:
    assert merge_regions([(500, 900), (-5, 100), (90, 300), (400, 400)]) == [(0, 300), (500, 900)]


def test_equal_calls_give_equal_turns_whatever_ran_between() -> None:
    samples, regions = FOUR_PEOPLE
    first = diarize(samples, regions, embed)
    diarize(*conversation((5, 3000), (6, 3000)), embed)
    assert diarize(samples, regions, embed) == first


@pytest.mark.slow
def test_hours_are_clustered_without_a_square_matrix() -> None:
    regions = [(at, at + 9500) for at in range(0, 3 * 3_600_000, 10_000)]
    windows = place_windows(regions)
    voices = windows.regions % 5
    noise = np.random.default_rng(4).normal(size=(len(voices), DIMENSIONS)).astype(np.float32)
    embeddings = VOICES[voices] + np.float32(0.4) * noise
    tracemalloc.start()
    turns = turns_from_embeddings(embeddings, windows, regions, 1, 20)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [turn.speaker for turn in turns] == [index % 5 for index in range(len(regions))]
    assert peak_bytes < len(voices) ** 2 / 10  # of at least 4 bytes an entry in a square matrix


def made_up(voices: list[Floats], regions: list[tuple[int, int]], owner: list[int], seed: int) -> Floats:
    """Return an embedding for each window: the voice of its region, with noise."""
    windows = place_windows(regions)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=(len(windows.regions), DIMENSIONS))
    vectors: Floats = (np.stack(voices)[np.array(owner)[windows.regions]] + noise).astype(np.float32)
    return vectors


def spans(lengths_ms: list[int]) -> list[tuple[int, int]]:
    ends = np.cumsum([length + 400 for length in lengths_ms])
    return [(int(end) - length, int(end)) for end, length in zip(ends, lengths_ms, strict=True)]


def mostly(turns: list[Turn], regions: list[tuple[int, int]]) -> list[int]:
    """Return who speaks most of each region."""
    found: list[dict[int, int]] = [{} for _ in regions]
    starts = [start for start, _ in regions]
    for turn in turns:
        said = found[bisect_right(starts, turn.start_ms) - 1]
        said[turn.speaker] = said.get(turn.speaker, 0) + turn.end_ms - turn.start_ms
    return [max(said, key=lambda speaker: said[speaker]) for said in found]


@pytest.mark.parametrize(("minutes", "narrators"), [(20, 1), (20, 6), pytest.param(180, 3, marks=pytest.mark.slow)])
def test_two_callers_are_two_people_alone_and_inside_a_film(minutes: int, narrators: int) -> None:
    """The callers are more alike than the moods of a narrator, who has the whole film to differ from himself."""
    basis = np.linalg.qr(np.random.default_rng(7).normal(size=(DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
    callers: list[Floats] = [basis[0] + 0.27 * basis[1], basis[0] - 0.27 * basis[1]]
    moods: list[Floats] = [
        basis[2 + 2 * number] + mood * 0.2 * basis[3 + 2 * number] for number in range(narrators) for mood in (-1, 1)
    ]
    call = [3_000, 4_000] * 6
    alone = turns_from_embeddings(
        made_up(callers, spans(call), [0, 1] * 6, 1), place_windows(spans(call)), spans(call), 1, 20
    )
    assert mostly(alone, spans(call)) == [0, 1] * 6
    told = [6_000] * (minutes * 10)
    half = len(told) // 2
    regions = spans([*told[:half], *call, *told[half:]])
    teller = [2 + index // 5 % len(moods) for index in range(len(told))]
    owner = [*teller[:half], *([0, 1] * 6), *teller[half:]]
    inside = turns_from_embeddings(
        made_up([*callers, *moods], regions, owner, 2), place_windows(regions), regions, 1, 20
    )
    who = mostly(inside, regions)
    heard = who[half : half + len(call)]
    assert heard == [heard[0], heard[1]] * 6
    assert heard[0] != heard[1]
    assert not set(heard) & {*who[:half], *who[half + len(call) :]}
