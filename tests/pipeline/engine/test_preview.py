"""What a run would do: a result that is makeshift is made again."""

from __future__ import annotations

from dataclasses import replace

from pipeline.engine.preview import preview
from pipeline.plan.model import FirstOf, FromStep, Plan
from pipeline.store.results import StoredResult
from tests.pipeline.conftest import Bench


def test_a_makeshift_result_is_made_again_and_what_is_behind_it_waits(bench: Bench) -> None:
    nothing = {"media": FirstOf(())}
    well, makeshift = (replace(bench.step(how), id=how, inputs=nothing) for how in ("well", "makeshift"))
    behind = replace(bench.step("well", 2), id="behind", inputs={"media": FromStep("makeshift", "text")})
    results = [one for one in bench.run(well, makeshift) if isinstance(one, StoredResult)]
    assert [one.makeshift for one in results] == ["", "a service was away"]
    assert results[1].warnings == ("a service was away",)
    store = bench.project.store
    assert store.reusable(results[0].key)
    assert store.reusable(results[1].key) is None
    plan = Plan("", "", (well, makeshift, behind), ())
    previews = preview(plan, "digest", store, bench.project.surroundings(), lambda step: results[1].ingredients)
    assert [one.verdict for one in previews] == ["reused", "redone", "redone"]
    assert previews[1].why == "its result is provisional: a service was away"
    assert previews[2].why.endswith("makeshift runs before it")
