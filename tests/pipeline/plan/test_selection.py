"""Claims about the steps of a plan that are done again or left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UsageError
from pipeline.plan.selection import ALL_STEPS, Selection
from tests.pipeline.plan.test_remaining import EVERYTHING, PLAN

_NEEDS = {step.id: step.needs for step in PLAN.steps}


def test_no_selection_leaves_the_plan_as_it_is() -> None:
    assert ALL_STEPS.of(PLAN) == PLAN


def test_from_a_step_on_everything_that_depends_on_it_is_done_again_and_all_is_published() -> None:
    plan = Selection(start="sounds").of(PLAN)
    assert plan.again == {"sounds", "clean", "mux"}
    assert (plan.steps, plan.publications) == (PLAN.steps, PLAN.publications)


def test_until_a_step_only_what_it_needs_is_left_and_nothing_is_published() -> None:
    plan = Selection(until="asr").of(PLAN)
    assert [step.id for step in plan.steps] == ["demux", "separate", "asr"]
    assert plan.partial
    assert not plan.publications
    assert not plan.again


def test_a_name_without_a_language_means_the_step_in_every_language() -> None:
    assert Selection(again=("translate",)).of(PLAN).again == {"translate:de", "translate:pt"}
    assert Selection(again=("translate:pt",)).of(PLAN).again == {"translate:pt"}


def test_a_step_that_is_not_in_the_plan_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="no step `sound`") as refused:
        Selection(start="sound").of(PLAN)
    assert "`sounds`" in str(refused.value.hint)


def test_a_step_after_the_last_one_cannot_be_the_first() -> None:
    with pytest.raises(UsageError, match="`mux` comes after `asr`"):
        Selection(start="mux", until="asr").of(PLAN)


@given(st.sampled_from(sorted(EVERYTHING)), st.sampled_from(sorted(EVERYTHING)))
def test_every_selected_plan_can_be_done(until: str, again: str) -> None:
    plan = Selection(until=until, again=(again,)).of(PLAN)
    kept = {step.id for step in plan.steps}
    assert until in kept
    assert all(_NEEDS[step] <= kept for step in kept)
