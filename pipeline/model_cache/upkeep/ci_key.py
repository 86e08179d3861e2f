"""Compute the key under which a CI system stores the cache. It changes exactly when the locked content changes, and it
does not depend on the disk, so that a job can compute it before the cache exists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from pipeline.model_cache.manifest import LockedModel

_LAYOUT = 1  # raised when the layout of the cache changes, so that no old cache is restored into a new layout


def cache_key(names: Iterable[str], locked: Mapping[str, LockedModel]) -> str:
    """Return `reel-models-` and 16 hexadecimal digits, for these models in any order."""
    content = {name: [locked[name].repo, locked[name].revision, locked[name].digest] for name in names}
    text = json.dumps([_LAYOUT, content], sort_keys=True)
    return f"reel-models-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
