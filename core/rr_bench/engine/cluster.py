"""Tasks done by the actors of a Ray cluster, the resources of each as the component declares them.

An actor does one task at a time and is kept while there are tasks of its resources; one that is not needed makes room
for those that are. Which actor does what is decided here, so that a model is loaded once an actor.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rr.errors import RerankError, summary
from rr_bench.engine.engine import best
from rr_bench.engine.task import Outcome, Task
from rr_bench.schema import Resources

CLIENT_PORT = "10001"
"""At which a cluster listens for drivers that are no part of it."""
GB = 10**9
SECONDS = 10.0
"""How long a cluster may take to answer."""


@dataclass
class Actor:
    """`task`: what it does now, and where its answer will be."""

    handle: Any
    resources: Resources
    task: Task | None = None
    group: str = ""
    answer: Any = None


class Hands:
    """What an actor runs."""

    def __init__(self, where: Mapping[str, Any]) -> None:
        from rr_bench.engine.work import stand

        self._refused = None
        try:
            stand(where)
        except RerankError as error:
            self._refused = Outcome("failed", reason=str(error)).plain()

    def do(self, function: str, arguments: Mapping[str, Any], made_anew: list[str] | None) -> dict[str, Any]:
        from rr_bench.engine.work import do

        return self._refused or do(function, arguments, made_anew)


class Cluster:
    """A cluster that this process is connected to."""

    def __init__(self, where: Mapping[str, Any]) -> None:
        self._ray = import_module("ray")
        self._where = where
        self._actors: list[Actor] = []
        self._refused: list[tuple[Task, Outcome]] = []

    def begin(self, waiting: list[Task]) -> None:
        for resources in dict.fromkeys(task.resources for task in waiting):
            self._begin(resources, waiting)

    def _begin(self, resources: Resources, waiting: list[Task]) -> None:
        while fitting := [task for task in waiting if task.resources == resources]:
            if (reason := self._impossible(resources)) is not None:
                self._refused += [(task, Outcome("failed", reason=reason)) for task in fitting]
                waiting[:] = [task for task in waiting if task.resources != resources]
                return
            free = [actor for actor in self._actors if actor.task is None and actor.resources == resources]
            if not free:
                if not self._room(resources):
                    return
                free = [self._hired(resources)]
            known = {task.group for task in fitting}
            actor = next((one for one in free if one.group in known), free[0])
            task = best(fitting, actor.group, (one.group for one in self._actors if one.task is not None))
            waiting.remove(task)
            actor.task, actor.group = task, task.group
            actor.answer = actor.handle.do.remote(**task.plain())

    def ended(self) -> list[tuple[Task, Outcome]]:
        if self._refused:
            found, self._refused = self._refused, []
            return found
        asked = {actor.answer: actor for actor in self._actors if actor.task is not None}
        ready, _ = self._ray.wait(list(asked), num_returns=1)
        return [self._outcome(asked[answer]) for answer in ready]

    def _outcome(self, actor: Actor) -> tuple[Task, Outcome]:
        assert actor.task is not None
        task, actor.task = actor.task, None
        try:
            return task, Outcome(**self._ray.get(actor.answer))
        except self._ray.exceptions.RayError as error:  # the actor or its node is gone, or could not be started
            self._dismiss(actor)
            return task, Outcome("lost", reason=summary(error).strip())

    def _hired(self, resources: Resources) -> Actor:
        asked = {"num_cpus": resources.cpus, "num_gpus": resources.gpus}
        memory = {} if resources.memory is None else {"memory": int(resources.memory * GB)}
        handle = self._ray.remote(**asked, **memory, max_restarts=0)(Hands).remote(self._where)
        self._actors.append(Actor(handle, resources))
        return self._actors[-1]

    def _dismiss(self, actor: Actor) -> None:
        self._actors.remove(actor)
        self._ray.kill(actor.handle)

    def _room(self, resources: Resources) -> bool:
        """Whether one more actor fits, once those without work have made room for it."""
        idle = [actor for actor in self._actors if actor.task is None and actor.resources != resources]
        while not self._fits(resources):
            if not idle:
                return not any(actor.task is not None for actor in self._actors)  # others' work will end: Ray waits
            self._dismiss(idle.pop())
        return True

    def _fits(self, resources: Resources) -> bool:
        """Node by node, as actors are placed. What others run is not counted: Ray lets an actor wait for it."""
        ours = [actor.resources for actor in self._actors]
        nodes = [dict(node["Resources"]) for node in self._alive()]
        for one in sorted((*ours, resources), key=lambda one: (-one.gpus, -one.cpus)):
            needed = _asked(one)
            node = next((n for n in nodes if all(n.get(name, 0) >= count for name, count in needed.items())), None)
            if node is None:
                return False
            for name, count in needed.items():
                node[name] -= count
        return True

    def _impossible(self, resources: Resources) -> str | None:
        needed, nodes = _asked(resources), self._alive()
        if any(all(node["Resources"].get(name, 0) >= count for name, count in needed.items()) for node in nodes):
            return None
        return _too_much(needed)

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def close(self) -> None:
        for actor in list(self._actors):
            self._dismiss(actor)


@contextmanager
def cluster(where: Mapping[str, Any], address: str) -> Iterator[Cluster]:
    """`address`: of `connected`. Whatever ends the block, the actors end with it; what they have finished stays."""
    with connected(address):
        found = Cluster(where)
        try:
            yield found
        finally:
            found.close()


@contextmanager
def connected(address: str) -> Iterator[None]:
    """To the cluster at HOST:PORT, that of its head as `ray start` tells it, or of its Ray Client, 10001; if it is
    empty, to the one that $RAY_ADDRESS names or that runs here, else to one that is started here for the block. A
    connection that this process has already is used as it is.

    Raises:
        RerankError: Ray is not installed, or there is no such cluster.
    """
    if find_spec("ray") is None:
        raise RerankError("engine 'ray' needs ray; install with: pip install 'rerank-registry[ray]'")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what is lost is told by who asked for it
    ray = import_module("ray")
    if ray.is_initialized():
        yield
        return
    if there := address or os.environ.get("RAY_ADDRESS", ""):
        _must_answer(there)
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    client = "ray://" if there.endswith(f":{CLIENT_PORT}") and "://" not in there else ""
    try:
        ray.init(address=f"{client}{there or 'auto'}", **quiet)
    except Exception as error:  # Ray raises what its transports raise
        if there:
            raise RerankError(_nobody(there, summary(error).splitlines()[0])) from error
        _started(ray, quiet)
    try:
        yield
    finally:
        ray.shutdown()


def _started(ray: Any, quiet: Mapping[str, Any]) -> None:
    """A cluster of this machine alone, which ends with the connection."""
    try:
        ray.init(address="local", include_dashboard=False, **quiet)
    except Exception as error:  # likewise
        raise RerankError(f"Ray could not be started here: {summary(error).splitlines()[0]}") from error


def _must_answer(address: str) -> None:
    """Or Ray would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # `auto`, `local`
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RerankError(_nobody(address, str(error))) from error


def _nobody(address: str, reason: str) -> str:
    where = address.removeprefix("ray://")
    return f"there is no Ray cluster at {where} ({reason}); 'ray start --head' starts one and tells its address"


def capacity(resources: Resources) -> int:
    """How many actors of these resources the cluster has room for. Raises RerankError: for none."""
    needed, found = _asked(resources), 0
    for node in import_module("ray").nodes():
        if node["Alive"]:
            found += min(int(node["Resources"].get(name, 0) // count) for name, count in needed.items())
    if not found:
        raise RerankError(_too_much(needed))
    return found


def _too_much(needed: Mapping[str, float]) -> str:
    listed = ", ".join(f"{count:g} {name.lower()}" for name, count in needed.items())
    return f"it asks for {listed}, and no node of the Ray cluster has that; change its 'resources', or add a node"


def _asked(resources: Resources) -> dict[str, float]:
    memory = 0 if resources.memory is None else resources.memory * GB
    return {n: c for n, c in {"CPU": resources.cpus, "GPU": resources.gpus, "memory": memory}.items() if c}
