"""Tasks done by processes of this machine. Each is asked through a socket; one that dies is replaced."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from rr_bench.engine.engine import best
from rr_bench.engine.task import Outcome, Task
from rr_bench.environment import cores


class Worker:
    """A process that does one task at a time (`rr_bench.engine.worker`), in a session of its own: Ctrl-C at the
    terminal does not reach it, and all that it starts is ended with it."""

    def __init__(self, where: Mapping[str, Any], threads: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rr_bench.engine.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
                env={
                    "OMP_NUM_THREADS": str(threads),
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                },
            )
        self.connection = Connection(ours.detach())
        self.task: Task | None = None
        self.group = ""
        self._send(where)

    def ask(self, task: Task) -> None:
        self.task, self.group = task, task.group
        self._send(task.plain())

    def outcome(self) -> Outcome:
        """Of the task that it was asked."""
        try:
            return Outcome(**json.loads(self.connection.recv_bytes()))
        except (EOFError, OSError):
            return Outcome("lost", reason=_died(self.process.wait()))

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()

    def _send(self, content: object) -> None:
        with suppress(OSError):  # it is dead, which its outcome says
            self.connection.send_bytes(json.dumps(content).encode())


class Processes:
    """So many processes, made when they are needed."""

    def __init__(self, count: int, where: Mapping[str, Any]) -> None:
        self._count, self._where = count, where
        # of the machine's cores to each: more threads than cores hold one another up
        self._threads = max(1, cores() // count)
        self._workers: list[Worker] = []

    def begin(self, waiting: list[Task]) -> None:
        while waiting:
            free = [worker for worker in self._workers if worker.task is None]
            if not free and len(self._workers) == self._count:
                return
            if not free:
                self._workers.append(Worker(self._where, self._threads))
                continue
            known = {task.group for task in waiting}
            worker = next((one for one in free if one.group in known), free[0])
            task = best(waiting, worker.group, (one.group for one in self._workers if one.task is not None))
            waiting.remove(task)
            worker.ask(task)

    def ended(self) -> list[tuple[Task, Outcome]]:
        asked = {worker.connection: worker for worker in self._workers if worker.task is not None}
        found = []
        for connection in wait(list(asked)) if asked else ():
            worker = asked[connection]  # type: ignore[index]
            task, outcome, worker.task = worker.task, worker.outcome(), None
            assert task is not None
            if outcome.state == "lost":
                worker.end()
                self._workers.remove(worker)
            found.append((task, outcome))
        return found

    def close(self) -> None:
        for worker in self._workers:
            worker.end()


@contextmanager
def processes(count: int, where: Mapping[str, Any]) -> Iterator[Processes]:
    """Whatever ends the block, the processes end with it; what they have finished stays."""
    found = Processes(count, where)
    try:
        yield found
    finally:
        found.close()


def _died(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
