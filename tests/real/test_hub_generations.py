"""Two generations of transformers, each with its own generation of the hub's client, read one cache, offline."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT
from pipeline.engine.project import Project
from shared.environment_manager import ChildPaths, child_environment
from tests.fakes.leaks import detect_leaks
from tests.real.conftest import ServeModels, make_environment

GENERATIONS = {
    "4": ("transformers==4.57.6", "huggingface-hub==0.36.2"),
    "5": ("transformers==5.23.0", "huggingface-hub==2.4.0"),
}
MODEL, REPOSITORY = "canary-qwen-tokenizer", "Qwen/Qwen3-1.7B"

MAKE = """
import sys, pathlib, tokenizers
words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0, "one": 1, "film": 2}, unk_token="[UNK]"))
words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
words.save(sys.argv[1] + "/tokenizer.json")
pathlib.Path(sys.argv[1], "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
pathlib.Path(sys.argv[1], "config.json").write_text('{"model_type": "qwen3", "hidden_size": 64}')
"""

# As a library asks that knows the name alone, and as a stage does that was given the folder.
ASK = """
import json, sys
import huggingface_hub, transformers
answers = []
for place in sys.argv[1:]:
    words = transformers.AutoTokenizer.from_pretrained(place)
    size = transformers.AutoConfig.from_pretrained(place).hidden_size
    answers.append([words("one film").input_ids, size, transformers.utils.cached_file(place, "config.json")])
print(json.dumps({"versions": [transformers.__version__, huggingface_hub.__version__], "answers": answers}))
"""


@dataclass(frozen=True)
class Asked:
    versions: list[str]
    answers: list[list[object]]  # for each place: token ids, a number of the configuration, the file it came from
    attempts: list[str]


@pytest.fixture(scope="module")
def pythons(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("generations")
    return {name: make_environment(real_project, folder / name, *wanted) for name, wanted in GENERATIONS.items()}


@pytest.fixture(scope="module")
def project(serve_models: ServeModels, pythons: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("tokenizer")
    subprocess.run([pythons["4"], "-c", MAKE, folder], check=True)
    return serve_models({MODEL: folder})


@pytest.fixture(scope="module")
def ask(project: Project, pythons: dict[str, Path]) -> Callable[[str], Asked]:
    """Return what a generation answers in a stage's environment, started by a user with a cache of their own
    elsewhere."""

    def ask(generation: str) -> Asked:
        elsewhere = dict.fromkeys(("HF_HOME", "TRANSFORMERS_CACHE", "HUGGINGFACE_HUB_CACHE"), "/elsewhere")
        paths = ChildPaths(CODE_ROOT, project.folders.cache, (), project.folders.home)
        with detect_leaks() as leaks:
            parent = {**os.environ, **elsewhere, **leaks.variables}
            done = subprocess.run(
                [pythons[generation], "-c", ASK, REPOSITORY, project.installed.models.snapshot(MODEL)],
                env=child_environment(paths, parent, offline=True),
                capture_output=True, text=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Asked(**json.loads(done.stdout), attempts=leaks.attempts)

    return ask


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_generation_reads_the_cache_by_name_and_by_folder_without_a_request(
    generation: str, ask: Callable[[str], Asked], project: Project
) -> None:
    asked = ask(generation)
    assert [version.partition(".")[0] for version in asked.versions] == {"4": ["4", "0"], "5": ["5", "2"]}[generation]
    config = str(project.installed.models.snapshot(MODEL) / "config.json")
    assert asked.answers == [[[1, 2], 64, config]] * 2
    assert asked.attempts == []


def test_what_one_generation_has_read_the_other_reads_too_and_neither_changes_the_cache(
    ask: Callable[[str], Asked], project: Project
) -> None:
    def listing() -> set[str]:
        return {str(path) for path in (project.folders.cache / "huggingface").rglob("*")}

    before = listing()
    assert [ask(generation).answers for generation in ("5", "4", "5")] == [ask("4").answers] * 3
    assert listing() == before
