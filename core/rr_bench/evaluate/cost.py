"""What a query costs: measured apart from the scoring, so that no row profits from what another has computed.

Every row alike: the model is loaded anew, nothing is kept (`rr.files.kept`), and the same seeded sample of the test
requests is asked one at a time, after one warm-up with another query. A cost is stored beside the scores, under the
same key, with what it was timed on; it is measured again only where it is missing. That of an entry which is made of
others is the sum of theirs, of each on what it is asked.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TypeVar

import numpy as np

from rr.files import fingerprint, home
from rr.protocols import Reranker
from rr.types import Request
from rr_bench.environment import Conditions, conditions, gpu_bytes, merged
from rr_bench.evaluate.company import same_in_company
from rr_bench.evaluate.memory import peak_memory
from rr_bench.evaluate.pairs import Answer
from rr_bench.keeping import nothing_kept, read_checked, write_checked

T = TypeVar("T")
QUERIES, SECONDS, AT_LEAST = 200, 2.0, 3
"""How many queries are timed: so many, fewer once they have taken so many seconds, but at least so many."""
SEED = 13
FORMAT = 2
"""Of what is stored: a cost of another one is not looked for."""


@dataclass(frozen=True)
class Cost:
    """Over `queries` queries, each asked alone: medians, and the 95th percentile of the time. `memory`,
    `device_memory`: the most bytes that loading and asking took besides what was there, in the process and on the
    accelerator; None where the system does not tell. `timed_on`: `rr_bench.environment.Conditions`."""

    ms_per_query: float
    ms_p95: float
    pairs_per_second: float
    queries: int
    memory: int | None
    device_memory: int
    timed_on: Conditions


@dataclass(frozen=True)
class Spent:
    """What a member costs. `model`: what members have in common that are one model in memory; `share`: the part of the
    candidates that it is asked about."""

    cost: Cost
    model: str = ""
    share: float = 1.0


def summed(members: Sequence[Spent]) -> Cost:
    """What they cost together: times are added (the sum of 95th percentiles is that of the whole where the members
    are slow on the same queries, and mostly more than it), memory is that of all models, each once."""
    costs = [one.cost for one in members]
    if len(costs) == 1:
        return costs[0]
    models: dict[str, list[Cost]] = {}
    for one in members:
        models.setdefault(one.model, []).append(one.cost)
    known = [one.memory for one in costs if one.memory is not None]
    seconds_a_pair = sum(one.share / one.cost.pairs_per_second for one in members if one.cost.pairs_per_second)
    return Cost(
        ms_per_query=sum(one.ms_per_query for one in costs),
        ms_p95=sum(one.ms_p95 for one in costs),
        pairs_per_second=1 / seconds_a_pair if seconds_a_pair else 0.0,
        queries=min(one.queries for one in costs),
        memory=sum(max(c.memory or 0 for c in of) for of in models.values()) if len(known) == len(costs) else None,
        device_memory=sum(max(c.device_memory for c in of) for of in models.values()),
        timed_on=merged([one.timed_on for one in costs]),
    )


def stored_cost(
    reranker: Callable[[], Reranker], key: object, requests: Sequence[Request], answers: Mapping[str, Answer]
) -> Cost:
    """The cost under the key of the scores; measured now by a newly loaded `reranker()` if it is not on disk.

    Raises:
        ScoringError: a query that is asked alone is answered otherwise than in `answers`.
    """
    named = fingerprint({"format": FORMAT, "key": key})
    path = home() / "costs" / f"{named[:32]}.json"
    stored = read_checked(path, f"cost of {named}")
    if stored is not None:
        return Cost(**stored)
    found = measured(reranker, requests, answers)
    write_checked(path, f"cost of {named}", asdict(found))
    return found


def measured(reranker: Callable[[], Reranker], requests: Sequence[Request], answers: Mapping[str, Answer]) -> Cost:
    """As `stored_cost`, without the disk."""
    warm_up, asked = sample(requests)
    seconds: list[float] = []
    # which collects garbage: what others have left would else be cleared away while the clock runs
    with conditions() as timed_on, peak_memory() as memory, nothing_kept():
        on_device = gpu_bytes()
        loaded = reranker()
        loaded.rerank([warm_up])  # the first call of a model allocates and compiles: not the price of a query
        for request in asked:
            with nothing_kept():  # nor from the queries before it
                started = time.perf_counter()
                (ranking,) = loaded.rerank([request])
                seconds.append(time.perf_counter() - started)
            others = answers[request.query.id]
            same_in_company(request, ranking.run, others.scores, loaded.info, tuple(others.diagnostics))
            if sum(seconds) > SECONDS and len(seconds) >= AT_LEAST:
                break
        found, taken, on_device = timed_on(), memory(), gpu_bytes() - on_device
    rates = [len(request.candidates) / spent for request, spent in zip(asked, seconds, strict=False)]
    return Cost(
        ms_per_query=1000 * median(seconds),
        ms_p95=1000 * float(np.percentile(seconds, 95)),
        pairs_per_second=median(rates),
        queries=len(seconds),
        memory=taken,
        device_memory=max(on_device, 0),
        timed_on=found,
    )


def sample(requests: Sequence[Request]) -> tuple[Request, list[Request]]:
    """The query to warm up with and those to be timed; they differ where there are two queries or more. Queries
    without candidates cost nothing, and are left out unless there are no others."""
    return drawn([request for request in requests if request.candidates] or requests)


def drawn(items: Sequence[T]) -> tuple[T, list[T]]:
    """One to warm up with, and those to be timed."""
    first, *others = random.Random(SEED).sample(items, min(len(items), QUERIES + 1))
    return first, others or [first]
