"""The server itself: it listens, reloads on SIGHUP, and ends on SIGTERM once all is answered."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import FrameType

import uvicorn

from rr.errors import RerankError, summary
from rr_bench.serve.app import application
from rr_bench.serve.gate import Gate
from rr_bench.serve.keys import Keys
from rr_bench.serve.limits import Limits
from rr_bench.serve.logs import json_lines, log
from rr_bench.serve.metrics import Metrics
from rr_bench.serve.model import Load, Model
from rr_bench.serve.worker import ONE_AT_A_TIME, Worker

GRACE = 1.0
"""Seconds after SIGTERM in which whoever still asks is told that the server ends, so that no connection is cut under a
request that is on its way."""


def serve(
    loads: Mapping[str, Load], host: str, port: int, limits: Limits, keys: Keys, listening: Callable[[str], None]
) -> None:
    """Loads all, then listens, until SIGTERM or Ctrl-C. `port` 0: a free one. `listening` is told where.

    Raises:
        RerankError: one cannot be loaded, or the address cannot be listened at.
    """
    with _bound(host, port) as bound, json_lines():
        metrics = Metrics()
        models = {name: Model.of(load) for name, load in loads.items()}
        workers = {name: Worker(model, limits, metrics) for name, model in models.items()}
        gate = application(workers, limits, keys, metrics)
        bound.listen(2048)
        address = bound.getsockname()
        if not keys and not _loopback(host):
            log("whoever reaches this host can ask it: no keys are set", logging.WARNING)
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        listening(f"serving {', '.join(workers)} at http://{shown}:{address[1]}")
        Server(gate, workers, loads, metrics).run(sockets=[bound])
        for worker in workers.values():
            worker.close()
        log("ended")


def _bound(host: str, port: int) -> socket.socket:
    """Bound before anything is loaded, which takes long; it listens later."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RerankError(f"{host}:{port}: {reason}; choose another --host or --port") from error
    return found


def _loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


class Server(uvicorn.Server):
    """The first SIGTERM or Ctrl-C drains, a second one ends at once; SIGHUP reloads."""

    def __init__(self, gate: Gate, workers: Mapping[str, Worker], loads: Mapping[str, Load], metrics: Metrics) -> None:
        super().__init__(
            uvicorn.Config(
                gate, loop="asyncio", lifespan="off", ws="none", log_config=None, access_log=False, server_header=False
            )
        )
        self._gate, self._workers, self._loads, self._metrics = gate, workers, loads, metrics
        self._since = 0.0
        self._hung_up = False
        self._reloading: threading.Thread | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
            return super().run(sockets)
        before = signal.signal(signal.SIGHUP, self._hang_up)
        try:
            return super().run(sockets)
        finally:
            signal.signal(signal.SIGHUP, before)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._gate.draining:
            self.should_exit = self.force_exit = True
        self._since = time.monotonic()
        self._gate.draining = True

    def _hang_up(self, sig: int, frame: FrameType | None) -> None:
        self._hung_up = True

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._hung_up and (self._reloading is None or not self._reloading.is_alive()):
            self._hung_up = False
            self._reloading = threading.Thread(target=self._reload, name="rr-serve reload", daemon=True)
            self._reloading.start()
        if self._gate.draining and not self._gate.under_way and time.monotonic() - self._since >= GRACE:
            self.should_exit = True
        return await super().on_tick(counter)

    def _reload(self) -> None:
        """Each name for itself: what was served goes on until the new one is whole, or if it fails."""
        for name, worker in self._workers.items():
            try:
                # a load in half precision has the whole process compute in it meanwhile
                halves = any(one.model.info.precision != "float32" for one in self._workers.values())
                with ONE_AT_A_TIME if halves else nullcontext():
                    found = Model.of(self._loads[name])
            except Exception as error:  # noqa: BLE001 - it is told, and what was served stays
                told = str(error) if isinstance(error, RerankError) else summary(error)
                log("reload failed; the old one is kept", logging.ERROR, model=name, reason=told)
                self._metrics.reloads.labels(name, "failed").inc()
                continue
            same = found.fingerprint == worker.model.fingerprint and found.calibration == worker.model.calibration
            if not same:
                worker.model = found
            checkpoint = found.reranker.checkpoint
            told = "unchanged" if same else "replaced"
            where = checkpoint.folder.absolute().name if checkpoint is not None else None
            log("reloaded", model=name, outcome=told, checkpoint=where, fingerprint=found.fingerprint)
            self._metrics.reloads.labels(name, told).inc()
