"""`reel cluster`: start, join, show and leave a cluster of machines."""

from __future__ import annotations

from pydantic import JsonValue

from pipeline.base.errors import UsageError
from pipeline.cli.arguments import CommandResult, project_of, table
from pipeline.cli.options.declare import Arguments
from pipeline.cli.options.machine import StartNode
from pipeline.cli.options.shared import ClusterFlag
from pipeline.workers.ray import cluster as ray_cluster


def up(arguments: StartNode) -> CommandResult:
    """Start a cluster on this machine, or join one."""
    ray_cluster.require_linux()
    project = project_of(arguments)
    node = arguments.node or ray_cluster.own_address(arguments.join)
    labels = {**project.settings.labels, **dict(arguments.labels)}
    ray_cluster.start_node(project.installed, node, arguments.join, arguments.port, labels, block=arguments.block)
    address = arguments.join or f"{node}:{arguments.port}"
    text = f"{node} is up in the cluster {address}\n\nrun on it: ./reel run MEDIA --cluster {address}"
    if not arguments.join:
        token = ray_cluster.token_file(project.folders)
        text += f"\nmore machines: copy {token} there, then ./reel cluster up --join {address}"
    return CommandResult({"node": node, "cluster": address}, text)


def down(arguments: Arguments) -> CommandResult:
    """Leave the cluster, and end its work on this machine."""
    ray_cluster.require_linux()
    ended = ray_cluster.nodes()
    for record in ended:
        ray_cluster.stop_node(record)
    names: list[JsonValue] = [record.node for record in ended]
    return CommandResult({"ended": names}, f"ended: {', '.join(map(str, names)) or 'nothing was up'}")


def status(arguments: ClusterFlag) -> CommandResult:
    """Show the machines of a cluster and their resources."""
    ray_cluster.require_linux()
    project = project_of(arguments)
    address = project.settings.cluster or next((record.cluster for record in ray_cluster.nodes()), "")
    if not address:
        raise UsageError("cluster.down", "this machine is not in a cluster", hint="name one: `--cluster ADDRESS`")
    ray_cluster.check_reachable(address)
    ray_cluster.enter(project.installed)
    from pipeline.workers.ray.host import members  # imports Ray, which only the environment `cluster` has

    hosts = members(address, ray_cluster.node_in(address))
    rows = [
        (host.name, "up" if host.present else "gone", str(host.cpus), f"{host.memory_mb / 1e3:.1f} GB",
         str(len(host.gpus)), ", ".join(f"{label} {amount:g}" for label, amount in sorted(host.labels.items())) or "-")
        for host in hosts
    ]  # fmt: skip
    data: list[JsonValue] = [
        {"name": host.name, "up": host.present, "cpus": host.cpus, "memory_mb": host.memory_mb,
         "gpus": len(host.gpus), "labels": dict(host.labels)}
        for host in hosts
    ]  # fmt: skip
    head = ("MACHINE", "STATE", "CORES", "MEMORY", "GPUS", "LABELS")
    return CommandResult({"cluster": address, "machines": data}, table(rows, head))
