"""Ask the hub whether the user may read gated models, before any of them is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import HubSource

_ASKED_AT_ONCE = 4  # a hub limits the number of requests


def refused_access(names: Sequence[str], cache: ModelCache, emit: Emit) -> Mapping[str, Missing]:
    """Return, by name, the models that the user may not read, each with the error. Makes one request for each.

    A model that has another source too is not asked for: the other source may need no permission.
    """
    gated = [
        name
        for name in names
        if cache.models[name].gated and all(isinstance(source, HubSource) for source in cache.models[name].sources)
    ]
    if not gated:
        return {}
    from pipeline.model_cache.fetch.hub import check_access  # HTTP takes 40 ms, and most plans fetch nothing gated

    token = cache.token()

    def ask(name: str) -> Missing | None:
        refused = check_access(cache.hub, str(cache.locked[name].repo), token, cache.policy, emit)
        if refused is None or refused.code in {"hub.down", "hub.busy"}:  # no answer about access; the fetch will see
            return None
        hint = f"{refused.hint}; then run `./reel models fetch {name}`"
        return Missing(refused.code, f"the model {name} cannot be fetched: {refused}", hint=hint)

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return {name: FetchError for name, FetchError in zip(gated, pool.map(ask, gated), strict=True) if FetchError}
