"""Every backend gives the same bytes cold, warm, in reverse order, and from a moved cache that nobody can write to."""

from __future__ import annotations

import pytest

from pipeline.plan.registry import STAGES
from tests.real.cases import CASES, HERE, Case
from tests.real.witness import Witness


@pytest.mark.parametrize("case", HERE, ids=str)
def test_cold_is_warm_is_reverse_order_is_a_moved_cache(case: Case, witness: Witness) -> None:
    seen = witness(case)
    assert all(seen.forward), "nothing was written"
    differ = seen.forward[0] != seen.forward[1]
    assert case.alike or differ, "two media give the same bytes, so the comparison says little"
    assert seen.forward == seen.backward, "the order of jobs changes the bytes"
    assert seen.forward == seen.elsewhere, "a cold worker with the cache elsewhere gives other bytes"


def test_every_backend_has_one_case() -> None:
    declared = sorted((stage, backend) for stage, one in STAGES.items() for backend in one.backends)
    assert sorted((case.stage, case.backend) for case in CASES) == declared
