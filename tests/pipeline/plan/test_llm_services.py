"""Services that steps ask: who gets which key, what is refused before a run, and what it will cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from pipeline.base.errors import Missing, UsageError
from pipeline.engine.costs import estimates
from pipeline.engine.preview import StepPreview
from pipeline.plan.llm_services import check_service, find_key, service_of
from pipeline.plan.make_plan import single_step
from pipeline.plan.model import FromStep, Step
from pipeline.plan.options import PlanOptions
from pipeline.plan.profile import Profile
from pipeline.plan.registry import stage_named
from pipeline.store.results import ResultStore, StoredResult
from pipeline.workers.pools import worker_key
from shared.documents.transcript import Segment, Transcript
from shared.environment_manager import SERVICE_KEY, ChildPaths, child_environment
from shared.language_model import Usage, expected_usage
from stages.refine.stage import RefineParams

KEYS = {"OPENAI_API_KEY": "sk-house", "LLM_API_KEY": "sk-own"}


def refine(backend: str = "openai", **params: JsonValue) -> Step:
    profile = Profile(summary="", rank=0, stages={})
    options = PlanOptions("alone", "none", profile, (), {"refine": {"model": "m", **params}})
    return single_step(stage_named("refine"), options, {"transcript": FromStep("attribute", "transcript")}, backend)


def check(step: Step, config: Path, *, offline: bool = False, environ: dict[str, str] | None = None) -> None:
    check_service(step, KEYS if environ is None else environ, config, offline=offline)


@pytest.mark.parametrize(
    ("address", "name", "here"),
    [
        ("", "OPENAI_API_KEY", False),
        ("https://api.openai.com/v1/", "OPENAI_API_KEY", False),
        ("https://api.openai.com.evil.example/v1", "LLM_API_KEY", False),
        ("http://api.openai.com/v1", "LLM_API_KEY", False),
        ("http://127.0.0.1:8080/v1", "LLM_API_KEY", True),
        ("http://localhost:11434/v1", "LLM_API_KEY", True),
        ("http://[::1]:8080/v1", "LLM_API_KEY", True),
        ("http://localhost.example/v1", "LLM_API_KEY", False),
        ("http://192.168.1.5:8080/v1", "LLM_API_KEY", False),
    ],
)
def test_a_providers_key_goes_to_its_own_address_alone(address: str, name: str, here: bool) -> None:
    asked = service_of(refine(address=address))
    assert asked is not None
    assert (asked.key, asked.is_here) == (name, here)
    assert worker_key(refine(address=address), 1).service_key == name


def test_a_backend_without_a_service_gets_no_key() -> None:
    assert service_of(refine("rules")) is None
    assert worker_key(refine("rules"), 1).service_key == ""
    paths = ChildPaths(Path("/code"), Path("/cache"), (), Path("/home"))
    assert not {*KEYS, SERVICE_KEY} & set(child_environment(paths, KEYS, offline=True))
    assert child_environment(paths, KEYS, offline=True, service_key="sk")[SERVICE_KEY] == "sk"


def test_offline_forbids_a_service_unless_it_is_on_this_machine(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        check(refine(), tmp_path, offline=True)
    assert refusal.value.code == "service.offline"
    check(refine(address="http://127.0.0.1:8080/v1"), tmp_path, offline=True)
    check(refine("rules"), tmp_path, offline=True)


def test_a_key_is_missed_before_the_run_and_only_where_one_is_needed(tmp_path: Path) -> None:
    check(refine(), tmp_path)
    with pytest.raises(Missing) as missing:
        check(refine("anthropic"), tmp_path)
    assert missing.value.code == "service.key"
    assert "ANTHROPIC_API_KEY" in str(missing.value.hint)
    check(refine(address="http://127.0.0.1:8080/v1"), tmp_path, environ={})
    secrets = tmp_path / "secrets.json"
    secrets.write_text('{"anthropic_api_key": "sk-file"}', encoding="utf-8")
    secrets.chmod(0o600)
    check(refine("anthropic"), tmp_path)
    found = find_key("ANTHROPIC_API_KEY", {}, tmp_path)
    assert found is not None
    assert found.value == "sk-file"
    assert "sk-file" not in repr(found)


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "ftp://x/v1", "http://", "nonsense"])
def test_an_address_that_is_none_is_refused_by_name(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"refine\.address"):
        check(refine(address=address), tmp_path)


@pytest.mark.parametrize("address", ["https://user:sk-x@host/v1", "https://host/v1?key=sk-x"])
def test_a_key_inside_an_address_is_refused_and_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        check(refine(address=address), tmp_path)
    assert "sk-x" not in f"{refusal.value.message} {refusal.value.hint}"


def test_a_model_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name of a model"):
        check(refine(model=""), tmp_path)


def test_the_cost_is_estimated_from_the_transcript_that_the_step_will_get(tmp_path: Path) -> None:
    store = ResultStore(tmp_path, tmp_path)
    segments = tuple(
        Segment(id=n, text="The chairs are in place, and the popcorn is still warm.", start_ms=n, end_ms=n + 1)
        for n in range(100)
    )
    said = Transcript(language="en", language_probability=1, duration_ms=1, segments=segments)
    with store.open_for_writing("a test"):
        file = store.take_in(said.write(tmp_path / "transcript.json"))
        outputs = {"transcript": file}
        result = StoredResult.model_validate(
            {"key": "0" * 64, "ingredients": {}, "outputs": outputs, "facts": {}, "warnings": (), "seconds": 1.0,
             "cpu_s": 1.0, "memory_mb": 1.0}
        )  # fmt: skip
    step = refine(input_price=1.0, output_price=10.0, window=50)
    before = StepPreview(replace(refine("rules"), id="attribute"), "reused", "", result)
    (estimate,) = estimates([before, StepPreview(step, "new", "")], store)
    assert estimate.usage is not None
    assert estimate.usage.requests == 2
    assert 1500 < estimate.usage.output_tokens < 3500
    assert estimate.cost == estimate.usage.cost(RefineParams(input_price=1.0, output_price=10.0))
    (unknown,) = estimates([StepPreview(step, "new", "")], store)
    assert unknown.usage is None
    assert estimates([StepPreview(step, "reused", "", result)], store) == []


def test_nothing_said_costs_nothing_and_prices_that_nobody_gave_no_sum() -> None:
    assert expected_usage(0, 0.0, RefineParams()) == Usage()
    assert Usage(requests=1, input_tokens=5, output_tokens=5).cost(RefineParams()) is None


def test_prices_and_patience_leave_the_results_key_alone() -> None:
    backend = refine().backend
    assert {"input_price", "output_price", "attempts", "timeout_s", "at_once"} <= set(backend.neutral_params)
    assert not {"model", "address", "window", "context", "max_changed"} & set(backend.neutral_params)
