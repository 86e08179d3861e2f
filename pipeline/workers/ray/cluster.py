"""Start, find and end this machine's node of a Ray cluster, and enter the environment that has Ray.

Ray's own processes are started by its command line. All options that Ray would otherwise guess are given: the address,
the token, no dashboard, no usage reports. `ray stop` would end the nodes of every user of the machine, so each node is
started in a process of ours, and only that process is ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from pipeline.base.errors import Missing, StepFailed, UsageError
from pipeline.base.events import Event
from pipeline.base.project import CODE_ROOT, ProjectFolders
from pipeline.workers.installation import Installation
from shared.documents.base import Frozen
from shared.files import write_atomically
from shared.processes import group_options, kill_group

FAMILY = "cluster"
PORT = 6379
RAY_VARIABLES = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # reel limits memory itself: Ray would kill workers within their limits
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a backend that declares no GPU memory still sees all GPUs
}
_FEW_RETRIES = {"RAY_NUM_REDIS_GET_RETRIES": "5"}  # a second each; with a wrong token, Ray would make all of its 20
_UP_LIMIT_S = 180.0
_DOWN_LIMIT_S = 30.0
_JOIN_LIMIT_S = 60.0
_CONNECT_LIMIT_S = 5.0
_STARTED = "Ray runtime started."


class NodeRecord(Frozen):
    """A node that was started on this machine: its address, the cluster's address, and the process to end."""

    node: str
    cluster: str
    pid: int
    started: str


def require_linux() -> None:
    """Raise `UsageError` on other systems: Ray's nodes find each other on Linux only."""
    if not sys.platform.startswith("linux"):
        raise UsageError(
            "cluster.platform", f"a cluster needs Linux on every machine, and this is {sys.platform}",
            hint="run without `--cluster`: one machine needs none",
        )  # fmt: skip


def enter(installed: Installation) -> None:
    """Replace this process by the same command in the environment that has Ray, unless it runs there already."""
    installed.environments.ensure(FAMILY, _ignore, offline=installed.settings.offline)
    python = installed.environments.python(FAMILY)
    if Path(sys.prefix) != python.parent.parent:
        sys.stdout.flush()
        variables = {**_FEW_RETRIES, **os.environ, **ray_variables(installed.folders), "PYTHONPATH": str(CODE_ROOT)}
        os.execve(python, [str(python), "-P", "-m", "pipeline", *sys.argv[1:]], variables)


def ray_variables(folders: ProjectFolders) -> dict[str, str]:
    """Return the variables for Ray's processes. A token that the user set, for example through Kubernetes, is kept."""
    variables = dict(RAY_VARIABLES)
    if not os.environ.get("RAY_AUTH_TOKEN"):
        variables["RAY_AUTH_TOKEN_PATH"] = os.environ.get("RAY_AUTH_TOKEN_PATH", str(token_file(folders)))
    return variables


def token_file(folders: ProjectFolders) -> Path:
    """Return the path of the secret that all machines of a cluster share."""
    return folders.scratch / "cluster" / "token"


def start_node(
    installed: Installation, node: str, join: str | None, port: int, labels: Mapping[str, float], *, block: bool
) -> None:
    """Start this machine's node. `join` is the address of a cluster, None for a new cluster. Raises `StepFailed`."""
    installed.environments.ensure(FAMILY, _ignore, offline=installed.settings.offline)
    _require_token(installed.folders, join)
    if any(record.node == node for record in nodes()):
        raise UsageError("cluster.up", f"this machine is in a cluster already, as {node}", hint="`./reel cluster down`")
    if join:
        _wait_for(join)
    folder = _node_folder()
    ray = installed.environments.programs(FAMILY) / "ray"
    where = ["--address", join] if join else ["--head", "--port", str(port), "--include-dashboard=false"]
    command = [
        str(ray), "start", *where, "--node-ip-address", node, "--resources", json.dumps(dict(labels)), "--block",
        "--disable-usage-stats", "--include-log-monitor=false", "--temp-dir", str(folder / node),
        *(["--num-cpus", str(installed.settings.cpus)] if installed.settings.cpus else []),
    ]  # fmt: skip
    ours = {"PYTHONPATH": str(CODE_ROOT), "PYDANTIC_DISABLE_PLUGINS": "1"}
    variables = {**os.environ, **ray_variables(installed.folders), **ours}
    cluster = join or f"{node}:{port}"
    if block:
        _record(node, cluster, os.getpid())
        os.execve(ray, command, variables)
    log = folder / f"{node}.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env=variables, cwd=CODE_ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            **group_options(),
        )  # fmt: skip
    record = _record(node, cluster, process.pid)
    until = time.monotonic() + _UP_LIMIT_S
    while _STARTED not in log.read_text(errors="replace", encoding="utf-8"):
        if process.poll() is not None or time.monotonic() > until:
            stop_node(record)
            lines = [line for line in log.read_text(errors="replace", encoding="utf-8").splitlines() if line.strip()]
            raise StepFailed(
                "cluster.start", f"Ray did not start: {lines[-1] if lines else 'it gave no reason'}", log=log
            )
        time.sleep(0.1)


def nodes() -> list[NodeRecord]:
    """Return the nodes on this machine that are running."""
    found = []
    for file in sorted(_node_folder().glob("*.json")):
        with contextlib.suppress(OSError, ValidationError):
            record = NodeRecord.model_validate_json(file.read_text(encoding="utf-8"))
            if _start_time(record.pid) == record.started:
                found.append(record)
    return found


def node_in(cluster: str) -> str | None:
    """Return this machine's address in the cluster, or None if its node was not started by reel."""
    return next((record.node for record in nodes() if record.cluster == cluster), None)


def stop_node(record: NodeRecord) -> None:
    """End a node with all its processes."""
    if _start_time(record.pid) == record.started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
        until = time.monotonic() + _DOWN_LIMIT_S
        while _start_time(record.pid) == record.started and time.monotonic() < until:
            time.sleep(0.1)
        kill_group(record.pid)
    (_node_folder() / f"{record.node}.json").unlink(missing_ok=True)


def check_reachable(address: str) -> None:
    """Raise `Missing` if nothing listens at the address: Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError("cluster.address", f"`{address}` is not an address; expected one like `10.0.0.1:{PORT}`")
    try:
        socket.create_connection((host, int(port)), _CONNECT_LIMIT_S).close()
    except OSError as error:
        raise Missing(
            "cluster.unreachable", f"no answer from {address}: {error.strerror or error}",
            hint="start the cluster there with `./reel cluster up`, and open the port between the machines",
        ) from error  # fmt: skip


def own_address(cluster: str | None) -> str:
    """Return the address of the network interface that leads to the cluster, or to the internet. Sends nothing."""
    towards = cluster.rpartition(":")[0] if cluster else "192.0.2.1"  # an address reserved for documentation
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
            return str(probe.getsockname()[0])
        except OSError as error:
            raise UsageError("cluster.node", "this machine's address is not known", hint="give it: `--node`") from error


def _wait_for(cluster: str) -> None:
    """Wait until the cluster answers, since its first machine may still be starting. Raises `Missing`."""
    until = time.monotonic() + _JOIN_LIMIT_S
    while True:
        try:
            return check_reachable(cluster)
        except Missing:
            if time.monotonic() > until:
                raise
            time.sleep(1.0)


def _record(node: str, cluster: str, pid: int) -> NodeRecord:
    record = NodeRecord(node=node, cluster=cluster, pid=pid, started=_start_time(pid))
    write_atomically(_node_folder() / f"{node}.json", record.model_dump_json().encode())
    return record


def _require_token(folders: ProjectFolders, join: str | None) -> None:
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    file = token_file(folders)
    if file.exists():
        return
    if join:
        raise Missing(
            "cluster.token", f"this machine does not have the cluster's token: {file} is not there",
            hint="copy that file from the machine that started the cluster, readable by you alone",
        )  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(secrets.token_hex(32))


def _node_folder() -> Path:
    """Return the folder for the sockets and logs of this machine's nodes: on its own disk, with a short path, because
    the length of a socket's path is limited."""
    folder = Path(tempfile.gettempdir()) / f"reel-cluster-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise UsageError("cluster.folder", f"{folder} belongs to another user", hint="set TMPDIR to a folder of yours")
    return folder


def _start_time(pid: int) -> str:
    """Return the start time of a process, or an empty text if it does not run. It distinguishes the process from a
    later one with the same number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _ignore(event: Event) -> None:
    """Ignore an event: the environment is built silently if another command needs it."""
