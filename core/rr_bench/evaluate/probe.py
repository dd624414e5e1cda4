"""What a reranker's answers depend on besides the query and the texts: a few test queries are asked once more, with
their candidates in another order, and with half of them.

Kept beside the scores, under the same key.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import numpy as np

from rr.files import alone, fingerprint, home
from rr.protocols import ModelInfo, Reranker
from rr.types import Ranking, Request, trec_order
from rr_bench.calibrate.figures import sigmoid
from rr_bench.evaluate.company import WINDOWED, differing
from rr_bench.evaluate.pairs import Answer
from rr_bench.keeping import read_checked, write_checked
from rr_bench.parts import parts
from rr_bench.permute import kendall_tau

QUERIES, SEED = 20, 13
"""How many queries are asked at the most, and by which seed they and their orders are drawn."""


@dataclass(frozen=True)
class Probe:
    """Of `queries` test queries with two candidates or more. What rounding alone makes another answer is the same."""

    queries: int
    order_moved: float
    """Share that score some candidate otherwise in another order."""
    order_changed: float
    """Share that have another best candidate then."""
    order_tau: float
    """Mean Kendall τ-b between the two answers; 1 where they are the same."""
    fewer_moved: float | None
    """Share that score some candidate otherwise among half of them; None where that is no fault: of a listwise scorer,
    and of a reranker of its own."""
    scores: str
    """How its scores come of what candidates are ordered by: `same`, `sigmoid`, or `other`."""


NOT_ASKED = Probe(0, 0.0, 0.0, 1.0, None, "same")


def stored_probe(
    reranker: Callable[[], Reranker],
    key: object,
    requests: Sequence[Request],
    answers: Mapping[str, Answer],
    pointwise: bool,
) -> Probe:
    """The probe under the key of the scores; asked now if it is not on disk. `answers`: to all requests as they are.
    `pointwise`: whether it says that it looks at one candidate at a time.

    Raises:
        ScoringError: an answer that cannot be ranked.
    """
    named = fingerprint(key)
    path, told = home() / "probes" / f"{named[:32]}.json", f"probe of {named}, {pointwise}"
    with alone(path):  # another bench may be at it, and then the work is done when it is through
        stored = read_checked(path, told)
        if stored is not None:
            return Probe(**stored)
        able = [request for request in requests if len(request.candidates) > 1]
        asked = random.Random(SEED).sample(able, min(len(able), QUERIES))
        found = probed(reranker(), asked, answers, pointwise) if asked else NOT_ASKED
        write_checked(path, told, asdict(found))
        return found


def probed(reranker: Reranker, asked: Sequence[Request], answers: Mapping[str, Answer], pointwise: bool) -> Probe:
    """As `stored_probe`, without the disk, of these queries."""
    shuffled = [_of(request, _shuffled(request)) for request in asked]
    rankings = _in_parts(reranker, shuffled)
    info = reranker.info
    before = [answers[request.query.id] for request in asked]
    moved = [_moved(r, a, one, info) for r, a, one in zip(asked, before, rankings, strict=True)]
    best = [trec_order(a.scores)[0] != one.items[0].document.id for a, one in zip(before, rankings, strict=True)]
    taus = [
        _tau(request, answer, ranking) if differs else 1.0
        for request, answer, ranking, differs in zip(asked, before, rankings, moved, strict=True)
    ]
    fewer: float | None = None
    whole = [(r, a) for r, a in zip(asked, before, strict=True) if not any(map(a.diagnostics.get, WINDOWED))]
    if pointwise and whole:
        halves = [_of(request, _half(request)) for request, _ in whole]
        given = zip(halves, (answer for _, answer in whole), _in_parts(reranker, halves), strict=True)
        fewer = fmean(_moved(request, answer, ranking, info) for request, answer, ranking in given)
    return Probe(
        queries=len(asked),
        order_moved=fmean(moved),
        order_changed=fmean(other and differs for other, differs in zip(best, moved, strict=True)),
        order_tau=fmean(taus),
        fewer_moved=fewer,
        scores=_link(rankings),
    )


def _in_parts(reranker: Reranker, requests: Sequence[Request]) -> list[Ranking]:
    return [ranking for part in parts(requests) for ranking in reranker.rerank(part)]


def _of(request: Request, places: Sequence[int]) -> Request:
    """The request with these of its candidates, in this order."""
    first_stage = None if request.first_stage is None else tuple(request.first_stage[place] for place in places)
    return Request(request.query, tuple(request.candidates[place] for place in places), first_stage)


def _shuffled(request: Request) -> list[int]:
    """Another order than the one given."""
    places = list(range(len(request.candidates)))
    generator = random.Random(f"{SEED} {request.query.id}")
    while (order := generator.sample(places, len(places))) == places:
        pass
    return order


def _half(request: Request) -> list[int]:
    count = len(request.candidates)
    return sorted(random.Random(f"{SEED} {request.query.id} half").sample(range(count), (count + 1) // 2))


def _moved(request: Request, answer: Answer, ranking: Ranking, info: ModelInfo) -> bool:
    ids = [document.id for document in request.candidates]
    now = ranking.run
    left, right = [answer.scores[id_] for id_ in ids], [now[id_] for id_ in ids]
    return differing(left, right, info, tuple({**answer.diagnostics, **ranking.diagnostics})) is not None


def _tau(request: Request, answer: Answer, ranking: Ranking) -> float:
    ids, now = [document.id for document in request.candidates], ranking.run
    return kendall_tau([answer.scores[id_] for id_ in ids], [now[id_] for id_ in ids])


def _link(rankings: Sequence[Ranking]) -> str:
    items = [item for ranking in rankings for item in ranking.items if item.ranked_by is not None]
    if not items:
        return "same"
    made = sigmoid(np.array([item.ranked_by for item in items], dtype=np.float64))
    return "sigmoid" if np.allclose(made, [item.score for item in items], rtol=1e-4, atol=1e-6) else "other"
