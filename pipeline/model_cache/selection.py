"""Select the models of a command: by names, shell patterns, profile, or all; with the models that those need."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from pipeline.base.errors import UsageError
from pipeline.model_cache.manifest import Model
from shared.nearest import suggestion


def select_models(words: Sequence[str], models: Mapping[str, Model]) -> list[str]:
    """Return the models that names or shell patterns select, and those that they need, in the manifest's order."""
    wanted: set[str] = set()
    for word in words:
        found = fnmatch.filter(models, word)
        if not found:
            raise UsageError("model.unknown", f"there is no model `{word}`", hint=model_hint(word, models))
        wanted |= set(found)
    return with_needs(wanted, models)


def model_hint(name: str, models: Iterable[str]) -> str:
    """Return the hint for an unknown model name. A list of all names would fill a page."""
    return suggestion(name, models, "`./reel models list` shows the models")


def with_needs(names: Iterable[str], models: Mapping[str, Model]) -> list[str]:
    """Return the models and all that they need, each once, in the manifest's order.

    Names that the manifest does not hold come last: the lookup of one reports it.
    """
    wanted, look_at = set(), list(names)
    while look_at:
        name = look_at.pop()
        if name not in wanted:
            wanted.add(name)
            look_at += models[name].needs if name in models else ()
    return [*(name for name in models if name in wanted), *sorted(wanted - models.keys())]
