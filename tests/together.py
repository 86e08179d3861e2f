"""Keep tests that share costly fixtures in one process, where several processes run the tests."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

from pipeline.plan.registry import STAGES

# They walk through the syntax trees of all sources, which one process makes once.
_OF_THE_SOURCES = {f"tests/test_{name}.py" for name in ("docs", "encodings", "house", "portability")}
_CASE = re.compile(r"\[([a-z]+)-([^\]]+)\]$")  # a stage, one of its backends, and what is done to that


class Together(LoadScopeScheduling):
    """Keeps together the tests of a file, those of the backends of one environment, and those of the sources.

    xdist's own groups by mark are of no use with pytest 9.2: it writes them into a name that is no longer read.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        if (found := _CASE.search(name)) and found[1] in STAGES:
            for backend, declared in STAGES[found[1]].backends.items():
                if f"{found[2]}-".startswith(f"{backend}-"):
                    return declared.environment
        return "the sources" if file in _OF_THE_SOURCES else file
