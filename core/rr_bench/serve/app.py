"""The routes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from rr.errors import DataError, NotApplicableError, RerankError
from rr.types import Request as Asked
from rr_bench.serve.gate import GONE, Gate
from rr_bench.serve.keys import Keys
from rr_bench.serve.limits import Limits
from rr_bench.serve.logs import log
from rr_bench.serve.metrics import Metrics
from rr_bench.serve.model import Answer
from rr_bench.serve.refusals import Refusal
from rr_bench.serve.shapes import (
    Message,
    RerankAnswer,
    RerankBody,
    TeiBody,
    TeiResult,
    first_wrong,
    reranked,
    tei_ranked,
)
from rr_bench.serve.worker import Worker

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is no JSON"},
    401: {"description": "No key is shown that is known"},
    404: {"description": "No model is called so"},
    413: {"description": "More documents, bytes or tokens than are taken"},
    415: {"description": "The body is not said to be JSON"},
    422: {"description": "A field is wrong or missing"},
    429: {"description": "Too many requests wait; Retry-After says when to come again"},
    500: {"description": "The model could not answer"},
    503: {"description": "The server is about to end"},
}
"""Every one of them holds a `Message`."""


def application(workers: Mapping[str, Worker], limits: Limits, keys: Keys, metrics: Metrics) -> Gate:
    """`workers`: by the names that clients use; the first is the default."""
    app = FastAPI(
        title="Rerank Registry",
        version=version("rerank-registry"),
        description="Rerankers behind the rerank APIs of Cohere (v1, v2), Jina and text-embeddings-inference.",
        docs_url=None,  # whose page loads its scripts from elsewhere
        redoc_url=None,
        responses={status: {"model": Message, **told} for status, told in ERRORS.items()},
    )
    gate = Gate(app, keys, limits, metrics)
    _routes(app, gate, _Asking(workers, limits), metrics)
    _told_as_lines(app)
    return gate


class _Asking:
    """What the rerank routes have in common."""

    def __init__(self, workers: Mapping[str, Worker], limits: Limits) -> None:
        self.workers, self.limits = workers, limits

    async def answer(self, request: Request, name: str | None, count: int, asked: Any) -> tuple[str, Answer]:
        """The name of the model, and its answer. `asked`: gives the request.

        Raises:
            Refusal: there is no answer.
        """
        worker = self._worker(name)
        request.state.told.update(model=worker.name, documents=count)
        if count > self.limits.documents:
            raise Refusal(413, f"{count:,} documents, and this server takes {self.limits.documents:,}; send fewer")
        found = self._checked(asked, worker)
        try:
            return worker.name, await _unless_gone(request, worker.ask(found))
        except (NotApplicableError, DataError) as error:
            raise Refusal(422, str(error)) from error
        except Refusal:
            raise
        except Exception as error:
            log("no answer", logging.ERROR, error, id=request.state.id, model=worker.name)
            line = f"{worker.name!r} could not answer; the server's log says why under request id {request.state.id}"
            raise Refusal(500, line) from error

    def _worker(self, name: str | None) -> Worker:
        if not name:
            return next(iter(self.workers.values()))
        if name not in self.workers:
            raise Refusal(404, f"no model {name[:80]!a} is served here; there are {', '.join(self.workers)}")
        return self.workers[name]

    def _checked(self, asked: Any, worker: Worker) -> Asked:
        try:
            found: Asked = asked()
        except RerankError as error:
            raise Refusal(422, str(error)) from error
        count = worker.model.tokens(found)
        if count > self.limits.tokens:
            many = f"about {count:,} tokens (4 bytes of UTF-8 each), and this server takes {self.limits.tokens:,}"
            raise Refusal(413, f"{many}; send fewer or shorter documents")
        return found


async def _unless_gone(request: Request, future: asyncio.Future[Answer]) -> Answer:
    """The answer; what waits for a client that is gone is not computed."""
    gone: asyncio.Future[Any] = asyncio.ensure_future(
        request.receive()
    )  # the body is read: what comes next is that the client went
    try:
        await asyncio.wait([future, gone], return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise Refusal(GONE, "the client is gone")
        return future.result()
    finally:
        future.cancel()
        gone.cancel()


def _routes(app: FastAPI, gate: Gate, asking: _Asking, metrics: Metrics) -> None:
    async def cohere(body: RerankBody, request: Request, version: str) -> Response:
        name, answer = await asking.answer(request, body.model, len(body.documents), body.request)
        return _json(reranked(body, answer, name, version), {"X-Score-Scale": answer.scale})

    @app.post("/v1/rerank", summary="Cohere v1, and Jina", response_model=RerankAnswer)
    async def rerank_v1(body: RerankBody, request: Request) -> Response:
        return await cohere(body, request, "1")

    @app.post("/v2/rerank", summary="Cohere v2", response_model=RerankAnswer)
    async def rerank_v2(body: RerankBody, request: Request) -> Response:
        return await cohere(body, request, "2")

    @app.post("/rerank", summary="text-embeddings-inference", response_model=list[TeiResult])
    async def rerank(body: TeiBody, request: Request) -> Response:
        _, answer = await asking.answer(request, body.model, len(body.texts), body.request)
        scale = answer.raw_scale if body.raw_scores else answer.scale
        headers = {"X-Score-Scale": scale, "X-Compute-Tokens": str(answer.tokens)}
        cut = [f"{answer.truncated:.0%} of the texts were cut"] if answer.truncated else []
        if warnings := [*body.unknown, *cut]:
            headers["X-Warnings"] = "; ".join(warnings)[:1000]
        return _json(tei_ranked(body, answer), headers)

    @app.get("/info", summary="What text-embeddings-inference tells of its model: of the default one")
    async def info() -> Response:
        model = next(iter(asking.workers.values())).model
        return _json(
            {
                "model_id": model.name,
                "model_sha": model.fingerprint,
                "model_dtype": model.info.precision,
                "model_type": {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}},
                "max_client_batch_size": asking.limits.documents,
                "version": app.version,
            }
        )

    @app.get("/v1/models", summary="What is served, and what its scores mean")
    async def models() -> Response:
        listed = [worker.model.described() for worker in asking.workers.values()]
        cohere = [{"name": one["id"], "endpoints": ["rerank"]} for one in listed]
        return _json({"object": "list", "data": listed, "models": cohere})

    @app.get("/health", summary="Whether the server lives")
    async def health() -> Response:
        return _json({"status": "ok"})

    @app.get("/ready", summary="Whether it takes requests: 503 once it is about to end")
    async def ready() -> Response:
        if gate.draining:
            raise Refusal(503, "the server is about to end")
        return _json({"status": "ready", "models": list(asking.workers)})

    @app.get("/metrics", summary="For Prometheus", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")


def _told_as_lines(app: FastAPI) -> None:
    """Every error is a line of JSON."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return _json({"message": error.line}, error.headers, error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            line = f"the body is no JSON: {first['ctx']['error']} at character {first['loc'][-1]}"
            return await refused(request, Refusal(400, line))
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            return await refused(request, Refusal(415, "say that the body is JSON: Content-Type: application/json"))
        return await refused(request, Refusal(422, first_wrong(error.errors())))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> Response:
        lines = {
            400: "the body cannot be read as JSON: mend its encoding, its numbers or its depth",
            404: f"nothing is at {request.url.path[:80]!a}; POST /v1/rerank, /v2/rerank or /rerank; see /openapi.json",
            405: f"{request.method} is not for {request.url.path[:80]!a}; see /openapi.json",
        }
        line = lines.get(error.status_code, str(error.detail))
        return await refused(request, Refusal(error.status_code, line, error.headers))


def _json(content: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """
    Raises:
        Refusal: what is to be given back of the client's own is nothing that JSON has.
    """
    try:
        body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:  # a document with NaN, or with half of a surrogate pair
        raise Refusal(422, "a document holds a number or a text that JSON cannot carry; mend it") from error
    return Response(body, status, headers, "application/json")
