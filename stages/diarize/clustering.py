"""Find speaker turns in speech regions by clustering: windows, embeddings, clusters, turns.

The module does not depend on a model: a function returns one vector for each window of audio. Nothing is random, and no
cost grows with the square of the recording's length: long recordings are condensed block by block before the tree is
built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from fastcluster import linkage_vector
from numpy.typing import NDArray

from stages.diarize.trees import clusters_of

SAMPLES_PER_MS = 16
WINDOW_MS = 822  # 80 frames of the embedder: 79 hops of 10 ms and one transform of 32 ms
HOP_MS = 300  # sets the cost, 9-15 ms of processor time a window: 0.06 of real time with the front end
CONTEXT_WINDOWS = 7  # 2.6 s: with three or five, a shift of 130 ms broke telephone turns apart (error 3 -> 15 %)
FRAME_MS = 100  # grid of the decision between speakers; a finer one gains nothing, because windows are longer
MINIMUM_TURN_MS = 250  # a syllable or two; a shorter run is a flicker of the scores, not a turn
BATCH_WINDOWS = 256  # 13 MB of audio at a time, for any length of recording
BLOCK_WINDOWS = 1500  # 7.5 minutes of speech: a tree over it takes about a second, and no square matrix
BLOCK_CENTROIDS = 16  # kept from each block; well above the number of speakers in 7.5 minutes
REFINEMENTS = 5  # rounds of spherical k-means; the labels stop changing after two to four
MAXIMUM_SPEAKERS = 20  # limit of the search if the caller sets none
MINIMUM_SPEAKER_WINDOWS = 5  # 1.5 s: less is more often a cough or an overlap than a person
DISTINCT_COSINE = 0.80  # of centroids: different people at most 0.76 (but see CLOSE_COSINE), one in halves 0.81 to 0.97
RELIABILITY_WINDOWS = 2.0  # how fast the centroid of few windows becomes trustworthy; see `_compare_closest`
CLOSE_COSINE = 0.90  # two people on one telephone line: 0.85 to 0.89; equal halves of one speaker: 0.91 to 0.97
CLOSE_SEPARATION = 3.2  # in standard deviations: that pair 3.3 to 4.5; a cut through one Gaussian cloud gives 2.7
CLOSE_SEPARATION_MOST = 6.0  # one synthetic voice varies so little that halves of its sentences are 7.5 apart
CLOSE_SHARE = 0.4  # of the smaller of a close pair: that pair 0.42 or more, one voice in two 0.38 or less below 0.90
CLOSE_WINDOWS = 28  # 8.4 s: with fewer, the best direction among 256 separates any cloud
# In a conversation the speakers alternate, so less speech and a smaller share are enough. That pair inside longer files
# had 26 windows, a share of 0.37, and 5 stretches of 14 windows; a reader whose sentences differ as much had 26 windows
# in stretches of 35.
TALK_STRETCHES, TALK_STRETCH_WINDOWS, TALK_WINDOWS, TALK_SHARE = 4, 20, 20, 0.33

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Region = tuple[int, int]
Embed = Callable[[Floats, Integers], Floats]


class Turn(NamedTuple):
    """A turn of one speaker; `speaker` counts from 0 in order of first appearance."""

    start_ms: int
    end_ms: int
    speaker: int


class Likeness(Enum):
    """The result of comparing the two closest candidate speakers."""

    SAME = "one person"
    CLOSE = "two people with similar voices on a similar line"
    DISTINCT = "two people"


class Windows(NamedTuple):
    """The analysis windows: their centres, and the number of the region of each."""

    centres_ms: Integers
    regions: Integers


def diarize(
    samples: Floats,
    regions: Sequence[Region],
    embed: Embed,
    *,
    num_speakers: int | None = None,
    min_speakers: int = 1,
    max_speakers: int = MAXIMUM_SPEAKERS,
) -> list[Turn]:
    """Return the turns of the speakers in 16 kHz mono `samples`, inside the speech regions (in ms).

    `embed` maps float32[n, samples of WINDOW_MS] and the windows' centres, int64[n] in ms, to float32[n, dimensions];
    it is always called with the same windows in the same order. `num_speakers` overrides the other two numbers. Raises
    `ValueError` unless 1 <= `min_speakers` <= `max_speakers`.
    """
    length_ms = len(samples) // SAMPLES_PER_MS
    speech = merge_regions([(start, min(end, length_ms)) for start, end in regions])
    if not speech:
        return []
    windows = place_windows(speech)
    embeddings = _embed_windows(samples, windows, embed)
    if num_speakers is not None:
        min_speakers = max_speakers = num_speakers
    return turns_from_embeddings(embeddings, windows, speech, min_speakers, max_speakers)


def merge_regions(regions: Sequence[Region]) -> list[Region]:
    """Return the regions in order, those that touch or overlap joined, without empty ones."""
    merged: list[Region] = []
    for start_ms, end_ms in sorted((max(start, 0), end) for start, end in regions if end > max(start, 0)):
        if merged and start_ms <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end_ms, merged[-1][1]))
        else:
            merged.append((start_ms, end_ms))
    return merged


def place_windows(regions: Sequence[Region]) -> Windows:
    """Return windows spread evenly over each region, at most HOP_MS apart, and one in the middle of a short region."""
    centres: list[Integers] = []
    for start_ms, end_ms in regions:
        slack_ms = end_ms - start_ms - WINDOW_MS
        if slack_ms <= 0:
            centres.append(np.array([(start_ms + end_ms) // 2], dtype=np.int64))
            continue
        steps = -(-slack_ms // HOP_MS)
        offsets = np.arange(steps + 1, dtype=np.int64) * slack_ms // steps
        centres.append(start_ms + WINDOW_MS // 2 + offsets)
    owners = np.repeat(np.arange(len(centres)), [len(part) for part in centres])
    return Windows(np.concatenate(centres), owners.astype(np.int64))


def turns_from_embeddings(
    embeddings: Floats, windows: Windows, regions: Sequence[Region], min_speakers: int, max_speakers: int
) -> list[Turn]:
    """Return turns from one embedding per window: float32[n, dimensions], n = len(windows.centres_ms).

    The clusters come from Ward's tree over unit vectors, refined by spherical k-means (Dhillon and Modha 2001), both on
    means over CONTEXT_WINDOWS. The turns follow the single windows, which are more exact in time.
    """
    if not 1 <= min_speakers <= max_speakers:
        raise ValueError(f"speakers: expected 1 <= min <= max, found min {min_speakers}, max {max_speakers}")
    single = _unit(embeddings)
    points = _with_context(single, windows.regions)
    centroids = _find_speakers(points, single, min_speakers, max_speakers)
    frames, first_frames = _frame_scores(single @ centroids.T, windows, regions)
    turns: list[Turn] = []
    for index, (start_ms, end_ms) in enumerate(regions):
        best = frames[first_frames[index] : first_frames[index + 1]].argmax(axis=1)
        turns.extend(_region_turns(best, start_ms, end_ms))
    return _number_by_appearance(turns)


def _embed_windows(samples: Floats, windows: Windows, embed: Embed) -> Floats:
    size = WINDOW_MS * SAMPLES_PER_MS
    if len(samples) < size:
        samples = np.pad(samples, (0, size - len(samples)))
    # At an end of the recording, the window is moved inwards: real sound is better than padding.
    starts = np.clip((windows.centres_ms - WINDOW_MS // 2) * SAMPLES_PER_MS, 0, len(samples) - size)
    view = np.lib.stride_tricks.sliding_window_view(samples, size)
    batches = [slice(i, i + BATCH_WINDOWS) for i in range(0, len(starts), BATCH_WINDOWS)]
    parts = [embed(view[starts[batch]], windows.centres_ms[batch]) for batch in batches]
    return np.concatenate(parts).astype(np.float32, copy=False)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Floats = (vectors / np.maximum(lengths, np.float32(1e-9))).astype(np.float32)
    return unit


def _with_context(single: Floats, owners: Integers) -> Floats:
    """Return the mean of each window and its neighbours in the same region, as unit vectors."""
    total = single.copy()
    for distance in range(1, CONTEXT_WINDOWS // 2 + 1):
        same = (owners[distance:] == owners[:-distance])[:, None]
        total[distance:] += single[:-distance] * same
        total[:-distance] += single[distance:] * same
    return _unit(total)


def _find_speakers(points: Floats, single: Floats, min_speakers: int, max_speakers: int) -> Floats:
    """Return the centroids of the speakers.

    The first search is over all windows. Among many voices, the two most similar ones end it, and may hide a pair that
    is clear by itself. So each speaker that is found is searched again alone, until none turns out to be two.
    """
    waiting = _first_speakers(points, single, min_speakers, max_speakers)
    found: list[Floats] = []
    while waiting:
        centroid, is_settled = waiting.pop(0)
        known = np.stack([*found, centroid, *(other for other, _ in waiting)])
        own = (points @ known.T).argmax(axis=1) == len(found)
        is_final = is_settled or len(known) >= max_speakers or own.sum() < 2 * CLOSE_WINDOWS
        halves = [] if is_final else _first_speakers(points[own], single[own], 1, 2)
        if len(halves) == 2 and _smaller(halves, points[own]) >= CLOSE_WINDOWS:
            waiting = halves + waiting
        else:
            found.append(centroid)
    return np.stack(found)


def _smaller(halves: Sequence[tuple[Floats, bool]], points: Floats) -> int:
    """Return the number of windows of the smaller one of two speakers."""
    first, second = (points @ centroid for centroid, _ in halves)
    return int(min((first >= second).sum(), (first < second).sum()))


def _first_speakers(points: Floats, single: Floats, min_speakers: int, max_speakers: int) -> list[tuple[Floats, bool]]:
    """Return centroids, each with whether it is one of a close pair. Their number grows as long as the closest two are
    different people.

    Parts of a close pair look as separate as the pair itself (measured: 4.1), so such a pair ends the search and must
    not be divided further.
    """
    heads, weights = _condense(points, np.ones(len(points), dtype=np.float32))
    centroids = _unit(np.average(heads, axis=0, weights=weights)[None])
    if len(heads) == 1:
        return [(centroids[0], True)]
    tree = linkage_vector(heads, "ward")
    for count in range(2, min(max_speakers, len(heads)) + 1):
        candidate = _cut(tree, heads, weights, count, forced=count <= min_speakers)
        if candidate is None:
            break
        candidate = _polish(candidate, heads, weights)
        verdict = Likeness.DISTINCT if count <= min_speakers else _compare_closest(candidate, points, single)
        if verdict is Likeness.SAME:
            break
        centroids = candidate
        if verdict is Likeness.CLOSE:
            pair = _closest(centroids)[:2]
            return [(centroid, index in pair) for index, centroid in enumerate(centroids)]
    return [(centroid, False) for centroid in centroids]


def _condense(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return a few weighted centroids for each block of points, condensed again until one tree can hold them all."""
    while len(points) > BLOCK_WINDOWS:
        heads: list[Floats] = []
        masses: list[Floats] = []
        for block in np.array_split(np.arange(len(points)), -(-len(points) // BLOCK_WINDOWS)):
            tree = linkage_vector(points[block], "ward")
            head, mass = _sums(points[block], weights[block], _clusters(tree, BLOCK_CENTROIDS))
            heads.append(_unit(head))
            masses.append(mass)
        points, weights = np.concatenate(heads), np.concatenate(masses)
    return points, weights


def _clusters(tree: NDArray[np.float64], count: int) -> Integers:
    """Return the cluster of each leaf of a tree that is cut into `count` clusters."""
    return clusters_of(tree, len(tree) + 1 - max(count, 1))


def _sums(points: Floats, weights: Floats, labels: Integers) -> tuple[Floats, Floats]:
    """Return the weighted sum of the points of each cluster, and its weight."""
    sums = np.zeros((int(labels.max()) + 1, points.shape[1]), dtype=np.float32)
    np.add.at(sums, labels, points * weights[:, None])
    return sums, np.bincount(labels, weights=weights).astype(np.float32)


def _cut(tree: NDArray[np.float64], heads: Floats, weights: Floats, count: int, *, forced: bool) -> Floats | None:
    """Return the centroids of the first cut of the tree with `count` clusters that are large enough to be people; None
    without one, unless `forced`. The smaller clusters are left to `_polish`."""
    for size in range(count, min(len(heads), 2 * count + MAXIMUM_SPEAKERS) + 1):
        sums, masses = _sums(heads, weights, _clusters(tree, size))
        people = np.flatnonzero(masses >= MINIMUM_SPEAKER_WINDOWS)
        if len(people) >= count:
            return _unit(sums[people[np.argsort(-masses[people], kind="stable")[:count]]])
    if not forced:
        return None
    # The caller knows the number, so even a word or two may be a person.
    return _unit(_sums(heads, weights, _clusters(tree, count))[0])


def _polish(centroids: Floats, heads: Floats, weights: Floats) -> Floats:
    """Return the centroids after a few rounds of spherical k-means."""
    for _ in range(REFINEMENTS):
        labels = (heads @ centroids.T).argmax(axis=1)
        for speaker in range(len(centroids)):
            chosen = labels == speaker
            if chosen.any():
                centroids[speaker] = _unit((heads[chosen] * weights[chosen, None]).sum(axis=0))
    return centroids


def _closest(centroids: Floats) -> tuple[int, int, float]:
    """Return the numbers of the two most similar centroids, and their cosine."""
    cosines = centroids @ centroids.T
    np.fill_diagonal(cosines, -1.0)
    first, second = divmod(int(cosines.argmax()), len(cosines))
    return first, second, float(cosines[first, second])


def _compare_closest(centroids: Floats, points: Floats, single: Floats) -> Likeness:
    """Compare the two closest centroids, and return whether they belong to two people.

    The cosine of two means of n noisy vectors is lower than that of the true voices by a factor sqrt(n / (n + c)) for
    each (Spearman's attenuation), so small clusters must be farther apart. A close pair counts as two people only if
    both have similar amounts of speech, and the single windows have two humps along the line between the centroids (d',
    as in signal detection).
    """
    first, second, cosine = _closest(centroids)
    labels = (points @ centroids.T).argmax(axis=1)
    sizes = np.array([(labels == first).sum(), (labels == second).sum()], dtype=np.float64)
    if sizes.min() < MINIMUM_SPEAKER_WINDOWS:
        return Likeness.SAME
    if cosine < DISTINCT_COSINE * float(np.sqrt(sizes / (sizes + RELIABILITY_WINDOWS)).prod()):
        return Likeness.DISTINCT
    if cosine > CLOSE_COSINE or not _is_enough(sizes, labels[np.isin(labels, (first, second))]):
        return Likeness.SAME
    scores = single @ (centroids[first] - centroids[second])
    inside, other = scores[labels == first], scores[labels == second]
    spread = float(np.sqrt((inside.var() + other.var()) / 2))
    is_separate = CLOSE_SEPARATION * spread <= float(inside.mean() - other.mean()) <= CLOSE_SEPARATION_MOST * spread
    return Likeness.CLOSE if is_separate else Likeness.SAME


def _is_enough(sizes: NDArray[np.float64], labels: Integers) -> bool:
    """Tell whether a close pair has enough speech, evenly enough divided, to be separated. `labels` are the speakers of
    the pair's windows, in order of time."""
    stretches = 1 + int((labels[1:] != labels[:-1]).sum())
    is_talk = stretches >= TALK_STRETCHES and len(labels) <= TALK_STRETCH_WINDOWS * stretches
    windows, share = (TALK_WINDOWS, TALK_SHARE) if is_talk else (CLOSE_WINDOWS, CLOSE_SHARE)
    return bool(sizes.min() >= max(windows, share * sizes.sum()))


def _frame_scores(scores: Floats, windows: Windows, regions: Sequence[Region]) -> tuple[NDArray[np.float64], Integers]:
    """Return the mean score of the windows over each frame, float64[frames, speakers], and the first frame of each
    region."""
    starts_ms = np.array([start for start, _ in regions], dtype=np.int64)
    lengths = np.array([-(-(end - start) // FRAME_MS) for start, end in regions], dtype=np.int64)
    firsts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    offsets_ms = windows.centres_ms - starts_ms[windows.regions]
    limits = lengths[windows.regions]
    # A frame is covered if its middle is; the ends of a region always are.
    begins = np.clip((offsets_ms - WINDOW_MS // 2 + FRAME_MS // 2) // FRAME_MS, 0, limits - 1)
    ends = np.clip((offsets_ms + WINDOW_MS // 2 + FRAME_MS // 2) // FRAME_MS, begins + 1, limits)
    last = np.append(windows.regions[1:] != windows.regions[:-1], True)
    ends[last] = limits[last]
    # Sums over intervals as differences of a running sum: linear, even if windows overlap much.
    changes = np.zeros((int(firsts[-1]) + 1, scores.shape[1] + 1))
    valued = np.concatenate([scores, np.ones((len(scores), 1), dtype=np.float32)], axis=1)
    np.add.at(changes, firsts[windows.regions] + begins, valued)
    np.subtract.at(changes, firsts[windows.regions] + ends, valued)
    sums = np.cumsum(changes, axis=0)[:-1]
    return sums[:, :-1] / sums[:, -1:], firsts


def _region_turns(best: Integers, start_ms: int, end_ms: int) -> list[Turn]:
    """Return the turns of a region from the best speaker of each frame. A run shorter than MINIMUM_TURN_MS joins its
    longer neighbour."""
    edges = [0, *(np.flatnonzero(best[1:] != best[:-1]) + 1).tolist(), len(best)]
    bounds = [start_ms + FRAME_MS * int(edge) for edge in edges[:-1]] + [end_ms]
    runs = [Turn(bounds[i], bounds[i + 1], int(best[edges[i]])) for i in range(len(bounds) - 1)]
    turns: list[Turn] = []
    for index, run in enumerate(runs):
        if run.end_ms - run.start_ms < MINIMUM_TURN_MS and len(runs) > 1:
            following = runs[index + 1] if index + 1 < len(runs) else None
            if following and (not turns or _length(following) > _length(turns[-1])):
                runs[index + 1] = following._replace(start_ms=run.start_ms)
                continue
            run = run._replace(speaker=turns[-1].speaker)
        if turns and turns[-1].speaker == run.speaker:
            turns[-1] = turns[-1]._replace(end_ms=run.end_ms)
        else:
            turns.append(run)
    return turns


def _length(turn: Turn) -> int:
    return turn.end_ms - turn.start_ms


def _number_by_appearance(turns: list[Turn]) -> list[Turn]:
    numbers: dict[int, int] = {}
    return [turn._replace(speaker=numbers.setdefault(turn.speaker, len(numbers))) for turn in turns]
