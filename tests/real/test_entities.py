"""Stage `entities` with a model that a test makes: its tokenizer in the new form, and in the old one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.engine.project import Project
from shared.documents.transcript import Segment, Transcript
from tests.real.cases import script
from tests.real.conftest import MakeStages, ServeModels

_OLD = ("config.json", "model.safetensors", "vocab.txt")


@pytest.fixture(scope="module")
def made(real_project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    real_project.installed.environments.ensure("transformers", lambda event: None)
    script("tiny_bert.py")(real_project.installed.environments.python("transformers"), folder)
    return folder


def test_a_vocabulary_alone_gives_the_names_that_a_whole_tokenizer_gives(
    made: Path, serve_models: ServeModels, make_stages: MakeStages, tmp_path: Path
) -> None:
    """A vocabulary with capitals says so of itself; transformers takes small letters where no file tells it."""
    old = tmp_path / "old"
    old.mkdir()
    for name in _OLD:
        shutil.copy(made / name, old / name)
    texts = ("The Film and Popcorn of Marta", "the film and popcorn of OSLO")
    segments = tuple(
        Segment(id=number, text=text, start_ms=number * 2000, end_ms=number * 2000 + 1000)
        for number, text in enumerate(texts)
    )
    said = Transcript(language="en", language_probability=1, duration_ms=4000, segments=segments)
    transcript = said.write(tmp_path / "said.json")
    found = {}
    for form, folder in (("new", made), ("old", old)):
        project = serve_models({"bert-base-ner": folder}, entities={"names": "bert-base-ner"})
        assert form == "new" or not list(project.installed.models.snapshot("bert-base-ner").glob("tokenizer*"))
        stages = make_stages(project)
        done = stages("entities", {"transcript": transcript}, {"min_confidence": 0.0}, "wikineural")
        found[form] = done.file("entities").read_bytes()
        stages.close()
    assert found["old"] == found["new"]
    assert b'"name"' in found["old"]
