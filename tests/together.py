"""Which tests stay together in one process, where several run them side by side."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

from pipeline.registry import STAGES

_CASE = re.compile(r"\[([a-z]+)-([^\]]+)\]$")


class Together(LoadScopeScheduling):
    """Those that share costly fixtures do: the tests of a file, and all that is asked about one environment's backends.

    xdist's own groups by mark are of no use with pytest 9.2: it writes them into a name that is no longer read.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        found = _CASE.search(name)
        if found and found[1] in STAGES and (backend := STAGES[found[1]].backends.get(found[2])):
            return backend.environment
        return file
