"""Position bias: how much a listwise scorer's answer depends on where a candidate is shown, and what averaging over
orders mends.

Accuracy by the place of the truth follows Zheng et al. 2024, "Large Language Models Are Not Robust Multiple Choice
Selectors" (arXiv:2309.03882).
"""

from __future__ import annotations

import string
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rr.errors import RerankError
from rr.protocols import Scorer
from rr.rerank.gate import score_all
from rr.types import Dataset, Request, Scores, trec_order
from rr_bench.evaluate.significance import (
    MEANS,
    Difference,
    Interval,
    caution,
    difference,
    few_queries,
    interval,
    wilson,
)
from rr_bench.parts import parts
from rr_bench.permute import SEED, Order, mean_answer, orders, score_orders

MOST = 1000
"""Orders of a query's candidates, at the most."""


@dataclass(frozen=True, slots=True)
class Place:
    """What was seen at one place of the lists shown. Only lists that are long enough have it."""

    name: str
    """`A` for the first, … `Z`, `a`, … `z` for the 52nd, then the number."""
    truths: int
    """Relevant candidates shown here, one for each order in which one stood here."""
    accuracy: Interval | None
    """The share of those orders whose best candidate is relevant, with its Wilson interval, which takes the orders of
    one query for independent; None without a truth."""
    answers: int
    """Orders long enough to have this place."""
    chosen: float
    """The share of those in which the candidate here is the best."""
    expected: float
    """Their mean 1/n: what `chosen` would be if the place did not matter, over enough queries."""


@dataclass(frozen=True, slots=True)
class PositionBias:
    """A scorer's answers to several orders of the same candidates. Means are over queries, intervals are t intervals
    over them."""

    shuffles: int
    queries: int
    """Measured: test queries with at least two candidates."""
    too_few: int
    """Left out, having fewer."""
    without_truth: int
    """Measured, but left out of every accuracy: none of their candidates is relevant."""
    places: tuple[Place, ...]
    tau: float
    """Mean Kendall tau-b over all pairs of a query's orders; 1: the order does not matter."""
    accuracy: Interval
    """Of one order: the share of orders whose best candidate is relevant."""
    averaged: Interval
    """Of the mean score over the orders: the share of queries whose best candidate is relevant."""
    gain: Difference
    """`averaged` minus `accuracy`, paired by query."""
    notes: tuple[str, ...]
    """Why intervals rest on little, if they do."""
    ms_one: float
    """Milliseconds a query, scored in one order."""
    ms_averaged: float
    """Milliseconds a query, scored in all of them."""


def position_bias(
    scorer: Scorer,
    dataset: Dataset,
    shuffles: int = 5,
    seed: int = SEED,
    advance: Callable[[int], None] = lambda queries: None,
) -> PositionBias:
    """Scores each test query's n candidates in `shuffles` seeded random orders (at most n!, the first as given).

    A query's best candidate is the one of the highest score, as the metrics rank (32-bit floats, ties by descending
    id, never by place), so that the accuracy of the order given is Hit@1. An order counts at the place of each of its
    relevant candidates; for one, that is the place of the truth. Where lists differ in length, later places are those
    of the longer lists only.

    Raises:
        RerankError: `shuffles` is below 2 or above `MOST`; the scorer is not listwise, or takes fewer candidates than
            a query has; or there is nothing to measure.
        ScoringError: an answer that cannot be ranked.
    """
    if not scorer.info.listwise:
        raise RerankError(
            "the scorer looks at each candidate alone: its accuracy cannot depend on a candidate's place, "
            "and there is no position bias to measure"
        )
    if shuffles < 2:
        raise RerankError(f"{shuffles} shuffles cannot be compared; ask for 2 or more")
    if shuffles > MOST:
        raise RerankError(f"{shuffles} shuffles would never end; ask for at most {MOST}")
    everything = dataset.requests("test")
    requests = [request for request in everything if len(request.candidates) > 1]
    _must_fit(requests, scorer, dataset)
    answered: list[_Answered] = []
    seconds_one = seconds_all = 0.0
    score_all(scorer, requests[:1])  # the first call of a model allocates and compiles: not the price of a query
    for part in parts(requests):
        plans = [orders(request, shuffles, "random", seed) for request in part]
        started = time.perf_counter()
        score_all(scorer, part)
        between = time.perf_counter()
        answers = score_orders(scorer, part, plans)
        seconds_one += between - started
        seconds_all += time.perf_counter() - between
        rows = zip(part, plans, answers, strict=True)
        answered += [_Answered.of(request, plan, given, dataset) for request, plan, given in rows]
        advance(len(part))
    judged = [one for one in answered if one.relevant[0]]
    if not judged:
        raise RerankError(f"{dataset.name}: no test query has its truth among two or more candidates")
    one_order = [sum(one.right) / len(one.right) for one in judged]
    averaged = [float(one.averaged_right) for one in judged]
    gain = difference(averaged, one_order)
    return PositionBias(
        shuffles=shuffles,
        queries=len(requests),
        too_few=len(everything) - len(requests),
        without_truth=len(answered) - len(judged),
        places=_places(answered),
        tau=sum(one.tau for one in answered) / len(answered),
        accuracy=interval(one_order),
        averaged=interval(averaged),
        gain=gain,
        notes=tuple(_cautions(one_order, averaged, gain)),
        ms_one=1000 * seconds_one / len(requests),
        ms_averaged=1000 * seconds_all / len(requests),
    )


@dataclass(frozen=True, slots=True)
class _Answered:
    """One query: for each order at which places relevant candidates stood (`relevant`), at which its best candidate
    did (`chosen`), and whether that one is relevant (`right`)."""

    candidates: int
    relevant: tuple[tuple[int, ...], ...]
    chosen: tuple[int, ...]
    right: tuple[bool, ...]
    averaged_right: bool
    tau: float

    @classmethod
    def of(cls, request: Request, plan: Sequence[Order], answers: Sequence[Scores], dataset: Dataset) -> _Answered:
        truths = dataset.relevant(request.query.id)
        relevant = {index for index, document in enumerate(request.candidates) if document.id in truths}
        best = [_best(request, answer) for answer in answers]
        mean = mean_answer(answers)
        return cls(
            candidates=len(request.candidates),
            relevant=tuple(tuple(order.index(index) for index in relevant) for order in plan),
            chosen=tuple(order.index(index) for order, index in zip(plan, best, strict=True)),
            right=tuple(index in relevant for index in best),
            averaged_right=_best(request, mean) in relevant,
            tau=mean.diagnostics["tau"],
        )


def _cautions(one_order: Sequence[float], averaged: Sequence[float], gain: Difference) -> Iterator[str]:
    if text := few_queries(len(averaged)):
        yield text
    for name, values in (("accuracy of one order", one_order), ("accuracy of the average", averaged)):
        if text := caution(np.asarray(values, dtype=np.float64), MEANS):
            yield f"{name}: {text}"
    if gain.caution:
        yield f"Δ: {gain.caution}"


def _best(request: Request, answer: Scores) -> int:
    """Which of the request's candidates comes first, as the metrics rank."""
    index = {document.id: number for number, document in enumerate(request.candidates)}
    return index[trec_order({id_: answer.keys[number] for id_, number in index.items()})[0]]


def _places(answered: Iterable[_Answered]) -> tuple[Place, ...]:
    truths, right, shown, chosen = Counter[int](), Counter[int](), Counter[int](), Counter[int]()
    expected: dict[int, float] = {}
    for one in answered:
        chosen.update(one.chosen)
        for place in range(one.candidates):
            shown[place] += len(one.chosen)
            expected[place] = expected.get(place, 0.0) + len(one.chosen) / one.candidates
        for places, hit in zip(one.relevant, one.right, strict=True):
            truths.update(places)
            right.update(places if hit else ())
    names = (*string.ascii_uppercase, *string.ascii_lowercase)
    return tuple(
        Place(
            name=names[place] if place < len(names) else str(place + 1),
            truths=truths[place],
            accuracy=wilson(right[place], truths[place]) if truths[place] else None,
            answers=shown[place],
            chosen=chosen[place] / shown[place],
            expected=expected[place] / shown[place],
        )
        for place in range(len(shown))
    )


def _must_fit(requests: Sequence[Request], scorer: Scorer, dataset: Dataset) -> None:
    """Windows would show orders of their own."""
    longest, limit = max((len(request.candidates) for request in requests), default=0), scorer.info.max_candidates
    if limit is not None and longest > limit:
        raise RerankError(
            f"{dataset.name}: a query has {longest} candidates and the scorer takes {limit} at once; "
            f"measure with 'candidates: {{depth: {limit}}}' or less"
        )
