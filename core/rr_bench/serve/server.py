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
from rr_bench.serve.keys import Keys
from rr_bench.serve.limits import Limits
from rr_bench.serve.logs import json_lines, log
from rr_bench.serve.metrics import Metrics
from rr_bench.serve.model import Load, Model
from rr_bench.serve.worker import Worker
from rr_bench.turns import WITH_WEIGHTS

GRACE = 1.0
"""Seconds after SIGTERM in which whoever still asks is told that the server ends, so that no connection is cut under a
request that is on its way."""
BACKLOG = 2048
"""Connections that wait to be taken on."""


def serve(
    loads: Mapping[str, Load], host: str, port: int, limits: Limits, keys: Keys, listening: Callable[[str], None]
) -> None:
    """Loads all, then listens, until SIGTERM or Ctrl-C. `port` 0: a free one. `listening` is told where.

    Raises:
        RerankError: one cannot be loaded, or the address cannot be listened at.
    """
    with bind(host, port) as bound, json_lines():
        server = Server(loads, bound, limits, keys, listening)
        if not keys and not _loopback(host):
            log("whoever reaches this host can ask it: no keys are set", logging.WARNING)
        server.run()
        log("ended")


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound before anything is loaded, which takes long, and listens later.

    Raises:
        RerankError: there is no such address here, or it is taken.
    """
    found: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except (OSError, UnicodeError) as error:
        if found is not None:
            found.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise RerankError(f"{host}:{port}: {reason}; choose another --host or --port") from error
    return found


def _loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"


class Server(uvicorn.Server):
    """The first SIGTERM or Ctrl-C drains, a second one ends at once; SIGHUP reloads. What is loaded is loaded when it
    is made; it listens from then on."""

    def __init__(
        self,
        loads: Mapping[str, Load],
        bound: socket.socket,
        limits: Limits,
        keys: Keys,
        listening: Callable[[str], None] = lambda line: None,
    ) -> None:
        """
        Raises:
            RerankError: one cannot be loaded.
        """
        models = {name: Model.of(load) for name, load in loads.items()}
        self._loads, self._metrics = loads, Metrics()
        self._workers = {name: Worker(model, limits, self._metrics) for name, model in models.items()}
        self._gate = application(self._workers, limits, keys, self._metrics)
        self._bound, self._since, self._hung_up = bound, 0.0, False
        self._listening = listening
        self._reloading: threading.Thread | None = None
        bound.listen(BACKLOG)
        super().__init__(
            uvicorn.Config(
                self._gate,
                loop="asyncio",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
            )
        )

    @property
    def url(self) -> str:
        host, port = self._bound.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Until it has drained."""
        signals = hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGHUP, lambda *_: self.hang_up()) if signals else None
        try:
            super().run(sockets or [self._bound])
        finally:
            if signals:
                signal.signal(signal.SIGHUP, before)
            for worker in self._workers.values():
                worker.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening(f"serving {', '.join(self._workers)} at {self.url}")  # and signals are obeyed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._gate.draining:
            self.should_exit = self.force_exit = True
        self.drain()

    def drain(self) -> None:
        """Takes nothing new on, and ends once all is answered."""
        self._since = time.monotonic()
        self._gate.draining = True

    def hang_up(self) -> None:
        """Reloads, soon."""
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
                with WITH_WEIGHTS if halves else nullcontext():
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
