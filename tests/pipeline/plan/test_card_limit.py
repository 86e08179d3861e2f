"""A card that is too small for a step as requested: what it begins with instead, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from pipeline.base.nvidia import Card
from pipeline.base.project import CONFIG
from pipeline.model_cache.manifest import load_manifest
from pipeline.plan.make_plan import make_plan
from pipeline.plan.model import Step
from pipeline.plan.oom_fallback import (
    card_limit,
    card_mb,
    fallback_record_name,
    fallback_steps,
    on_processor,
    steps_to_try,
    stored_variants,
)
from pipeline.plan.options import PlanOptions
from pipeline.plan.placement import fallback_notes
from pipeline.plan.profile import load_profiles
from pipeline.plan.recipe import load_recipe
from pipeline.plan.registry import STAGES
from pipeline.workers.card_memory import card_room_mb
from shared.stage import Fallback, Resources

SIZES = {
    name: locked.size for name, locked in load_manifest(CONFIG / "models.toml", CONFIG / "models.lock.json")[1].items()
}
PROFILES = load_profiles(CONFIG / "profiles")


def _asr(gib: float, profile: str = "best", params: Mapping[str, JsonValue] = {}) -> Step:
    """The recognition of a job on a machine with a card of this size."""
    options = PlanOptions(
        "transcribe", profile, PROFILES[profile], (), {"asr": params}, device="cuda", sizes=SIZES,
        card_room_mb=card_room_mb([Card(name="made up", memory_mib=int(gib * 1024))]),
    )  # fmt: skip
    steps = make_plan(load_recipe("transcribe", CONFIG / "recipes"), options).steps
    return next(step for step in steps if step.stage.name == "asr")


def _begins(step: Step, recorded: Mapping[str, str] = {}) -> str:
    first = steps_to_try(step, recorded)[0].fallback
    return first.name if first else ""


@pytest.mark.parametrize(
    ("gib", "profile", "begins"),
    [
        (24, "best", ""), (8, "best", ""), (6, "best", "four windows at once"), (5, "best", "one window at once"),
        (4, "best", "8-bit weights"), (2, "best", "the processor"), (2, "balanced", ""),
        (1, "balanced", "the processor"),
    ],
)  # fmt: skip
def test_what_fits_a_card_by_its_size_is_taken_before_anything_fails(gib: float, profile: str, begins: str) -> None:
    assert _begins(_asr(gib, profile)) == begins


def test_it_is_told_with_the_memory_that_is_lacking() -> None:
    (note,) = fallback_notes([_asr(6)], {})
    begins, why = note.split(": ")
    assert begins == "asr begins with four windows at once"
    assert why == "as asked for it takes 6.9 GB of a card, and here a worker may take 5.7 GB"
    assert fallback_notes([_asr(8)], {}) == []


def test_a_lower_fallback_that_was_needed_before_is_begun_with_and_a_higher_one_is_not() -> None:
    step = _asr(6)
    name = fallback_record_name(step)
    assert _begins(step, {name: "8-bit weights"}) == "8-bit weights"
    assert "memory ran out before" in fallback_notes([step], {name: "8-bit weights"})[0]
    assert _begins(step, {name: ""}) == "four windows at once"
    assert _begins(_asr(4), {name: "four windows at once"}) == "8-bit weights"


def test_results_of_a_larger_card_stand_and_the_processor_has_no_limit() -> None:
    step = _asr(6)
    assert stored_variants(step, {})[0] == step
    assert on_processor(step, "the card failed").card_limit is None


@pytest.mark.parametrize("params", [{"batch_size": 16}, {"compute_type": "float16"}], ids=str)
def test_what_the_user_chose_is_tried_as_it_is(params: dict[str, JsonValue]) -> None:
    assert _begins(_asr(4, params=params)) == ""


def test_a_card_of_unknown_memory_and_a_model_of_unknown_size_limit_nothing() -> None:
    step = _asr(4)
    assert card_limit(step, 0, 3000.0) is None
    assert card_room_mb([Card(name="unknown")]) == card_room_mb([]) == float("inf")
    assert card_room_mb([Card(name="small", memory_mib=4096), Card(name="large", memory_mib=8192)]) == card_room_mb(
        [Card(name="large", memory_mib=8192)]
    )


def test_a_backend_that_does_not_say_what_its_fallbacks_take_is_tried_as_requested() -> None:
    step = _asr(4)
    silent = replace(step.backend, oom_fallbacks=(Fallback("batches of 4", {"batch_size": 4}),))
    assert card_limit(replace(step, backend=silent, card_limit=None), 3 * 10**9, 1000.0) is None


@given(st.floats(0, 30_000), st.integers(0, 10**10), st.sampled_from(["whisperx", "faster-whisper"]))
def test_what_is_begun_with_fits_and_nothing_better_does(room_mb: float, model_bytes: int, name: str) -> None:
    stage = STAGES["asr"]
    step = Step("asr", stage, name, stage.backends[name], stage.params(), {}, {}, placed="cuda")
    limit = card_limit(step, model_bytes, room_mb)
    taken = [(one, card_mb(one, model_bytes)) for one in (step, *fallback_steps(step)) if one.device == "cuda"]
    fitting = [one for one, mb in taken if mb is not None and mb <= room_mb]
    begun = steps_to_try(replace(step, card_limit=limit), {})[0]
    assert (begun.fallback == fitting[0].fallback) if fitting else begun.device == "cpu"


def test_a_fallback_takes_no_more_than_what_stands_before_it() -> None:
    for stage in STAGES.values():
        for name, backend in stage.backends.items():
            stated: list[Resources] = [backend.resources]
            stated += [one.resources for one in backend.oom_fallbacks if one.resources and one.only_on != "cpu"]
            needs = [(one.gpu_memory_gib, one.gpu_per_weight) for one in stated]
            assert needs == sorted(needs, reverse=True), name
