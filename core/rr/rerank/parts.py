"""What the rerankers for more candidates than fit have in common: the scorer is shown parts of a request, in turns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import ClassVar

from rr.protocols import ModelInfo, Scorer
from rr.rerank.sort import Sort, score_all
from rr.types import Document, Ranking, Request, Scores

Turns = Generator[list[list[Document]], list[list[Document]], list[Document]]
"""Yields the parts to be scored in a turn, is sent each of them sorted, best first, and returns all documents in their
final order."""


class Parts(ABC):
    """A request of at most `size` candidates is scored once and keeps the scorer's own scores. A longer one is shown
    in parts; what comes of it is an order only: its scores are n, n-1, …, 1, its diagnostics the means over the calls,
    and `diagnostic`, which is 1. All parts of all requests that are due in a turn go to the scorer together.
    """

    diagnostic: ClassVar[str]

    def __init__(self, scorer: Scorer, size: int) -> None:
        self._scorer, self._size = scorer, size

    @property
    def info(self) -> ModelInfo:
        return replace(self._scorer.info, max_candidates=None)

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        fitting = [request for request in requests if len(request.candidates) <= self._size]
        longer = [request for request in requests if len(request.candidates) > self._size]
        whole = iter(Sort(self._scorer).rerank(fitting))
        parted = iter(self._in_parts(longer))
        return [next(whole) if len(r.candidates) <= self._size else next(parted) for r in requests]

    @abstractmethod
    def _turns(self, documents: list[Document]) -> Turns:
        """How one request's documents, given in the first stage's order, are shown."""

    def _in_parts(self, requests: Sequence[Request]) -> list[Ranking]:
        parted = [_Parted(request) for request in requests]
        turns = [self._turns(one.first_stage_order()) for one in parted]
        due = {index: next(turn) for index, turn in enumerate(turns)}
        orders: dict[int, list[Document]] = {}
        while due:
            shown = [(parted[index], parted[index].part(part)) for index, parts in due.items() for part in parts]
            answers = score_all(self._scorer, [request for _, request in shown])
            for (one, _), answer in zip(shown, answers, strict=True):
                one.calls.append(answer)
            answered = iter([_sorted(part, answer) for (_, part), answer in zip(shown, answers, strict=True)])
            for index, parts in list(due.items()):
                try:
                    due[index] = turns[index].send([next(answered) for _ in parts])
                except StopIteration as ended:
                    orders[index] = ended.value
                    del due[index]
        return [one.ranking(orders[index], self.diagnostic) for index, one in enumerate(parted)]


class _Parted:
    """A request that is shown in parts, and what the scorer said of them."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._first_stage = (
            None
            if request.first_stage is None
            else {d.id: score for d, score in zip(request.candidates, request.first_stage, strict=True)}
        )
        self.calls: list[Scores] = []

    def first_stage_order(self) -> list[Document]:
        """Best first; as given, which in a bench is a seeded random order, where no first stage is shown."""
        if self._request.first_stage is None:
            return list(self._request.candidates)
        return _sorted(self._request, self._request.first_stage)

    def part(self, documents: Sequence[Document]) -> Request:
        """The request for some of its candidates, with their first-stage scores where it has any."""
        scores = self._first_stage
        return Request(
            self._request.query, tuple(documents), None if scores is None else tuple(scores[d.id] for d in documents)
        )

    def ranking(self, order: Sequence[Document], diagnostic: str) -> Ranking:
        position = {document.id: place for place, document in enumerate(order)}
        ranks = tuple(float(len(order) - position[document.id]) for document in self._request.candidates)
        names = {name for call in self.calls for name in call.diagnostics}
        means = {name: sum(c.diagnostics.get(name, 0.0) for c in self.calls) / len(self.calls) for name in names}
        return Ranking.from_scores(self._request, Scores(ranks, {**means, diagnostic: 1.0}))


def _sorted(request: Request, scores: Scores | Sequence[float]) -> list[Document]:
    return [item.document for item in Ranking.from_scores(request, scores).items]
