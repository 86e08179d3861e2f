"""The lines of a recording: which parts of it were made through which microphone, room or telephone.

A line colours every voice on it alike; a film with a telephone call has two lines. Pieces of speech are
joined by average linkage over the shape of their mean spectra. Measured as the mean difference over 40 bands, in
log10: pieces of one line among themselves 0.1 to 0.4, lines of seven microphones 0.2 to 0.6, a telephone line against
those 0.6 to 1.0.
"""

from __future__ import annotations

import numpy as np
from fastcluster import linkage
from numpy.typing import NDArray

LINE_DISTANCE = 0.55
LEAST_LINE_MS = 12_000  # less speech has no mean spectrum to go by: it is taken for a part of the line most like it

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def lines_of(spectra: Floats, lengths_ms: Integers) -> Integers:
    """Return the line of each piece, from 0 in order of first appearance: int64[n] for float32[n, bands], n > 0."""
    shapes = spectra - spectra.mean(axis=1, keepdims=True)
    labels = np.zeros(len(shapes), dtype=np.int64)
    if len(shapes) > 1:
        rows = [np.abs(shapes[row + 1 :] - shapes[row]).mean(axis=1) for row in range(len(shapes) - 1)]
        labels = _cut(linkage(np.concatenate(rows).astype(np.float64), "average"), LINE_DISTANCE)
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


def _cut(tree: NDArray[np.float64], height: float) -> Integers:
    """Return the cluster of each leaf when merges above a height are undone."""
    leaves = len(tree) + 1
    parent = np.arange(leaves + len(tree))
    for merge, row in enumerate(tree):
        if row[2] <= height:
            parent[row[:2].astype(np.int64)] = leaves + merge
    for node in range(len(parent) - 1, -1, -1):  # a parent's number is above its children's
        parent[node] = parent[parent[node]]
    labels: Integers = np.unique(parent[:leaves], return_inverse=True)[1].astype(np.int64)
    return labels
