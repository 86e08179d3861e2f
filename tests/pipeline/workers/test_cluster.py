"""Steps that a cluster's machines refuse. `tests/real/test_cluster.py` has the tests with Ray itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from pipeline.base.errors import Missing
from pipeline.cli.main import main
from pipeline.engine.project import Project
from pipeline.workers.interfaces import WorkerKey
from pipeline.workers.ray import cluster as ray_cluster
from pipeline.workers.ray import node as ray_node
from pipeline.workers.ray.node import MachineRequirements, WorkerActor, code_digest
from pipeline.workers.ray.staging import stage_job
from shared import protocol
from shared.stage import CORE_ENVIRONMENT

ADDRESS = "10.77.0.1:6379"
SPEECH = "speech"
NOTHING = MachineRequirements(CORE_ENVIRONMENT, torch=None, tool=None, models={}, digests={}, offline=True)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
@pytest.mark.parametrize(
    "command",
    [("cluster", "up"), ("cluster", "status"), ("cluster", "down"), ("run", "a.mp4", "--cluster", ADDRESS)],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_cluster_is_refused_on_systems_without_ray_nodes(
    command: tuple[str, ...], platform: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ray_cluster, "sys", SimpleNamespace(platform=platform))
    assert main([*command]) == 2
    told = capsys.readouterr().err
    assert f"a cluster needs Linux on every machine, and this is {platform} [cluster.platform]" in told
    assert "run without `--cluster`" in told


def refused(project: Project, required: MachineRequirements) -> Missing:
    """Return what a machine with this project says to a worker that is to be on it."""
    key = WorkerKey(required.environment, "", "", (), (), "cpu", 1)
    installed_is = mock.patch.object(ray_node, "node_installation", return_value=project.installed)
    with installed_is, mock.patch("socket.gethostname", return_value="node7"):
        failure = asyncio.run(WorkerActor(key, "w", required, Path("logs")).start())
    assert failure is not None
    error = failure.error()
    assert isinstance(error, Missing)
    assert error.hint
    return error


def test_a_machine_with_another_build_of_torch_refuses_the_step(make_project: Callable[..., Project]) -> None:
    project = make_project(torch="locked")
    with mock.patch.object(type(project.installed.environments), "ensure"):
        error = refused(project, replace(NOTHING, environment=SPEECH, torch="2.8.0+cpu"))
    locked = project.installed.environments.torch(SPEECH)
    assert locked
    assert error.code == "cluster.torch"
    assert error.message == (
        f"node7 has torch {locked} in the environment {SPEECH}, the run was planned with 2.8.0+cpu"
    )


def test_a_machine_with_another_ffmpeg_refuses_the_step(make_project: Callable[..., Project]) -> None:
    project = make_project()
    tool = replace(project.installed.tool, version="6.1", family=None)
    project = replace(project, installed=replace(project.installed, tool=tool))
    error = refused(project, replace(NOTHING, tool="7.0"))
    assert (error.code, error.message) == ("cluster.tool", "node7 has ffmpeg 6.1, the run was planned with 7.0")


@pytest.mark.parametrize("name", ["faster-whisper-tiny", "a-model-of-mine"])
def test_a_machine_with_a_missing_or_different_model_refuses_the_step(
    make_project: Callable[..., Project], name: str
) -> None:
    error = refused(make_project(), replace(NOTHING, models={"model": name}, digests={name: "0" * 64}))
    assert error.code == "cluster.model"
    assert f"node7 does not know the model {name} with the bytes" in error.message


def test_the_users_own_models_do_not_change_the_code_digest(tmp_path: Path) -> None:
    for package in ("pipeline", "config"):
        (tmp_path / package).mkdir()
    (tmp_path / "pipeline" / "plan.py").write_text("A = 1\n", encoding="utf-8")
    (tmp_path / "config" / "own").mkdir()
    before = code_digest(tmp_path)
    (tmp_path / "config" / "own" / "models.toml").write_text("[mine]\n", encoding="utf-8")
    (tmp_path / "config" / "secrets.json").write_text("{}\n", encoding="utf-8")
    assert code_digest(tmp_path) == before
    (tmp_path / "config" / "languages.toml").write_text("[hi]\n", encoding="utf-8")
    assert code_digest(tmp_path) != before


def test_a_users_file_is_copied_and_its_times_do_not_change(tmp_path: Path) -> None:
    media, content, out = tmp_path / "film.mkv", tmp_path / ("ab" * 32), tmp_path / "out"
    media.write_text("film", encoding="utf-8")
    content.write_text("content", encoding="utf-8")
    out.mkdir()
    before = media.stat()
    inputs: protocol.FileNames = {"media": str(media), "audio": str(content)}
    job = stage_job(
        protocol.Run(id=1, stage="s", backend="b", inputs=inputs, params={}, out_dir=str(out)), tmp_path / "x"
    )
    staged = {role: Path(str(name)) for role, name in job.request.inputs.items()}
    assert staged["media"].read_text(encoding="utf-8") == "film"
    assert (media.stat().st_nlink, media.stat().st_ctime_ns) == (1, before.st_ctime_ns), (
        "a link would look like a change"
    )
    assert staged["audio"].samefile(content), "contents of the store are linked"


def test_files_of_the_same_name_pass_the_staging_folder_which_is_then_removed(tmp_path: Path) -> None:
    media, out, exchange = tmp_path / "media", tmp_path / "out", tmp_path / "exchange"
    for number in range(2):
        (media / f"{number}").mkdir(parents=True)
        (media / f"{number}" / "a.wav").write_text(f"{number}", encoding="utf-8")
    out.mkdir()
    names = [str(media / f"{number}" / "a.wav") for number in range(2)]
    request = protocol.Run(
        id=1, stage="s", backend="b", inputs={"one": names[0], "all": names, "none": None}, params={}, out_dir=str(out)
    )
    job = stage_job(request, exchange)
    seen = job.request.inputs
    assert seen["none"] is None
    assert [Path(str(name)).read_text(encoding="utf-8") for name in (seen["one"], *(seen["all"] or ()))] == [
        "0",
        "0",
        "1",
    ]
    made = Path(job.request.out_dir)
    assert made.is_relative_to(exchange)
    (made / "deep").mkdir()
    (made / "deep" / "text.txt").write_text("done", encoding="utf-8")
    job.bring_back()
    job.remove()
    assert (out / "deep" / "text.txt").read_text(encoding="utf-8") == "done"
    assert not exchange.exists()
