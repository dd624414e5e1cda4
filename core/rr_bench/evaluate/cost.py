"""What a query costs: measured apart from the scoring, so that no row profits from what another has computed.

Every row alike: the model is loaded anew, nothing is kept (`rr.files.kept`), and the same seeded sample of the test
requests is asked one at a time, after one warm-up with another query. A cost is stored beside the scores, under the
same key, with what it was timed on; it is measured again only where it is missing.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from rr.files import fingerprint, home
from rr.protocols import Reranker
from rr.types import Request
from rr_bench.environment import Conditions, conditions
from rr_bench.evaluate.company import same_in_company
from rr_bench.evaluate.store import Answer
from rr_bench.keeping import nothing_kept, read_checked, write_checked

QUERIES, SECONDS, AT_LEAST = 20, 2.0, 3
"""How many queries are timed: so many, fewer once they have taken so many seconds, but at least so many."""
SEED = 13


@dataclass(frozen=True)
class Cost:
    """Medians over `queries` queries, each asked alone. `timed_on`: `rr_bench.environment.Conditions`."""

    ms_per_query: float
    pairs_per_second: float
    queries: int
    timed_on: Conditions


def stored_cost(
    reranker: Callable[[], Reranker], key: object, requests: Sequence[Request], answers: Mapping[str, Answer]
) -> Cost:
    """The cost under the key of the scores; measured now by a newly loaded `reranker()` if it is not on disk.

    Raises:
        ScoringError: a query that is asked alone is answered otherwise than in `answers`.
    """
    named = fingerprint(key)
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
    gc.collect()  # what others have left would else be cleared away while the clock runs
    seconds: list[float] = []
    with conditions() as timed_on, nothing_kept():
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
        found = timed_on()
    rates = [len(request.candidates) / spent for request, spent in zip(asked, seconds, strict=False)]
    return Cost(1000 * median(seconds), median(rates), len(seconds), found)


def sample(requests: Sequence[Request]) -> tuple[Request, list[Request]]:
    """The query to warm up with and those to be timed; they differ where there are two queries or more. Queries
    without candidates cost nothing, and are left out unless there are no others."""
    able = [request for request in requests if request.candidates] or list(requests)
    first, *others = random.Random(SEED).sample(able, min(len(able), QUERIES + 1))
    return first, others or [first]
