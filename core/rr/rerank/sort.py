"""Score and sort. Where more candidates come than fit, the scorer is shown parts of a request, in turns: by a window
that slides from the back of the list to its front (Sun et al. 2023, "Is ChatGPT Good at Search?", section 3.2)."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from rr.protocols import ModelInfo, Scorer
from rr.rerank.gate import score_all
from rr.types import Document, Ranking, Request, Scores

Turns = Generator[list[list[Document]], list[list[Document]], list[Document]]
"""Yields the parts to be scored in a turn, is sent each sorted, best first, and returns all documents in order."""


class Sort:
    """Every candidate is scored once, where any number fits. In the subclasses a request of more than `size` is shown
    in parts; what comes of it is an order only: its scores are n, n-1, …, 1, its diagnostics the means over the calls,
    and `diagnostic`, which is 1. All parts of all requests that are due in a turn go to the scorer together."""

    diagnostic = ""

    def __init__(self, scorer: Scorer, size: int | None = None) -> None:
        self._scorer, self.size = scorer, size

    @property
    def info(self) -> ModelInfo:
        return self._scorer.info if self.size is None else replace(self._scorer.info, max_candidates=None)

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        fits = [self.size is None or len(request.candidates) <= self.size for request in requests]
        fitting = [request for request, fit in zip(requests, fits, strict=True) if fit]
        whole = iter(list(map(Ranking.from_scores, fitting, score_all(self._scorer, fitting))))
        parted = iter(self._in_parts([request for request, fit in zip(requests, fits, strict=True) if not fit]))
        return [next(whole) if fit else next(parted) for fit in fits]

    def _turns(self, documents: list[Document], size: int) -> Turns:
        """How one request's documents, given in the first stage's order, are shown."""
        raise NotImplementedError

    def _in_parts(self, requests: Sequence[Request]) -> list[Ranking]:
        calls: list[list[Scores]] = [[] for _ in requests]
        # best first; as given, where no first stage is shown
        given = [_sorted(r, r.first_stage) if r.first_stage else list(r.candidates) for r in requests]
        turns = [self._turns(documents, self.size or 0) for documents in given]
        due = {index: next(turn) for index, turn in enumerate(turns)}
        orders: dict[int, list[Document]] = {}
        while due:
            shown = [(index, _part(requests[index], part)) for index, parts in due.items() for part in parts]
            answers = score_all(self._scorer, [part for _, part in shown])
            for (index, _), answer in zip(shown, answers, strict=True):
                calls[index].append(answer)
            answered = iter([_sorted(part, answer) for (_, part), answer in zip(shown, answers, strict=True)])
            for index, parts in list(due.items()):
                try:
                    due[index] = turns[index].send([next(answered) for _ in parts])
                except StopIteration as ended:
                    orders[index] = ended.value
                    del due[index]
        return [self._ranking(request, orders[i], calls[i]) for i, request in enumerate(requests)]

    def _ranking(self, request: Request, order: Sequence[Document], calls: Sequence[Scores]) -> Ranking:
        position = {document.id: place for place, document in enumerate(order)}
        ranks = tuple(float(len(order) - position[document.id]) for document in request.candidates)
        names = {name for call in calls for name in call.diagnostics}
        means = {name: sum(call.diagnostics.get(name, 0.0) for call in calls) / len(calls) for name in names}
        return Ranking.from_scores(request, Scores(ranks, {**means, self.diagnostic: 1.0}))


class Window(Sort):
    """Sorts the last `size` candidates of the first stage's order, moves `stride` places towards the front, and so on:
    the front is refined last, and the best of each window are carried into the next. The last window always starts at
    the front, so every candidate is scored at least once whatever the lengths. With a perfect scorer the top size -
    stride, which is what two windows share, are exactly right. Costs ceil((n - size) / stride) + 1 calls a request, one
    after the other. `stride` is above 0 and below `size`."""

    diagnostic = "windowed"

    def __init__(self, scorer: Scorer, size: int, stride: int) -> None:
        if not 0 < stride < size:
            raise ValueError(f"stride {stride} must be above 0 and below the window's size {size}, to carry something")
        super().__init__(scorer, size)
        self._stride = stride

    def _turns(self, documents: list[Document], size: int) -> Turns:
        for at in (*range(max(len(documents) - size, 0), 0, -self._stride), 0):
            (documents[at : at + size],) = yield [documents[at : at + size]]
        return documents


def _part(request: Request, documents: Sequence[Document]) -> Request:
    """The request for some of its candidates, with their first-stage scores where it has any."""
    if request.first_stage is None:
        return Request(request.query, tuple(documents))
    scores = {d.id: score for d, score in zip(request.candidates, request.first_stage, strict=True)}
    return Request(request.query, tuple(documents), tuple(scores[document.id] for document in documents))


def _sorted(request: Request, scores: Scores | Sequence[float]) -> list[Document]:
    return [item.document for item in Ranking.from_scores(request, scores).items]
