"""Fetches one model in a process of its own, to be killed: FOLDER HUB LOCK [wide]. LOCK is a lock file of one model;
`wide`: over several connections, however small the file."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.base.errors import Missing
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.fetch.retry_policy import DEFAULT_POLICY, RetryPolicy
from pipeline.model_cache.manifest import HubSource, Model, ModelLock

WIDE = RetryPolicy(back_off_s=0.01, connections=4, wide_from_bytes=0, measure_s=0.04, worth=0.0)


def main(folder: Path, hub: str, lock: Path, wide: str = "") -> int:
    locked = ModelLock.read(lock).models
    model = Model(summary="tiny", licence="MIT", commercial_use=True, sources=(HubSource(kind="hub"),))
    cache = ModelCache(folder, dict.fromkeys(locked, model), locked, hub, policy=WIDE if wide else DEFAULT_POLICY)
    try:
        for name in locked:
            cache.fetch(name, lambda event: print(event, flush=True))
    except Missing as error:
        print(error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:]))
