"""Cut the tree of a hierarchical clustering into clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def clusters_of(tree: NDArray[np.float64], merges: int) -> NDArray[np.int64]:
    """Return the cluster of each leaf after the first `merges` merges, int64[leaves].

    `tree` is a linkage matrix as scipy and fastcluster have it: float64[leaves - 1, 4], lowest merge first.
    """
    leaves = len(tree) + 1
    parent = np.arange(leaves + len(tree))
    for merge in range(merges):
        parent[tree[merge, :2].astype(np.int64)] = leaves + merge
    for node in range(len(parent) - 1, -1, -1):  # a parent's number is above its children's
        parent[node] = parent[parent[node]]
    clusters: NDArray[np.int64] = np.unique(parent[:leaves], return_inverse=True)[1].astype(np.int64)
    return clusters
