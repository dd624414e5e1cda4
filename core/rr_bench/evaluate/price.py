"""What a thousand queries cost in dollars, by what the registry says of the price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rr.types import Request
from rr_bench.schema import Price

BYTES_A_TOKEN = 4
"""Of UTF-8: the rule of thumb for English; other scripts take more bytes, and not always more tokens."""
QUERIES = 1_000


def dollars(price: Price, ms_per_query: float, tokens: float, calls: float = 1.0) -> float:
    """A thousand queries, one after the other: the hours that they take; or their tokens, `tokens` a query; or their
    calls, `calls` a query."""
    if price.per_hour is not None:
        return price.per_hour * ms_per_query * QUERIES / 3_600_000
    if price.per_token is not None:
        return price.per_token * tokens * QUERIES / 1_000_000
    return float(price.per_call or 0.0) * calls * QUERIES


def told_calls(diagnostics: Mapping[str, float]) -> float:
    """How many calls a query takes, as its reranker tells: those that are charged for, else those that were sent."""
    return diagnostics.get("billed_calls", diagnostics.get("requests", 1.0))


def estimated_tokens(requests: Sequence[Request], listwise: bool) -> float:
    """The mean over the requests: the query once for each candidate, or once where the list is looked at as a whole."""
    total = 0.0
    for request in requests:
        asked = 1 if listwise else len(request.candidates)
        read = sum(len(document.content.encode()) for document in request.candidates)
        total += (asked * len(request.query.text.encode()) + read) / BYTES_A_TOKEN
    return total / len(requests) if requests else 0.0
