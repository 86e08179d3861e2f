"""The deep check of one model, as tests ask for it."""

from __future__ import annotations

from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.upkeep.verify import check_models, drop


def wrong_files(cache: ModelCache, name: str) -> list[str]:
    """Return what is wrong with a model, one sentence a file."""
    return [problem.sentence for problem in check_models([name], cache.folder, cache.locked, lambda event: None)[name]]


def drop_wrong_files(cache: ModelCache, name: str) -> None:
    """Take away what is wrong with a model."""
    drop(check_models([name], cache.folder, cache.locked, lambda event: None)[name], cache.folder, cache.locked)
