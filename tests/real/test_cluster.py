"""Several machines: two network namespaces, a real Ray cluster over them, real stages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.project import Project
from pipeline.workers.ray import cluster as ray_cluster
from tests.conftest import ROOT, Reel
from tests.hosts import PORT, Machine, two_machines
from tests.processes import contents
from tests.real.conftest import call

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("ip"),
    reason="network namespaces need root and iproute2",
)

ADDRESS = f"10.77.0.1:{PORT}"
LABEL = "accelerator"
CALL = ("--profile", "starter", "--no-report")  # whose links lead from its folder to the media file


@pytest.fixture(scope="module")
def machines(
    real_project: Project, tmp_path_factory: pytest.TempPathFactory, home: Path
) -> Iterator[tuple[Machine, Machine]]:
    """Give two machines in one cluster, from where no package index can be reached; the second has the label."""
    for family in (ray_cluster.FAMILY, *real_project.needed_environments()):
        real_project.installed.environments.ensure(family, lambda event: None)
    with two_machines(Reel(tmp_path_factory.mktemp("cluster"), home)) as (one, other):
        one("cluster", "up", "--node", one.address)
        other("cluster", "up", "--node", other.address, "--join", ADDRESS, "--label", f"{LABEL}=1")
        yield one, other


@pytest.fixture(scope="module")
def clips(machines: tuple[Machine, Machine], ffmpeg: Path) -> list[Path]:
    """Return four seconds of the sample each."""
    folder = machines[0].reel.folder / "clips"
    folder.mkdir()
    made = [folder / f"clip{start}.mp4" for start in (3, 14, 25)]
    for start, clip in zip((3, 14, 25), made, strict=True):
        where = ("-ss", str(start), "-t", "4", "-i", ROOT / "samples" / "demo.mp4")
        call(ffmpeg, "-nostdin", "-loglevel", "error", *where, clip)
    return made


@pytest.fixture(scope="module")
def alone(clips: list[Path], tmp_path_factory: pytest.TempPathFactory, home: Path) -> dict[str, bytes]:
    """Return what the clips become on one machine without a cluster."""
    reel = Reel(tmp_path_factory.mktemp("alone"), home)
    reel("run", *clips, *CALL)
    return contents(reel.out)


def test_a_cluster_tells_its_machines_with_what_each_has(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    elsewhere = {"TMPDIR": str(tmp_path)}  # as where another program has made the machine a part
    asked = machines[0]("cluster", "status", "--json", "--cluster", ADDRESS, extra=elsewhere).stdout
    data = json.loads(machines[1]("cluster", "status", "--json").stdout)["data"]
    assert json.loads(asked)["data"] == data
    assert data["cluster"] == ADDRESS
    assert {m["name"]: (m["up"], m["labels"]) for m in data["machines"]} == {
        "10.77.0.1": (True, {}),
        "10.77.0.2": (True, {LABEL: 1.0}),
    }


def run_steps(machine: Machine, *wishes: dict[str, object], **extra: str) -> Any:
    """Return what became of steps of the fake stage, all at once; see `tests.fakes.on_cluster`."""
    variables = {"REEL_CLUSTER": ADDRESS, **extra}
    with machine.in_cluster("python", "-m", "tests.fakes.on_cluster", json.dumps(wishes), extra=variables) as driver:
        out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err
    return json.loads(out)


def test_a_step_lands_where_its_label_is(machines: tuple[Machine, Machine]) -> None:
    one, other = machines
    wishes = [{"how": "where", "value": number, "labels": {LABEL: 1}} for number in range(3)]
    done = run_steps(one, *wishes, {"how": "where", "precision": "other", "labels": {"another": 1}})
    assert [outcome.get("text", "").split()[0] for outcome in done["outcomes"][:3]] == [other.network()] * 3
    assert done["outcomes"][3]["error"] == "scheduler.label"


def test_a_stage_process_that_dies_is_replaced_and_so_is_its_actor(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    done = run_steps(
        machines[0],
        {"how": "crash once", "path": str(tmp_path / "crashed"), "labels": {LABEL: 1}},
        {"how": "killed", "precision": "other"},
        {"how": "raise", "precision": "third"},
    )
    crashed, killed, raised = done["outcomes"]
    assert crashed["text"] == "crash once 0\n"
    assert killed["error"] == "worker.killed"
    assert raised["error"] == "stage.raised"
    started = [event["label"] for event in done["events"] if event["event"] == "WorkerStarted"]
    assert len(started) == 2 + 2 + 1, "a crash and a kill are tried once more, in a process of its own each"


def test_an_actor_that_is_killed_takes_its_stage_process_with_it_and_another_does_the_step(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    one, other = machines
    told = tmp_path / "program"
    wish = {"how": "program once", "path": str(told), "labels": {LABEL: 1}}
    variables = {"REEL_CLUSTER": ADDRESS}
    with one.in_cluster("python", "-m", "tests.fakes.on_cluster", json.dumps([wish]), extra=variables) as driver:
        wait_for(lambda: told.exists() and told.read_text(encoding="utf-8") != "", 100)
        (first,) = stages_of(other)
        program = int(told.read_text(encoding="utf-8"))
        os.kill(parent(first), signal.SIGKILL)
        wait_for(lambda: not lives(first) and not lives(program), 10)
        out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err
    done = json.loads(out)
    assert any("was lost" in text for text in done["warnings"])
    assert done["outcomes"][0]["text"] == "program once 0\n"
    assert stages_of(other) == []


def test_a_machine_that_something_else_made_a_part_is_used_and_its_cards_are_shared_out(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    """As the operator for Kubernetes does: `ray start` by itself, and no command of ours before the run's."""
    other = machines[1].at("10.77.0.3")
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'A card, 8192'\necho 'A card, 8192'\n", encoding="utf-8")
    tool.chmod(0o755)
    path = {"PATH": f"{tool.parent}:{os.environ['PATH']}", **ray_cluster.RAY_VARIABLES}
    join(other, "--num-gpus", "2", extra=path)
    large = [{"how": "where", "value": n, "precision": f"{n}", "gpu_gib": 5.0} for n in range(2)]
    small = {"how": "where", "value": 3, "precision": "3", "gpu_gib": 2.0}
    done = run_steps(machines[0], *large, small)
    where = [outcome["text"].split() for outcome in done["outcomes"]]
    assert {network for network, _ in where} == {other.network()}
    cards = [card for _, card in where]
    assert set(cards[:2]) == {"0", "1"}, "two that need more than half a card each have one each"
    assert cards[2] in {"0", "1"}


def test_a_machine_with_another_version_of_reel_is_not_used(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    for package in ("pipeline", "shared", "stages", "config"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "stages" / "vad.py").open("a") as source:
        source.write("\nOTHER = 1\n")
    other = machines[1].at("10.77.0.4")
    join(other, "--resources", '{"only here": 1}', extra={"PYTHONPATH": str(tmp_path), **ray_cluster.RAY_VARIABLES})
    done = run_steps(machines[0], {"how": "where", "labels": {"only here": 1}})
    assert done["outcomes"][0]["error"] == "scheduler.label"
    told = [event["text"] for event in done["events"] if event["event"] == "Notice"]
    assert any("(10.77.0.4) has another version of reel" in text for text in told), told


def test_machines_that_do_not_see_the_folder_of_the_results_are_not_used(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    one, _ = machines
    results = tmp_path / "results"
    results.mkdir()
    run = one.reel.command("run", ROOT / "samples" / "demo.mp4", "--cluster", ADDRESS)
    variables = {**one.variables, "REEL_RESULTS_DIR": str(results)}
    done = subprocess.run(  # as if the folder were on a disk of the first machine's own
        one.command("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', results, *run),
        env=one.reel.environment(variables), cwd=one.reel.folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    for machine in machines:
        assert f"({machine.address}) does not see the folder {results / 'staging'}" in done.stderr
    assert "cluster_staging" in done.stderr
    assert "Traceback" not in done.stderr


def join(machine: Machine, *arguments: str, extra: dict[str, str]) -> None:
    """Make a machine a part of the cluster by Ray's own command."""
    scratch = f"{machine.variables['TMPDIR']}/{machine.address}"
    where = ("--address", ADDRESS, "--node-ip-address", machine.address, "--temp-dir", scratch)
    with machine.in_cluster("ray", "start", *where, *arguments, extra=extra) as started:
        out, err = started.communicate(timeout=100)
    assert started.returncode == 0, out + err


def test_the_cluster_for_kubernetes_says_what_ray_and_reel_understand(machines: tuple[Machine, Machine]) -> None:
    text = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    recipe = (ROOT / "docs" / "how-to" / "cluster" / "kuberay.yaml").read_text(encoding="utf-8")
    python = ROOT / ".venvs" / "cluster" / "bin" / "python"
    read = subprocess.run([python, "-c", text], input=recipe, capture_output=True, text=True, check=True)
    cluster = json.loads(read.stdout)["spec"]
    with machines[0].in_cluster("ray", "start", "--help") as asked:
        flags = set(re.findall(r"--([a-z-]+)", asked.communicate(timeout=60)[0]))
    names = {
        name
        for line in (ROOT / "config" / "defaults.toml").read_text(encoding="utf-8").splitlines()
        for name in line.split()[:1]
    }
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert set(group["rayStartParams"]) <= flags
        (container,) = group["template"]["spec"]["containers"]
        variables = {entry["name"]: entry["value"] for entry in container["env"]}
        assert {name for name in variables if not name.startswith("RAY_")} <= {f"REEL_{name.upper()}" for name in names}
        assert ray_cluster.RAY_VARIABLES.items() - variables.items() <= {
            ("RAY_AUTH_MODE", "token"),
            ("RAY_USAGE_STATS_ENABLED", "0"),
        }
        assert {mount["name"] for mount in container["volumeMounts"]} <= {
            v["name"] for v in group["template"]["spec"]["volumes"]
        }
    lock = (ROOT / "config" / "environments" / "cluster.lock").read_text(encoding="utf-8")
    assert f"\nray=={cluster['rayVersion']} " in lock
    assert json.loads(json.loads(cluster["workerGroupSpecs"][0]["rayStartParams"]["resources"])) == {LABEL: 1}


def test_a_wrong_token_is_refused(machines: tuple[Machine, Machine], tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("f" * 64, encoding="utf-8")
    other = machines[1]
    done = other("cluster", "status", extra={"RAY_AUTH_TOKEN_PATH": str(wrong)}, expect=5)
    assert "does not accept this machine" in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_listens_for_the_dashboard_or_for_clients(machines: tuple[Machine, Machine]) -> None:
    for machine in machines:
        done = subprocess.run(machine.command("ss", "-ltnH"), capture_output=True, text=True, check=True)
        ports = {int(line.split()[3].rpartition(":")[2]) for line in done.stdout.splitlines()}
        assert ports
        assert not ports & {8265, 10001, 52365}


def test_machines_without_a_common_folder_work_through_the_staging_folder(
    machines: tuple[Machine, Machine], clips: list[Path], alone: dict[str, bytes], tmp_path: Path
) -> None:
    one, _ = machines
    shared_folder = tmp_path / "shared"
    shared_folder.mkdir()
    variables = {"REEL_RESULTS_DIR": str(tmp_path / "results"), "REEL_OUTPUT_DIR": str(tmp_path / "out")}
    staged = ("--set", f"cluster_staging={shared_folder}")
    one("run", clips[0], *CALL, "--cluster", ADDRESS, *staged, extra=variables)
    made = {name: data for name, data in alone.items() if name.startswith(clips[0].stem)}
    assert contents(tmp_path / "out") == made
    assert list(shared_folder.iterdir()) == []
    assert list((tmp_path / "results" / "runs").rglob("*.log"))


def test_a_batch_on_a_cluster_has_the_bytes_of_one_machine_also_when_another_dies_and_is_replaced(
    machines: tuple[Machine, Machine], clips: list[Path], alone: dict[str, bytes]
) -> None:
    one, other = machines
    with one.start("run", *clips, *CALL, "--cluster", ADDRESS, "--progress", "json") as run:
        assert run.stderr is not None
        seen: list[dict[str, object]] = []
        for line in run.stderr:
            seen.append(json.loads(line))
            if killed_after(seen, other.address):
                break
        assert run.poll() is None, "the run was over before"
        other.pull_the_plug()
        killed = time.monotonic()
        other("cluster", "up", "--node", other.address, "--join", ADDRESS, "--label", f"{LABEL}=1")
        _, rest = run.communicate(timeout=300)
        seen += [json.loads(line) for line in rest.splitlines()]
        print(f"done {time.monotonic() - killed:.1f} s after the kill")
    assert run.returncode == 0, seen[-5:]
    assert contents(one.reel.out) == alone


def killed_after(seen: list[dict[str, object]], host: str) -> bool:
    """Tell whether a worker of that machine has begun with a step."""
    workers = {event["worker"] for event in seen if event.get("host") == host}
    return any(event.get("worker") in workers for event in seen if event["event"] == "StepStarted")


def wait_for(condition: Callable[[], bool], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, f"not within {limit_s} s"
        time.sleep(0.05)


def stages_of(machine: Machine) -> list[int]:
    """Return the stage processes on a machine."""
    return [pid for pid in machine.pids() if b"shared.worker_main" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
