"""The proofs that a library computes on a card: computed on the processor, and refused where there is no card."""

from __future__ import annotations

import pytest

from pipeline.base.nvidia import find_traces
from pipeline.engine.project import Project


@pytest.mark.parametrize(
    ("family", "library"), [("lite", "ctranslate2"), ("speech", "ctranslate2"), ("speech", "torch")]
)
def test_a_library_computes_what_it_is_to_prove_and_says_why_where_it_cannot(
    real_project: Project, family: str, library: str
) -> None:
    real_project.installed.environments.ensure(family, lambda event: None)
    assert real_project.installed.environments.prove(family, library, "cpu") == ""
    if not find_traces(None):
        assert "CUDA" in real_project.installed.environments.prove(family, library)
