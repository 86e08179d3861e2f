"""Models that a test serves: fetched and verified as any others, and a stage works from them alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.base.project import CODE_ROOT
from pipeline.engine.project import Project
from shared.environment_manager import ChildPaths, child_environment
from tests.fakes.leaks import detect_leaks
from tests.real.cases import Material
from tests.real.conftest import MakeStages, ServeModels


def test_a_stage_works_from_a_served_model_in_a_cache_of_its_own(
    real_project: Project, serve_models: ServeModels, make_stages: MakeStages, material: Material
) -> None:
    real_project.installed.models.fetch("ge2e-embedder", lambda event: None)
    project = serve_models({"ge2e-embedder": real_project.installed.models.snapshot("ge2e-embedder")})
    assert project.installed.models.snapshot("ge2e-embedder").is_relative_to(project.folders.cache)
    assert not project.folders.cache.is_relative_to(real_project.folders.cache)
    with detect_leaks() as leaks:
        stages = make_stages(project, leaks.variables)
        done = stages("diarize", {"audio": material.audio, "speech": material.speech})
        stages.close()
    assert done.file("turns").read_bytes() == material.turns.read_bytes()
    assert leaks.attempts == []


def test_a_gated_model_fills_a_role_under_the_name_and_the_revision_that_libraries_ask_for(
    serve_models: ServeModels, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    (folder / "segmentation").mkdir(parents=True)
    (folder / "config.yaml").write_text("version: 1\n", encoding="utf-8")
    (folder / "segmentation" / "pytorch_model.bin").write_bytes(b"weights")
    project = serve_models({"pyannote-community-1": folder}, diarize={"pipeline": "pyannote-community-1"})
    snapshot = project.installed.models.snapshot("pyannote-community-1")
    assert (snapshot / "segmentation" / "pytorch_model.bin").read_bytes() == b"weights"
    root = snapshot.parent.parent
    assert root.name == "models--pyannote--speaker-diarization-community-1"
    assert (root / "refs" / "main").read_text(encoding="utf-8") == snapshot.name
    filled = project.planner.profile.profile.stages["diarize"].models
    assert filled == {"embedder": "ge2e-embedder", "pipeline": "pyannote-community-1"}


def test_a_file_that_the_manifest_would_not_take_fails_the_test_that_serves_it(
    serve_models: ServeModels, tmp_path: Path
) -> None:
    (tmp_path / "flax_model.msgpack").write_bytes(b"x")
    with pytest.raises(AssertionError, match="flax_model"):
        serve_models({"nllb-600m": tmp_path})


def test_a_nemo_archive_reaches_the_stage_as_a_verified_file(serve_models: ServeModels, tmp_path: Path) -> None:
    (tmp_path / "parakeet-tdt-0.6b-v2.nemo").write_bytes(b"archive" * 1000)
    project = serve_models({"parakeet-v2": tmp_path})
    archives = list(project.installed.models.snapshot("parakeet-v2").glob("*.nemo"))
    assert [archive.read_bytes() for archive in archives] == [b"archive" * 1000]
    project.installed.models.fetch("parakeet-v2", lambda event: None)  # the hub is gone: nothing is asked again


def test_canary_qwen_comes_with_the_tokenizer_that_it_asks_for_by_name(
    real_project: Project, serve_models: ServeModels, tmp_path: Path
) -> None:
    """Its class reads the tokenizer by the name of its repository, without a revision, from the cache it is given."""
    contents = {"canary-qwen": ["config.json", "model.safetensors"], "canary-qwen-tokenizer": ["tokenizer.json"]}
    for name, files in contents.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text(f'{{"of": "{name}"}}', encoding="utf-8")
    (tmp_path / "canary-qwen-tokenizer" / "config.json").write_text("{}", encoding="utf-8")
    project = serve_models({name: tmp_path / name for name in contents})
    snapshot = project.installed.models.snapshot("canary-qwen-tokenizer")
    assert (snapshot.parent.parent / "refs" / "main").read_text(encoding="utf-8") == snapshot.name
    real_project.installed.environments.ensure("lite", lambda event: None)
    paths = ChildPaths(CODE_ROOT, project.folders.cache, (), project.folders.home)
    ask = "import huggingface_hub as h; print(h.hf_hub_download('Qwen/Qwen3-1.7B', 'tokenizer.json'))"
    done = subprocess.run(
        [real_project.installed.environments.python("lite"), "-c", ask], env=child_environment(paths, {}, offline=True),
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout.strip() == str(snapshot / "tokenizer.json"), done.stderr
