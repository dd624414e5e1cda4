"""A rerank API on loopback, in each of the five shapes, that answers as its script says, and rightly after it."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

from rr_http.shapes import ShapeName

KEY = "sk-Very_Secret/0123456789.abcdef"
SERVED = {"model_id": "some/reranker", "model_sha": "abc123", "version": "1.8.0", "max_client_batch_size": 32}
PATHS: dict[ShapeName, str] = {
    "cohere-v1": "/v1/rerank",
    "cohere-v2": "/v2/rerank",
    "jina": "/v1/rerank",
    "voyage": "/v1/rerank",
    "tei": "/rerank",
}
TOKENS = {"cohere-v1": None, "cohere-v2": None, "jina": 7.0, "voyage": 7.0, "tei": 7.0}
"""What each of them tells of an answer; Cohere counts calls."""


def score(query: str, text: str) -> float:
    """Of one document, whatever else is asked about: from 0 to 1."""
    shared = len(set(query.lower().split()) & set(text.lower().split()))
    return min(shared / 10 + crc32(f"{query}\n{text}".encode()) / 2**32 / 20, 1.0)


def right(shape: ShapeName, body: Mapping[str, Any]) -> Any:
    """The answer of an API of that shape, best first as they all give it."""
    texts = body["texts" if shape == "tei" else "documents"]
    scores = [score(body["query"], text) for text in texts]
    if body.get("raw_scores"):
        scores = [10 * one - 5 for one in scores]
    name = "score" if shape == "tei" else "relevance_score"
    rows = [{"index": place, name: scores[place]} for place in sorted(range(len(texts)), key=lambda at: -scores[at])]
    if shape == "tei":
        return rows
    if shape == "voyage":
        return {"object": "list", "data": rows, "model": body["model"], "usage": {"total_tokens": 7}}
    if shape == "jina":
        return {"model": body["model"], "results": rows, "usage": {"total_tokens": 7}}
    version = {"version": shape[-1]}
    return {"id": "x", "results": rows, "meta": {"api_version": version, "billed_units": {"search_units": 1}}}


class Handler(BaseHTTPRequestHandler):
    """One request. Scripts are called with it, and with the body of the request."""

    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self) -> None:
        self.server.gets.append(self.path)
        self.give(200, SERVED)

    def do_POST(self) -> None:
        api = self.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with api.lock:
            api.seen.append(body)
            api.headers.append(dict(self.headers))
            api.paths.append(self.path)
            step = api.script.popleft() if api.script else api.always
            api.busy += 1
            api.busiest = max(api.busiest, api.busy)
        try:
            time.sleep(api.seconds)
            step(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with api.lock:
                api.busy -= 1

    def give(self, status: int, content: Any, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


Step = Callable[[Handler, Mapping[str, Any]], None]


class Api(ThreadingHTTPServer):
    """`script`: what is done with the next requests, `always`: with those after it. `seconds`: how long it thinks."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, shape: ShapeName) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.shape = shape
        self.lock = threading.Lock()
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.gets: list[str] = []
        self.script: deque[Step] = deque()
        self.always: Step = answer
        self.seconds = 0.0
        self.busy = self.busiest = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def settings(self, **others: Any) -> dict[str, Any]:
        named = {} if self.shape == "tei" else {"model": "rerank-1"}
        return {"shape": self.shape, "url": self.url, "longest_wait": 0.02, "timeout": 10.0, **named, **others}


@contextmanager
def serving(shape: ShapeName) -> Iterator[Api]:
    with Api(shape) as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()


# --- steps of a script


def answer(handler: Handler, body: Mapping[str, Any]) -> None:
    shape = handler.server.shape
    handler.give(200, right(shape, body), **({"x_compute_tokens": "7"} if shape == "tei" else {}))


def status(number: int, content: Any = None, **headers: str) -> Step:
    return lambda handler, body: handler.give(number, {"message": "no"} if content is None else content, **headers)


def content(data: bytes, kind: str = "application/json") -> Step:
    return lambda handler, body: handler.give(200, data, Content_Type=kind)


def changed(change: Callable[[list[dict[str, Any]]], Sequence[Any]]) -> Step:
    """The right answer with other results."""

    def step(handler: Handler, body: Mapping[str, Any]) -> None:
        found = right(handler.server.shape, body)
        if isinstance(found, list):
            found = change(found)
        else:
            name = "data" if "data" in found else "results"
            found[name] = change(found[name])
        handler.give(200, found)

    return step


def closes(handler: Handler, body: Mapping[str, Any]) -> None:
    """Says nothing."""
    handler.close_connection = True


def resets(handler: Handler, body: Mapping[str, Any]) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    raise ConnectionResetError


def half(handler: Handler, body: Mapping[str, Any]) -> None:
    """Half of the bytes, and no more."""
    data = json.dumps(right(handler.server.shape, body)).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def slow(seconds: float) -> Step:
    def step(handler: Handler, body: Mapping[str, Any]) -> None:
        time.sleep(seconds)
        answer(handler, body)

    return step


def trickles(handler: Handler, body: Mapping[str, Any]) -> None:
    """A byte at a time, without end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.close_connection = True
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)
