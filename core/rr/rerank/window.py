"""More candidates than fit: a window that slides from the back of the list to its front.

Source: Sun et al. 2023, "Is ChatGPT Good at Search?" (RankGPT), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rr.protocols import ModelInfo, Scorer
from rr.rerank.sort import Sort, score_all
from rr.types import Document, Ranking, Request, Scores


class Window:
    """Sorts the last `size` candidates, moves `stride` places towards the front, and so on; the best of each window
    are carried into the next. The last window always starts at the front, so every candidate is scored at least once
    whatever the lengths. Costs ceil((n - size) / stride) + 1 calls a request; requests go through it together.

    Such an outcome is an order only: its scores are n, n-1, …, 1, and its diagnostics say `windowed`. A request that
    fits is scored once and keeps the scorer's own scores.
    """

    def __init__(self, scorer: Scorer, size: int, stride: int) -> None:
        if not 0 < stride < size:
            raise ValueError(
                f"stride {stride} must be above 0 and below the window's size {size}, or nothing is carried"
            )
        self._scorer, self._size, self._stride = scorer, size, stride

    @property
    def info(self) -> ModelInfo:
        return replace(self._scorer.info, max_candidates=None)

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        fitting = [request for request in requests if len(request.candidates) <= self._size]
        longer = [request for request in requests if len(request.candidates) > self._size]
        whole = iter(Sort(self._scorer).rerank(fitting))
        slid = iter(self._slide(longer))
        return [next(whole) if len(r.candidates) <= self._size else next(slid) for r in requests]

    def _slide(self, requests: Sequence[Request]) -> list[Ranking]:
        orders = [_first_stage_order(request) for request in requests]
        calls: list[list[Scores]] = [[] for _ in requests]
        plans = [window_starts(len(order), self._size, self._stride) for order in orders]
        for turn in range(max(map(len, plans), default=0)):
            active = [index for index, plan in enumerate(plans) if turn < len(plan)]
            spans = [slice(plans[index][turn], plans[index][turn] + self._size) for index in active]
            windows = [_part(requests[index], orders[index][span]) for index, span in zip(active, spans, strict=True)]
            answers = score_all(self._scorer, windows)
            for index, span, window, scores in zip(active, spans, windows, answers, strict=True):
                orders[index][span] = [item.document for item in Ranking.from_scores(window, scores).items]
                calls[index].append(scores)
        return [_ranking(*row) for row in zip(requests, orders, calls, strict=True)]


def window_starts(length: int, size: int, stride: int) -> list[int]:
    """Where each window starts, back to front; the last is always 0."""
    return [*range(max(length - size, 0), 0, -stride), 0]


def _part(request: Request, documents: Sequence[Document]) -> Request:
    """The request for some of its candidates, with their first-stage scores where it has any."""
    if request.first_stage is None:
        return Request(request.query, tuple(documents))
    scores = {d.id: score for d, score in zip(request.candidates, request.first_stage, strict=True)}
    return Request(request.query, tuple(documents), tuple(scores[document.id] for document in documents))


def _first_stage_order(request: Request) -> list[Document]:
    """The windows slide over the first stage's order, best first: the front is refined last and most."""
    if request.first_stage is None:
        return list(request.candidates)
    return [item.document for item in Ranking.from_scores(request, request.first_stage).items]


def _ranking(request: Request, order: Sequence[Document], calls: Sequence[Scores]) -> Ranking:
    position = {document.id: place for place, document in enumerate(order)}
    ranks = [float(len(order) - position[document.id]) for document in request.candidates]
    names = {name for call in calls for name in call.diagnostics}
    means = {name: sum(call.diagnostics.get(name, 0.0) for call in calls) / len(calls) for name in names}
    return Ranking.from_scores(request, Scores(tuple(ranks), {**means, "windowed": 1.0}))
