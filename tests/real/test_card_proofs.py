"""The proofs that a library computes on a card: computed on the processor, and refused where there is no card."""

from __future__ import annotations

import os
import subprocess

import pytest

from pipeline.base.nvidia import find_traces
from pipeline.engine.project import Project
from tests.conftest import ROOT

_WARNS = """
import warnings
import stages.toolkit.audio.pyannote_audio
warnings.warn_explicit("the card is too old for this torch", UserWarning, "cuda.py", 1, module="torch.cuda")
warnings.warn_explicit("saved by an older version", UserWarning, "load.py", 1, module="torch.serialization")
"""


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


def test_beside_pyannote_torch_still_says_what_is_wrong_with_a_card(real_project: Project) -> None:
    real_project.installed.environments.ensure("speech", lambda event: None)
    python = real_project.installed.environments.python("speech")
    said = subprocess.run(
        [python, "-c", _WARNS], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8"
    ).stderr
    assert "too old for this torch" in said
    assert "saved by an older version" not in said
