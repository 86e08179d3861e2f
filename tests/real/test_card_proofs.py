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


_PRECISION = """
import sys
import ctranslate2
from shared.stage import Device
from stages.toolkit.whisper.ctranslate2 import compute_type

ctranslate2.get_supported_compute_types = lambda device: set(sys.argv[1].split())
asked = (None, "float16", "int8_float16", "int8")
print(*(compute_type(Device("cuda", 1, {"compute_type": name} if name else {})) for name in asked))
"""


@pytest.mark.parametrize(
    ("card_has", "taken"),
    [
        ("float32 float16 int8 int8_float16", "float16 float16 int8_float16 int8"),
        ("float32 int8", "int8 float32 int8 int8"),
        ("float32", "float32 float32 int8 int8"),
    ],
    ids=["Volta and later", "Pascal 6.1", "P100"],
)
def test_whisper_takes_a_precision_that_the_card_has(real_project: Project, card_has: str, taken: str) -> None:
    real_project.installed.environments.ensure("lite", lambda event: None)
    python = real_project.installed.environments.python("lite")
    done = subprocess.run(
        [python, "-c", _PRECISION, card_has], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == taken


def test_beside_pyannote_torch_still_says_what_is_wrong_with_a_card(real_project: Project) -> None:
    real_project.installed.environments.ensure("speech", lambda event: None)
    python = real_project.installed.environments.python("speech")
    said = subprocess.run(
        [python, "-c", _WARNS], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8"
    ).stderr
    assert "too old for this torch" in said
    assert "saved by an older version" not in said
