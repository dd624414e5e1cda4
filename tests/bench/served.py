"""A server on loopback in this process, and scorers that do what a test says."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from rr.protocols import ModelInfo, Settings
from rr.registry.plugins import Plugins, Registered, installed_plugins
from rr.spec import Component
from rr.types import Request
from rr_bench.api import load
from rr_bench.serve.keys import Keys
from rr_bench.serve.limits import DEFAULTS, Limits
from rr_bench.serve.server import Server, bind

QUICK: dict[str, Any] = {"timeout": 30, "trust_env": False, "verify": False}
"""Without certificates, whose reading takes longer than an answer."""
LOADED: list[int] = []
"""The version of each model of `Reloaded` that was loaded."""
VERSION = [1]
"""What `Reloaded` loads next; 0: it cannot be loaded."""


class Words:
    """Twice the words that query and document share, less 3."""

    info = ModelInfo("logit")

    def __init__(self, settings: Settings, checkpoint: Path | None) -> None:
        pass

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [
            [2.0 * len({*request.query.text.split()} & {*document.text.split()}) - 3 for document in request.candidates]
            for request in requests
        ]


class Probable(Words):
    info = ModelInfo("probability")

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[(score + 3) / 10 for score in scores] for scores in super().score(requests)]


class Cosine(Probable):
    info = ModelInfo("cosine")


class Huge(Words):
    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[-800.0 * place for place, _ in enumerate(request.candidates)] for request in requests]


class Windowed(Words):
    info = ModelInfo("logit", listwise=True, max_candidates=4)


class Breaks(Words):
    """At a document that says so, however many requests come together; and answers NaN to another."""

    info = ModelInfo("logit", state="pretrained")

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        if any(document.text == "break" for request in requests for document in request.candidates):
            raise SystemExit("/secret/place broke")
        if any(document.text == "nan" for request in requests for document in request.candidates):
            return [[float("nan")] * len(request.candidates) for request in requests]
        return super().score(requests)


class Held(Words):
    """Scores nothing but what the server warms up with until `free` is set; `batches`: the requests of each call."""

    free = threading.Event()
    busy = threading.Event()
    batches: list[list[str]] = []  # noqa: RUF012 - a record, cleared by who reads it

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        if requests[0].query.text != "is it warm?":
            Held.batches.append([request.query.text for request in requests])
            Held.busy.set()
            assert Held.free.wait(30)
        return super().score(requests)


class Cuts(Words):
    """Says that it has cut half of the documents, and read seven tokens."""

    def score(self, requests: Sequence[Request]) -> Any:
        from rr.types import Scores

        return [Scores(tuple(one), {"truncated": 0.5, "tokens": 7.0}) for one in super().score(requests)]


class ReloadedSettings(Settings):
    def version(self) -> str:
        return str(VERSION[0])


class Reloaded(Words):
    """Scores everything by the version that was on the shelf when it was loaded."""

    Settings = ReloadedSettings

    def __init__(self, settings: Settings, checkpoint: Path | None) -> None:
        if not VERSION[0]:
            raise ValueError("half a file")
        self._version = VERSION[0]
        LOADED.append(self._version)

    def score(self, requests: Sequence[Request]) -> list[list[float]]:
        return [[float(self._version)] * len(request.candidates) for request in requests]


SCORERS = {one.__name__.lower(): one for one in (Words, Probable, Cosine, Huge, Windowed, Breaks, Held, Cuts, Reloaded)}
REGISTRY = """
version: 1
default_profile: p
profiles: {p: {suite: s}}
suites: {s: {datasets: {}}}
rerankers:
  bm25: {scorer: bm25}
  first-stage: {reranker: first_stage}
""" + "".join(f"  {name}: {{scorer: {name}}}\n" for name in SCORERS)
PLUGINS = Plugins(
    [
        *installed_plugins().components,
        *(
            Registered(
                Component(name, f"{__name__}:{one.__name__}", "", settings=f"{__name__}:ReloadedSettings")
                if one is Reloaded
                else Component(name, f"{__name__}:{one.__name__}", ""),
                "scorer",
                "toy",
                "toy",
                "1",
            )
            for name, one in SCORERS.items()
        ),
    ]
)


@contextmanager
def running(
    folder: Path, *names: str, limits: Limits = DEFAULTS, keys: Sequence[str] = (), registry: str = REGISTRY
) -> Iterator[Server]:
    path = folder / "served.yaml"
    path.write_text(registry, encoding="utf-8")
    loads = {name: functools.partial(load, name, registry=path, plugins=PLUGINS) for name in names}
    with bind("127.0.0.1", 0) as bound:
        server = Server(loads, bound, limits, Keys(keys))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            Held.free.set()
            server.drain()
            thread.join(30)
            assert not thread.is_alive()


def ask(server: Server, body: Any, path: str = "/v1/rerank", **options: Any) -> httpx.Response:
    return httpx.post(server.url + path, json=body, **{**QUICK, **options})


def get(server: Server, path: str, **options: Any) -> httpx.Response:
    return httpx.get(server.url + path, **{**QUICK, **options})


def scores(response: httpx.Response) -> dict[int, float]:
    """Index → relevance, best first."""
    assert response.status_code == 200, response.text
    return {row["index"]: row["relevance_score"] for row in response.json()["results"]}
