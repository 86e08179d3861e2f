"""A preview repeats a step whose result is provisional."""

from __future__ import annotations

from dataclasses import replace

from pipeline.engine.preview import preview
from pipeline.plan.model import FirstOf, FromStep, Plan
from pipeline.store.results import StoredResult
from tests.pipeline.conftest import Bench


def test_a_provisional_result_is_made_again_and_later_steps_wait_for_it(bench: Bench) -> None:
    nothing = {"media": FirstOf(())}
    well, provisional = (replace(bench.step(how), id=how, inputs=nothing) for how in ("well", "provisional"))
    behind = replace(bench.step("well", 2), id="behind", inputs={"media": FromStep("provisional", "text")})
    results = [one for one in bench.run(well, provisional) if isinstance(one, StoredResult)]
    assert [one.provisional for one in results] == ["", "a service was away"]
    assert results[1].warnings == ("a service was away",)
    earlier = results[1].model_copy(update={"facts": {"makeshift": "a service was away"}})
    assert earlier.provisional == "a service was away", "results of earlier releases name the fact otherwise"
    store = bench.project.store
    assert store.reusable(results[0].key)
    assert store.reusable(results[1].key) is None
    plan = Plan("", "", (well, provisional, behind), ())
    previews = preview(plan, "digest", store, bench.project.key_context(), lambda step: results[1].ingredients)
    assert [one.verdict for one in previews] == ["reused", "redone", "redone"]
    assert previews[1].why == "its result is provisional: a service was away"
    assert previews[2].why.endswith("provisional runs before it")
