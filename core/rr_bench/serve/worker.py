"""One thread a model: requests of all clients wait in one queue, and what waits is scored together."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from rr.errors import summary
from rr.types import Request
from rr_bench.serve.limits import Limits
from rr_bench.serve.metrics import Metrics
from rr_bench.serve.model import Answer, Model
from rr_bench.serve.refusals import Refusal


@dataclass(slots=True)
class Waiting:
    """A request, and where its answer is awaited."""

    request: Request
    future: asyncio.Future[Answer]
    loop: asyncio.AbstractEventLoop
    since: float = field(default_factory=time.perf_counter)

    @property
    def documents(self) -> int:
        return len(self.request.candidates)


class Worker:
    """Asks `model`, which may be replaced by another between two batches. A batch is what waits when the model is
    free: nobody waits for company. It never changes an answer but for the rounding that company has
    (`ModelInfo.precision`), and a request that breaks a batch breaks its own answer alone."""

    def __init__(self, model: Model, limits: Limits, metrics: Metrics) -> None:
        self.model = model
        self.name = model.name
        self._limits, self._metrics = limits, metrics
        self._queue: deque[Waiting] = deque()
        self._some = threading.Condition()
        self._closed = False
        self._pace = 0.0  # seconds a document took in the last batch
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._work,), name=f"rr-serve {self.name}", daemon=True
        )
        self._thread.start()

    def ask(self, request: Request) -> asyncio.Future[Answer]:
        """Awaited by the caller, who may cancel it: then it is not scored, unless it is being scored.

        Raises:
            Refusal: the queue is full.
        """
        loop = asyncio.get_running_loop()
        waiting = Waiting(request, loop.create_future(), loop)
        with self._some:
            if len(self._queue) >= self._limits.queue:
                after = max(1, math.ceil(self._pace * sum(one.documents for one in self._queue)))
                line = f"{len(self._queue)} requests wait for {self.name!r} already; repeat it in {after} s"
                raise Refusal(429, line, {"Retry-After": str(after)})
            self._queue.append(waiting)
            self._metrics.queue.labels(self.name).set(len(self._queue))
            self._some.notify()
        return waiting.future

    def close(self) -> None:
        """Ends the thread, once the queue is empty."""
        with self._some:
            self._closed = True
            self._some.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._next():
            model = self.model
            started = time.perf_counter()
            for one in batch:
                self._metrics.waited.labels(self.name).observe(started - one.since)
            answers = self._answers(model, batch)
            taken, pairs = time.perf_counter() - started, sum(one.documents for one in batch)
            self._pace = taken / max(pairs, 1)
            self._metrics.computed.labels(self.name).observe(taken)
            self._metrics.batch.labels(self.name).observe(len(batch))
            self._metrics.pairs.labels(self.name).observe(pairs)
            self._metrics.documents.labels(self.name).inc(pairs)
            self._metrics.tokens.labels(self.name).inc(sum(a.tokens for a in answers if isinstance(a, Answer)))
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                batch[0].loop.call_soon_threadsafe(_deliver, batch, answers)

    def _next(self) -> list[Waiting]:
        """The requests that are due; waits for the first, and takes those whose clients still wait. Empty once it is
        closed."""
        batch: list[Waiting] = []
        with self._some:
            while not batch:
                while not self._queue and not self._closed:
                    self._some.wait()
                if not self._queue:
                    return []
                documents = 0
                while self._queue and (not batch or documents + self._queue[0].documents <= self._limits.batch):
                    one = self._queue.popleft()
                    if not one.future.cancelled():
                        batch.append(one)
                        documents += one.documents
            self._metrics.queue.labels(self.name).set(len(self._queue))
        return batch

    def _answers(self, model: Model, batch: Sequence[Waiting]) -> list[Answer | BaseException]:
        """One each: an answer, or why there is none. Where the batch breaks, each of it is asked alone."""
        requests = [one.request for one in batch]
        try:
            rankings = model.rankings(requests)
        except BaseException as error:  # noqa: BLE001 - it is the answer; the thread must not end
            if len(batch) > 1:
                return [answer for one in batch for answer in self._answers(model, [one])]
            return [self._failed(error)]
        found: list[Answer | BaseException] = []
        for request, ranking in zip(requests, rankings, strict=True):
            try:
                found.append(model.answer(request, ranking))
            except Exception as error:  # noqa: BLE001
                found.append(self._failed(error))
        return found

    def _failed(self, error: BaseException) -> BaseException:
        self._metrics.errors.labels(self.name, type(error).__name__).inc()
        # StopIteration cannot be raised by a future, and nothing of a plugin's may end the server
        return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else _Broken(error)


class _Broken(Exception):  # noqa: N818
    def __init__(self, error: BaseException) -> None:
        super().__init__(summary(error))


def _deliver(batch: Sequence[Waiting], answers: Sequence[Answer | BaseException]) -> None:
    for one, answer in zip(batch, answers, strict=True):
        if one.future.done():  # the client is gone
            continue
        if isinstance(answer, Answer):
            one.future.set_result(answer)
        else:
            one.future.set_exception(answer)
