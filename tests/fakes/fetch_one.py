"""Fetches one model in a process of its own, to be killed: FOLDER HUB LOCK, LOCK being a lock file of one model."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.base.errors import Missing
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import HubSource, Model, ModelLock


def main(folder: Path, hub: str, lock: Path) -> int:
    locked = ModelLock.read(lock).models
    model = Model(summary="tiny", licence="MIT", commercial_use=True, sources=(HubSource(kind="hub"),))
    cache = ModelCache(folder, dict.fromkeys(locked, model), locked, hub)
    try:
        for name in locked:
            cache.fetch(name, lambda event: print(event, flush=True))
    except Missing as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
