"""Several machines: two network namespaces, a real Ray cluster over them, real stages."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Reel
from tests.hosts import PORT, Machine, two_machines
from tests.real.conftest import call

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("ip"),
    reason="network namespaces need root and iproute2",
)

ADDRESS = f"10.77.0.1:{PORT}"
LABEL = "accelerator"


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two machines in one cluster; the second has the label."""
    with two_machines(Reel(tmp_path_factory.mktemp("cluster"), home)) as (one, other):
        one("cluster", "up", "--node", one.address)
        other("cluster", "up", "--node", other.address, "--join", ADDRESS, "--label", f"{LABEL}=1")
        yield one, other


@pytest.fixture(scope="module")
def clips(machines: tuple[Machine, Machine], ffmpeg: Path) -> list[Path]:
    """Four seconds of the sample each."""
    folder = machines[0].reel.folder / "clips"
    folder.mkdir()
    made = [folder / f"clip{start}.mp4" for start in (3, 14, 25)]
    for start, clip in zip((3, 14, 25), made, strict=True):
        where = ("-ss", str(start), "-t", "4", "-i", ROOT / "samples" / "demo.mp4")
        call(ffmpeg, "-nostdin", "-loglevel", "error", *where, clip)
    return made


@pytest.fixture(scope="module")
def alone(clips: list[Path], tmp_path_factory: pytest.TempPathFactory, home: Path) -> dict[str, bytes]:
    """What the clips become on one machine without a cluster."""
    reel = Reel(tmp_path_factory.mktemp("alone"), home)
    reel("run", *clips, "--profile", "starter")
    return contents(reel.out)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_cluster_tells_its_machines_with_what_each_has(machines: tuple[Machine, Machine]) -> None:
    data = json.loads(machines[1]("cluster", "status", "--json").stdout)["data"]
    assert data["cluster"] == ADDRESS
    assert {m["name"]: (m["up"], m["labels"]) for m in data["machines"]} == {
        "10.77.0.1": (True, {}),
        "10.77.0.2": (True, {LABEL: 1.0}),
    }


def test_a_batch_on_a_cluster_has_the_bytes_of_one_machine_also_when_another_dies_and_is_replaced(
    machines: tuple[Machine, Machine], clips: list[Path], alone: dict[str, bytes]
) -> None:
    one, other = machines
    with one.start("run", *clips, "--profile", "starter", "--cluster", ADDRESS, "--progress", "json") as run:
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
    """Whether a worker of that machine has begun with a step."""
    workers = {event["worker"] for event in seen if event.get("host") == host}
    return any(event.get("worker") in workers for event in seen if event["event"] == "StepStarted")
