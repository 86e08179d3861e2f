"""Asks the hub for permission to read gated models, before a byte of theirs is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.base.errors import Missing
from pipeline.base.events import Emit
from pipeline.model_cache.cache import ModelCache
from pipeline.model_cache.manifest import HubSource

_ASKED_AT_ONCE = 4  # a hub that counts requests is not to be stormed


def refused_access(names: Sequence[str], cache: ModelCache, emit: Emit) -> Mapping[str, Missing]:
    """Those of the models whose terms keep us out, from one request each and without a byte of theirs.

    A model that may come from elsewhere too is not among them: its other source may need no permission.
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
        refused = check_access(cache.hub, str(cache.locked[name].repo), token, cache.patience, emit)
        if refused is None or refused.code in {"hub.down", "hub.busy"}:  # no answer about access; the fetch will see
            return None
        hint = f"{refused.hint}; then run `./reel models fetch {name}`"
        return Missing(refused.code, f"the model {name} cannot be fetched: {refused}", hint=hint)

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return {name: refusal for name, refusal in zip(gated, pool.map(ask, gated), strict=True) if refusal}
