"""Run workers on the machines of a Ray cluster: keep the list of machines, and a handle for each stage process.

Ray transports calls and reports machines that have left. The dispatcher and `pipeline.engine.step_run` decide on which
machine a worker runs, in which order jobs run, and how often a job is repeated, so Ray restarts no actor.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipeline.base import events
from pipeline.base.errors import Missing, ReelError, WorkerLost, WorkerTimedOut
from pipeline.base.events import Emit
from pipeline.base.processor import processor_difference
from pipeline.workers.capacity import Demand, Host, Placement
from pipeline.workers.installation import Installation
from pipeline.workers.interfaces import OnEvent, ResourceUse, WorkerKey
from pipeline.workers.ray.cluster import node_in
from pipeline.workers.ray.node import Failure, MachineActor, MachineFacts, MachineRequirements, WorkerActor, code_digest
from pipeline.workers.ray.resources import gpu_share, host_of
from pipeline.workers.ray.staging import stage_job
from shared import protocol

T = TypeVar("T")

_REFRESH_EVERY_S = 1.0
_FACTS_LIMIT_S = 60.0
_RETURN_LIMIT_S = 300.0  # for a machine that has left to come back, or for another in its place
_START_LIMIT_S = 3600.0  # an environment may have to be built and models fetched
_STOP_LIMIT_S = 15.0
_GRACE_S = 30.0  # beyond the limit that the machine itself enforces; for a machine that no longer answers
_LOGS = "logs"

Actor = Any  # Ray creates an actor's class at run time, so the types of its methods are unknown


@dataclass(frozen=True)
class _ActorPlacement:
    """The placement of an actor: the node, the machine's name in messages, and the share of one of its GPUs."""

    node_id: str
    machine: str
    share: float


@dataclass
class _Node:
    """A machine that has joined. Its host is `present` while the machine answers."""

    id: str
    host: Host
    gone_since: float | None = None


def connect(address: str, node_address: str | None) -> None:
    """Connect to the cluster as a driver. Raises `Missing`."""
    options = {"_node_ip_address": node_address} if node_address else {}
    try:
        ray.init(
            address=address, namespace="reel", log_to_driver=False, configure_logging=False, logging_level="ERROR",
            **options,
        )  # fmt: skip
    except (RayError, ConnectionError, RuntimeError, ValueError) as error:
        raise Missing(
            "cluster.refused",
            f"the cluster at {address} does not accept this machine: {str(error).strip().splitlines()[0]}",
            hint="start the run on a machine of the cluster (`./reel cluster up --join`), with the cluster's token",
        ) from error


def members(address: str, node_address: str | None) -> list[Host]:
    """Return all machines that the cluster knows, including those that have left."""
    connect(address, node_address)
    listed = sorted(ray.nodes(), key=lambda node: (not node["Alive"], node["NodeManagerAddress"]))
    return [
        replace(host_of(node["NodeManagerAddress"], node["Resources"], ()), present=node["Alive"]) for node in listed
    ]


class RayHost:
    """The machines of a cluster; see `pipeline.workers.interfaces.WorkerHost`. `on_change` is called whenever a machine
    joins or leaves."""

    def __init__(self, installed: Installation, logs: Path, emit: Emit) -> None:
        self._installed, self._logs, self._emit = installed, logs, emit
        self._nodes: dict[str, _Node] = {}
        self._refused: dict[str, str] = {}
        self._names: set[str] = set()
        self._processors: dict[str, str] = {}  # kind of processor by the machine's name
        self._code = code_digest()
        self._torch = installed.torch
        self._secret = uuid.uuid4().hex
        staging = installed.settings.cluster_staging
        self._staging = Path(staging).expanduser().absolute() / f"reel-{self._secret}" if staging else None
        self._probe = (self._staging or installed.folders.results / "staging") / f"cluster-{self._secret}"
        self._quiet = contextlib.ExitStack()
        self._watching: asyncio.Task[None] | None = None
        self.on_change: Callable[[], None] = lambda: None

    async def __aenter__(self) -> RayHost:
        address = self._installed.settings.cluster
        # Ray prints messages about its processes to the standard output, which is for the data of reel.
        self._quiet.enter_context(contextlib.redirect_stdout(io.StringIO()))
        connect(address, node_in(address))
        self._probe.parent.mkdir(parents=True, exist_ok=True)
        self._probe.write_text(self._secret, encoding="utf-8")
        await self._refresh()
        if not self._nodes:
            reasons = "; ".join(self._refused.values()) or "no machine has joined"
            await self.__aexit__()
            raise Missing(
                "cluster.no-machine", f"no machine of the cluster can be used: {reasons}",
                hint="put the same version of reel on every machine, and share a folder: that of the results,"
                " or another one with `--set cluster_staging=`",
            )  # fmt: skip
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._probe.unlink(missing_ok=True)
        ray.shutdown()
        self._quiet.close()
        if self._staging:
            for log in (self._staging / _LOGS).glob("*"):
                self._logs.mkdir(parents=True, exist_ok=True)
                shutil.move(log, self._logs / log.name)
            shutil.rmtree(self._staging, ignore_errors=True)

    @property
    def hosts(self) -> Sequence[Host]:
        """Return the machines that are present, and those that left a short time ago."""
        return [node.host for node in self._nodes.values()]

    async def measure_cards(self, own: Collection[int], emit: Emit) -> Mapping[int, float]:
        """Return nothing: the cards of other machines are not asked during a run."""
        return {}

    async def is_crowded(self, placement: Placement) -> bool:
        """Return False: what other programs hold on a machine of the cluster is not asked."""
        return False

    def make(self, key: WorkerKey, placement: Placement, resident: Demand, name: str) -> RayWorker:
        """Return a worker that is not started yet."""
        node = next(node for node in self._nodes.values() if node.host.name == placement.host)
        required = MachineRequirements(
            environment=key.environment,
            torch=self._torch.get(key.environment),
            tool=self._installed.tool.version if key.tools else None,
            models=dict(key.models),
            digests={model: self._installed.models.digest(model) for _, model in key.models},
            offline=self._installed.settings.offline,
        )
        share = 0.0 if placement.gpu is None else gpu_share(resident.gpu_mb, node.host.gpus[placement.gpu])
        staging = self._staging / name if self._staging else None
        logs = self._staging / _LOGS if self._staging else self._logs
        where = _ActorPlacement(node.id, node.host.name, share)
        return RayWorker(key, where, name, required, logs, staging, lambda: self._mark_absent(node))

    def _mark_absent(self, node: _Node) -> None:
        """Start nothing on a machine that has lost a worker, until it answers again."""
        if node.host.present:
            node.host, node.gone_since = replace(node.host, present=False), time.monotonic()
            self.on_change()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_EVERY_S)
            if await self._refresh():
                self.on_change()

    async def _refresh(self) -> bool:
        """Update the list of machines. Return whether it has changed."""
        try:
            listed = {node["NodeID"]: node for node in await asyncio.to_thread(ray.nodes) if node["Alive"]}
        except RayError:
            listed = {}
        changed = False
        for node in list(self._nodes.values()):
            if node.id not in listed and node.host.present:
                node.host, node.gone_since = replace(node.host, present=False), time.monotonic()
                self._notify(f"{node.host.name} has left the cluster; its steps go elsewhere")
                changed = True
            elif node.gone_since is not None and time.monotonic() - node.gone_since > _RETURN_LIMIT_S:
                del self._nodes[node.id]
                changed = True
        new = [node_id for node_id in listed if self._is_new(node_id)]
        answers = await asyncio.gather(*(self._query_facts(node_id) for node_id in new))
        for node_id, facts in zip(new, answers, strict=True):
            changed |= self._add(listed[node_id], facts)
        return changed

    def _is_new(self, node_id: str) -> bool:
        """Tell whether a node that answers is not in use: it was never added, or it was absent."""
        known = self._nodes.get(node_id)
        return node_id not in self._refused and (known is None or not known.host.present)

    async def _query_facts(self, node_id: str) -> MachineFacts | None:
        actor = _actor(MachineActor, node_id, 0.0).remote()
        try:
            async with asyncio.timeout(_FACTS_LIMIT_S):
                facts: MachineFacts = await actor.facts.remote(self._probe)
                return facts
        except (RayError, TimeoutError):
            return None
        finally:
            ray.kill(actor)

    def _add(self, listed: Mapping[str, Any], facts: MachineFacts | None) -> bool:
        """Add the machine that Ray lists if it can be used, and return whether it was added."""
        node_id = listed["NodeID"]
        if facts is None:
            return False
        if known := self._nodes.get(node_id):
            known.host, known.gone_since = replace(known.host, present=True), None
            return True
        where = f"{facts.name} ({listed['NodeManagerAddress']})"
        if facts.code != self._code:
            self._refuse(node_id, f"{where} has another version of reel")
        elif facts.sees != self._secret:
            self._refuse(node_id, f"{where} does not see the folder {self._probe.parent}")
        else:
            name = next(n for n in _numbered(listed["NodeManagerAddress"]) if n not in self._names)
            self._names.add(name)
            self._nodes[node_id] = _Node(node_id, host_of(name, listed["Resources"], facts.cards_mb))
            if self._watching:
                self._notify(f"{name} has joined the cluster")
            if warning := processor_difference(name, facts.processor, self._processors):
                self._notify(warning)
            self._processors[name] = facts.processor
            return True
        return False

    def _refuse(self, node_id: str, why: str) -> None:
        self._refused[node_id] = why
        self._notify(f"a machine is not used: {why}")

    def _notify(self, text: str) -> None:
        self._emit(events.Notice(None, None, text))


class RayWorker:
    """A stage process on a machine of the cluster; see `pipeline.workers.interfaces.WorkerHandle`."""

    def __init__(
        self, key: WorkerKey, placement: _ActorPlacement, name: str, required: MachineRequirements, logs: Path,
        staging: Path | None, on_lost: Callable[[], None],
    ) -> None:  # fmt: skip
        self._key, self._placement, self._name, self._required = key, placement, name, required
        self._logs, self._staging, self._on_lost = logs, staging, on_lost
        self._actor: Actor = None
        self._resource_use: ResourceUse | None = None
        self.usable, self.pid = True, None  # its process is elsewhere

    async def start(self) -> None:
        """Create the actor, set up its machine, and start the process. Raises `StepFailed` or `Missing`."""
        self._actor = _actor(WorkerActor, self._placement.node_id, self._placement.share).remote(
            self._key, self._name, self._required, self._logs
        )
        await self._answer(self._actor.start.remote(), _START_LIMIT_S, "start")

    async def load(self, request: protocol.Load, limit_s: float) -> protocol.Ready:
        """Load a backend by the names of its models: each machine has its own snapshots."""
        self.usable = False
        by_name = request.model_copy(update={"models": dict(self._required.models)})
        ready: protocol.Ready = await self._answer(
            self._actor.load.remote(by_name, limit_s), limit_s, "load its models"
        )
        self.usable = True
        return ready

    async def run(self, request: protocol.Run, limit_s: float, on_event: OnEvent) -> protocol.Done:
        """Run one job, and cancel it if the calling task is cancelled. Raises `StageRefused` or a `StepFailed`."""
        if self._staging is None:
            return await self._run(request, limit_s, on_event)
        job = await asyncio.to_thread(stage_job, request, self._staging / f"{request.id}")
        try:
            done = await self._run(job.request, limit_s, on_event)
            await asyncio.to_thread(job.bring_back)
            return done
        finally:
            job.remove()

    async def _run(self, request: protocol.Run, limit_s: float, on_event: OnEvent) -> protocol.Done:
        try:
            async with asyncio.timeout(limit_s + _GRACE_S):
                async for reference in self._actor.run.options(num_returns="streaming").remote(request, limit_s):
                    message = await reference
                    if isinstance(message, protocol.Done):
                        return message
                    if isinstance(message, Failure):
                        raise self._failed(message)
                    if isinstance(message, ResourceUse):
                        self._resource_use = message
                    elif message is not None:
                        on_event(message)
        except RayActorError as error:
            raise self._lost() from error
        except TimeoutError as error:
            self.usable = False
            raise WorkerTimedOut(
                "cluster.silent", f"{self._key.label} on {self._placement.machine} does not answer"
            ) from error
        except asyncio.CancelledError:
            self.usable = False
            with contextlib.suppress(RayError, TimeoutError):
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await self._actor.cancel.remote()
            raise
        raise self._lost()

    async def stop(self) -> None:
        """Ask the idle process to exit, and kill it if it does not."""
        await self._finish("stop")

    async def kill(self) -> None:
        """Kill the process and every process that it started."""
        await self._finish("kill")

    def kill_now(self) -> None:
        """Kill the actor without waiting for its end."""
        if self._actor is not None:
            ray.kill(self._actor)

    def resource_use(self) -> ResourceUse | None:
        """Return the resource use of the last report, or None without one."""
        return self._resource_use

    async def _finish(self, how: str) -> None:
        self.usable = False
        if self._actor is None:
            return
        with contextlib.suppress(RayError, TimeoutError):
            async with asyncio.timeout(_STOP_LIMIT_S):
                await getattr(self._actor, how).remote()
        ray.kill(self._actor)
        self._actor = None

    async def _answer(self, reference: Any, limit_s: float, what: str) -> Any:
        """Return the actor's answer to a call. Raises its failure, `WorkerLost` or `WorkerTimedOut`."""
        try:
            async with asyncio.timeout(limit_s + _GRACE_S):
                answer = await reference
        except RayActorError as error:
            raise self._lost() from error
        except TimeoutError as error:
            self.usable = False
            raise WorkerTimedOut(
                "cluster.silent", f"{self._key.label} on {self._placement.machine} did not {what}: it does not answer"
            ) from error
        if isinstance(answer, Failure):
            raise self._failed(answer)
        return answer

    def _failed(self, failure: Failure) -> ReelError:
        """Return the failure as an exception. After any but the stage's own error, the worker is no longer usable."""
        if failure.kind not in {"StageRefused", "StageRaised"}:
            self.usable = False
        return failure.error()

    def _lost(self) -> WorkerLost:
        self.usable = False
        self._on_lost()
        return WorkerLost("cluster.lost", f"{self._key.label} was lost with its machine {self._placement.machine}")


def _actor(kind: type[Any], node_id: str, gpu_share: float) -> Actor:
    """Return the class of an actor on this machine only, which Ray never restarts: Ray would use up its retries before
    it knows that a machine has failed."""
    return ray.remote(
        max_restarts=0, max_task_retries=0, num_cpus=0, num_gpus=gpu_share,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
    )(kind)  # fmt: skip


def _numbered(name: str) -> Iterator[str]:
    """Return `name`, `name#2`, ...: a machine that rejoins gets a new name."""
    return itertools.chain([name], (f"{name}#{number}" for number in itertools.count(2)))
