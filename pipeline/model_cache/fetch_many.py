"""Fetch many models: check for all of them first whether they can be fetched, then fetch each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.model_cache.access import refused_access
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.first_use import lock_first, refusal_of, unlocked
from pipeline.model_cache.selection import with_needs


def obstacles(names: Sequence[str], cache: ModelCache, emit: Emit, *, offline: bool) -> dict[str, Missing]:
    """Return, by name, why models cannot be fetched, as far as that is known before a download: a model that no lock
    knows, locks that contradict each other, no network, or no permission, for which the hub is asked."""
    missing = [name for name in names if cache.problem(name)]
    failed: dict[str, Missing] = {}
    for name in missing:
        refused = cache.conflict(name)
        if refused is None and not cache.locked[name].resolved:
            refused = refusal_of(name, cache, offline=offline)
        elif refused is None and offline:
            refused = cache.without_network(name)
        if refused:
            failed[name] = refused
    if offline:
        return failed
    asked = [name for name in missing if name not in failed]
    return failed | dict(refused_access(asked, cache, emit))


def fetch_all(names: Sequence[str], cache: ModelCache, emit: Emit, *, offline: bool = False) -> dict[str, Missing]:
    """Fetch what is missing of the models, and return those that stay incomplete, each with the reason.

    A model that no lock knows is locked first. If the disk has no room for all of them, nothing is fetched, and
    `Missing` is raised.
    """
    missing = [name for name in names if cache.problem(name)]
    if not missing:
        return {}
    new = unlocked(missing, cache)
    failed = obstacles([name for name in missing if name not in new], cache, emit, offline=offline)
    failed |= lock_first(new, cache, emit, offline=offline)
    left = [name for name in missing if name not in failed and cache.problem(name)]
    if not offline:
        cache.check_space(left)
    for name in left:
        try:
            cache.fetch(name, emit, offline=offline)
        except Missing as error:
            failed[name] = error
    return {name: failed[name] for name in missing if name in failed}


def require(names: Iterable[str], cache: ModelCache, emit: Emit, *, offline: bool = False) -> None:
    """Make these models, and those that they need, complete. Raises one `Missing` that names each that failed."""
    raise_together(fetch_all(with_needs(names, cache.models), cache, emit, offline=offline))


def raise_together(failed: Mapping[str, Missing]) -> None:
    """Raise one `Missing` with the messages of all of these, if there are any."""
    if not failed:
        return
    first = next(iter(failed.values()))
    if len(failed) == 1:
        raise first
    listed = "".join(f"\n  {error.message}" for error in failed.values())
    raise Missing(
        first.code,
        f"{len(failed)} models are not complete:{listed}",
        hint=f"run `./reel models fetch {' '.join(failed)}`",
    ) from first
