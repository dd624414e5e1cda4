"""What every request passes before it is read: who asks, how much, and whether the server is about to end; and what is
said of it after it: a line in the log, figures for Prometheus."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rr_bench.serve.keys import Keys
from rr_bench.serve.limits import Limits
from rr_bench.serve.logs import log
from rr_bench.serve.metrics import Metrics
from rr_bench.serve.refusals import Refusal

OPEN = ("/health", "/ready")
"""Asked by whoever keeps the server alive: without a key, and while it drains."""
SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""A request id that is taken over from the client."""
GONE = 499
"""Where the client did not wait for its answer."""


class Gate:
    """The application behind it sees `scope["state"]`: `id`, and a dict `told` for what the log says besides."""

    def __init__(self, app: ASGIApp, keys: Keys, limits: Limits, metrics: Metrics) -> None:
        self._app, self._keys, self._limits, self._metrics = app, keys, limits, metrics
        self.draining = False
        """Once true, nothing new is taken on."""
        self.under_way = 0
        """Requests that are not answered yet."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        passing = _Passing(scope, receive, send, self)
        self.under_way += 1
        try:
            self._check(scope["path"], passing)
            await self._app(scope, passing.receive, passing.send)
        except Refusal as refused:
            await passing.refuse(refused)
        except Exception as error:  # noqa: BLE001 - a fault of ours: the server goes on
            log("fault", logging.ERROR, error, id=passing.id)
            if not passing.status:
                line = f"a fault of the server, which its log has under request id {passing.id}"
                await passing.refuse(Refusal(500, line))
        finally:
            self.under_way -= 1
            self._tell(scope, passing)
        return None

    def _check(self, path: str, passing: _Passing) -> None:
        """
        Raises:
            Refusal: the server drains, no key is shown, or the body is too large.
        """
        if path in OPEN:
            return
        if self.draining:
            raise Refusal(503, "the server is about to end; ask another, or again later", {"Retry-After": "1"})
        if self._keys and not self._keys.let_in(passing.headers.get("authorization", "")):
            line = "show a key that this server knows: Authorization: Bearer KEY"
            raise Refusal(401, line, {"WWW-Authenticate": "Bearer"})
        length = passing.headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > self._limits.bytes:
            raise self.too_large()

    def too_large(self) -> Refusal:
        return Refusal(413, f"the body has more than {self._limits.bytes:,} bytes, which is what is taken; split it")

    def receives(self, message: Message, so_far: int) -> int:
        """How many bytes of a body have come.

        Raises:
            HTTPException: too many.
        """
        so_far += len(message.get("body", b""))
        if so_far > self._limits.bytes:
            raise HTTPException(413, self.too_large().line)
        return so_far

    def _tell(self, scope: Scope, passing: _Passing) -> None:
        route = getattr(scope.get("route"), "path", "other")
        status, taken = passing.status or GONE, time.perf_counter() - passing.started
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(taken)
        level = logging.DEBUG if route in (*OPEN, "/metrics") else logging.INFO
        told = {"id": passing.id, "method": scope["method"], "route": route, "status": status}
        log("request", level, seconds=round(taken, 6), **told, **passing.told)


class _Passing:
    """One request on its way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, gate: Gate) -> None:
        self.started = time.perf_counter()
        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.id = given if SANE.fullmatch(given) else uuid.uuid4().hex
        self.status = 0
        self.told: dict[str, Any] = {}
        self._receive, self._send, self._gate, self._bytes = receive, send, gate, 0
        scope.setdefault("state", {}).update(id=self.id, told=self.told)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._bytes = self._gate.receives(message, self._bytes)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), (b"x-request-id", self.id.encode())]
            if self._gate.draining:  # so that the client asks another server next time
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await self._send(message)

    async def refuse(self, refused: Refusal) -> None:
        body = json.dumps({"message": refused.line}).encode()
        fixed = {"content-type": "application/json", "content-length": str(len(body))}
        headers = [(name.lower().encode(), text.encode()) for name, text in {**fixed, **refused.headers}.items()]
        await self.send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
