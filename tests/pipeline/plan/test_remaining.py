"""Claims about the files that are still made when steps have failed."""

from __future__ import annotations

import pytest

from pipeline.plan.model import AllOf, FirstOf, FromMedia, FromStep, Plan, Publication, Source, Step
from pipeline.plan.remaining import cause, impossible, still_useful
from tests.fakes import misbehave


def a_step(name: str, *needs: str | tuple[str, ...] | list[str]) -> Step:
    """Return a step that takes outputs of others: of one, of the first of a tuple, or of all in a list."""
    inputs: dict[str, Source] = {"media": FromMedia()}
    for number, need in enumerate(needs):
        if isinstance(need, str):
            inputs[f"in{number}"] = FromStep(need, "out")
        else:
            sources = tuple(FromStep(one, "out") for one in need)
            inputs[f"in{number}"] = AllOf(sources) if isinstance(need, list) else FirstOf(sources)
    stage = misbehave.STAGE
    return Step(name, stage, "itself", stage.backends["itself"], misbehave.MisbehaveParams(), inputs, {})


PLAN = Plan(
    "r", "p",
    (
        a_step("demux"), a_step("separate", "demux"), a_step("asr", ("separate", "demux")), a_step("diarize", "demux"),
        a_step("translate:de", "asr"), a_step("translate:pt", "asr"), a_step("subtitle", "asr"),
        a_step("sounds", "demux"), a_step("clean", "subtitle", "sounds"),
        a_step("mux", "demux", ["clean", "translate:de", "translate:pt"]),
    ),
    tuple(Publication(step, "out", step) for step in ("clean", "translate:de", "translate:pt", "mux", "diarize")),
)  # fmt: skip
EVERYTHING = {step.id for step in PLAN.steps}


@pytest.mark.parametrize(
    ("failed", "lost"),
    [
        ({"mux"}, {"mux"}),
        ({"translate:de"}, {"translate:de"}),
        ({"translate:de", "translate:pt", "clean"}, {"translate:de", "translate:pt", "clean", "mux"}),
        ({"separate"}, EVERYTHING - {"demux", "diarize", "sounds"}),
        ({"demux"}, EVERYTHING),
        (set(), set()),
    ],
)
def test_a_failure_takes_away_what_cannot_do_without_it(failed: set[str], lost: set[str]) -> None:
    assert impossible(PLAN, failed) == lost


def test_only_what_a_publication_still_needs_is_done() -> None:
    assert still_useful(PLAN, {"asr"}) == {"demux", "diarize"}
    assert still_useful(PLAN, {"mux"}) == EVERYTHING - {"mux"}
    assert still_useful(PLAN, set()) == EVERYTHING
    nothing_published = Plan("r", "p", PLAN.steps, ())
    assert still_useful(nothing_published, {"asr"}) == {"demux", "separate", "diarize", "sounds"}


def test_the_cause_of_a_missing_output_is_the_step_that_failed() -> None:
    assert cause(PLAN, "mux", {"asr"}) == "asr"
    assert cause(PLAN, "diarize", {"asr"}) is None
