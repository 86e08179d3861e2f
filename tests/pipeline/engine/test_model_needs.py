"""Claims about which models a server needs, and what it says of those that are not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.errors import Missing
from pipeline.engine.model_needs import model_state, models_of_jobs, require_on_disk
from pipeline.engine.project import Project
from pipeline.model_cache.cache import ModelCache
from tests.fakes.models import CONTENTS, LOCKED, MODELS, fill

HUB = "http://127.0.0.1:9"


def test_every_missing_file_is_named_by_its_path_with_the_one_command(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, MODELS, LOCKED, HUB)
    with pytest.raises(Missing) as refused:
        require_on_disk(LOCKED, cache)
    for name in LOCKED:
        for file in CONTENTS[name]:
            assert f"{name}: {cache.snapshot(name) / file} is not there" in refused.value.message
    assert refused.value.exit_code == 5
    assert refused.value.hint is not None
    assert "run `./reel models fetch whisper aligner` once" in refused.value.hint


def test_a_file_of_another_size_is_not_the_model(tmp_path: Path) -> None:
    cache = ModelCache(fill(tmp_path), MODELS, LOCKED, HUB)
    require_on_disk(LOCKED, cache)
    weights = cache.snapshot("whisper") / "weights" / "model.bin"
    size = weights.stat().st_size
    weights.resolve().write_bytes(b"short")
    with pytest.raises(Missing, match=f"model.bin has 5 bytes, expected {size}") as refused:
        require_on_disk(LOCKED, cache)
    assert "aligner" not in refused.value.message


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({}, "fetched when needed"), ({"offline": True}, "missing"), ({"local_models": True}, "missing"),
        ({"stub": True}, "complete"),
    ],
)  # fmt: skip
def test_the_state_says_what_the_next_job_will_do(
    make_project: Callable[..., Project], settings: dict[str, bool], state: str, tmp_path: Path
) -> None:
    found = model_state(make_project(profile="starter", **settings).planner)
    assert (found.state, found.folder) == (state, tmp_path / "cache")
    assert ("faster-whisper-base" in found.missing) == (state != "complete")
    assert str(found.folder) in str(found)
    assert (found.missing_bytes > 0) == (state != "complete")


def test_a_model_that_the_settings_name_stands_for_that_of_the_profile(make_project: Callable[..., Project]) -> None:
    whole = models_of_jobs(make_project(profile="nemo").planner)
    assert {"parakeet-v2", "faster-whisper-small"} <= {*whole}
    other = make_project(profile="nemo", stages={"asr": {"models": {"recognizer": "parakeet-v3"}}})
    assert "parakeet-v3" in models_of_jobs(other.planner)
    assert "parakeet-v2" not in models_of_jobs(other.planner)
    canary = models_of_jobs(make_project(profile="canary").planner)
    assert {"canary-qwen", "canary-qwen-tokenizer"} <= {*canary}
