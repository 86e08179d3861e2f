"""Fetch many models: check first, and report together, what could stop them; then fetch each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import HubSource
from pipeline.model_cache.selection import with_needs

_ASKED_AT_ONCE = 4  # a hub that counts requests is not to be stormed


def fetch_all(names: Sequence[str], cache: ModelCache, emit: Emit, *, offline: bool = False) -> dict[str, Missing]:
    """Have all of the models whole, as far as that goes; those that are not, with the reason. Raises `Missing` when
    there is no room for all of them: then nothing is begun."""
    missing = [name for name in names if cache.problem(name)]
    if not missing:
        return {}
    known = [name for name in missing if cache.locked[name].resolved]
    failed: dict[str, Missing] = {}
    if not offline:
        cache.check_space(known)
        failed |= refused_access(known, cache, emit)
    for name in missing:
        if name in failed:
            continue
        try:
            cache.fetch(name, emit, offline=offline)
        except Missing as error:
            failed[name] = error
    return {name: failed[name] for name in missing if name in failed}


def require(names: Iterable[str], cache: ModelCache, emit: Emit, *, offline: bool = False) -> None:
    """Have these models whole, and what they need. Raises one `Missing` that tells of all that could not be had."""
    failed = fetch_all(with_needs(names, cache.models), cache, emit, offline=offline)
    if not failed:
        return
    first = next(iter(failed.values()))
    if len(failed) == 1:
        raise first
    told = "".join(f"\n  {error.message}" for error in failed.values())
    raise Missing(
        first.code,
        f"{len(failed)} models are not complete:{told}",
        hint=f"run `./reel models fetch {' '.join(failed)}`",
    ) from first


def refused_access(names: Sequence[str], cache: ModelCache, emit: Emit) -> Mapping[str, Missing]:
    """Those of the models whose terms keep us out, from one request each and without a byte of theirs.

    A model that may come from elsewhere too is not among them: its other source may need no permission.
    """
    from pipeline.model_cache.fetch.hub import check_access  # only those with something to fetch need HTTP

    gated = [
        name
        for name in names
        if cache.models[name].gated and all(isinstance(source, HubSource) for source in cache.models[name].sources)
    ]
    if not gated:
        return {}
    token = cache.token()

    def ask(name: str) -> Missing | None:
        refused = check_access(cache.hub, str(cache.locked[name].repo), token, cache.patience, emit)
        if refused is None or refused.code in {"hub.down", "hub.busy"}:  # no answer about access; the fetch will see
            return None
        return Missing(refused.code, f"the model {name} cannot be fetched: {refused}", hint=refused.hint)

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return {name: told for name, told in zip(gated, pool.map(ask, gated), strict=True) if told}
