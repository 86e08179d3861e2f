"""Find the lines of a recording: the parts with the same microphone, room or telephone.

A line colours all voices on it in the same way; a film with a telephone call has two lines. Pieces of speech are joined
by average linkage over the shapes of their mean spectra. The mean difference over 40 bands, in log10, was 0.1 to 0.4
between pieces of one line, 0.2 to 0.6 between lines of seven microphones, and 0.6 to 1.0 between a telephone line and
those.
"""

from __future__ import annotations

import numpy as np
from fastcluster import linkage
from numpy.typing import NDArray

from stages.diarize.trees import clusters_of

LINE_DISTANCE = 0.55
LEAST_LINE_MS = 12_000  # less speech has no reliable mean spectrum, and belongs to the most similar line

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def lines_of(spectra: Floats, lengths_ms: Integers) -> Integers:
    """Return the line of each piece, int64[n], from 0 in order of first appearance. `spectra` are float32[n, bands],
    n > 0."""
    shapes = spectra - spectra.mean(axis=1, keepdims=True)
    labels = np.zeros(len(shapes), dtype=np.int64)
    if len(shapes) > 1:
        rows = [np.abs(shapes[row + 1 :] - shapes[row]).mean(axis=1) for row in range(len(shapes) - 1)]
        tree = linkage(np.concatenate(rows).astype(np.float64), "average")
        labels = clusters_of(tree, int((tree[:, 2] <= LINE_DISTANCE).sum()))
    masses = np.bincount(labels, weights=lengths_ms)
    large = np.flatnonzero(masses >= LEAST_LINE_MS)
    if len(large) < 2:
        return np.zeros(len(shapes), dtype=np.int64)
    centres = np.stack(
        [np.average(shapes[labels == label], axis=0, weights=lengths_ms[labels == label]) for label in large]
    )
    nearest = np.abs(shapes[:, None] - centres[None]).mean(axis=2).argmin(axis=1)
    found = np.where(np.isin(labels, large), np.searchsorted(large, labels), nearest)
    first = np.unique(found, return_index=True)
    order = np.argsort(np.argsort(first[1]))
    numbered: Integers = order[np.searchsorted(first[0], found)].astype(np.int64)
    return numbered
