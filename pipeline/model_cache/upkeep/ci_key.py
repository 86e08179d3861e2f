"""The key of a stored cache: it changes exactly when the locked content changes. It does not depend on the disk, so a
job can ask for it before the cache exists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from pipeline.model_cache.manifest import LockedModel

_LAYOUT = 1  # rises when the same bytes come to lie elsewhere, so that no old cache is restored into a new layout


def cache_key(names: Iterable[str], locked: Mapping[str, LockedModel]) -> str:
    """Return `reel-models-` and 16 hexadecimal digits, for these models in any order."""
    content = {name: [locked[name].repo, locked[name].revision, locked[name].digest] for name in names}
    text = json.dumps([_LAYOUT, content], sort_keys=True)
    return f"reel-models-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
