"""What an entry answers that is made of others, whoever asks its members: their answers are fused, or decide which
candidates the next one sees."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from rr.types import Request, Scores, trec_order
from rr_bench.compose.fusion import fused
from rr_bench.members import Part

Ask = Callable[[Part, Sequence[Request]], Sequence[Scores]]
"""The answers of an entry with a component, one a request."""
Weights = Mapping[str, Sequence[float]]
"""Name of a weighted fusion → its members' weights."""


def answers(part: Part, requests: Sequence[Request], ask: Ask, weights: Weights) -> list[Scores]:
    """One answer a request. A member's numbers are those that its run holds (`rr.Ranking.run`), and its diagnostics
    stand under its own name. No member is asked the same twice."""
    known: dict[tuple[str, int], Sequence[Scores]] = {}

    def once(leaf: Part, asked: Sequence[Request]) -> Sequence[Scores]:
        # a list of requests keeps its identity on the way down, and is held until this returns
        key = (leaf.name, id(asked))
        if key not in known:
            lists.append(asked)
            known[key] = ask(leaf, asked)
        return known[key]

    lists: list[Sequence[Request]] = []
    return _answers(part, requests, once, weights)


def _answers(part: Part, requests: Sequence[Request], ask: Ask, weights: Weights) -> list[Scores]:
    if not part.members:
        return list(ask(part, requests))
    if part.entry.cascade is not None:
        return _cascaded(part, requests, ask, weights)
    each = [_named(member, _answers(member, requests, ask, weights)) for member in part.members]
    given = weights_of(part, weights)
    found = []
    for request, *of_request in zip(requests, *each, strict=True):
        run = fused([run_of(request, answer) for answer in of_request], part.entry, given)
        diagnostics = {name: value for answer in of_request for name, value in answer.diagnostics.items()}
        found.append(Scores(tuple(run[document.id] for document in request.candidates), diagnostics))
    return found


def weights_of(part: Part, found: Weights) -> Sequence[float]:
    """Those of a weighted fusion, as the entry says them or as they were found on dev; of all others, nothing."""
    if part.entry.method != "weighted":
        return ()
    return part.entry.weights if isinstance(part.entry.weights, tuple) else found[part.name]


def run_of(request: Request, answer: Scores) -> dict[str, float]:
    return {document.id: key for document, key in zip(request.candidates, answer.keys, strict=True)}


def narrowed(request: Request, ids: Sequence[str]) -> Request:
    """The request for these of its candidates, as it is if they are all. They keep the order that they are shown in,
    which tells nothing, and the first stage's scores, where it shows any."""
    kept = set(ids)
    places = [place for place, document in enumerate(request.candidates) if document.id in kept]
    if len(places) == len(request.candidates):
        return request
    stage = request.first_stage
    return Request(
        request.query,
        tuple(request.candidates[place] for place in places),
        None if stage is None else tuple(stage[place] for place in places),
    )


def _cascaded(part: Part, requests: Sequence[Request], ask: Ask, weights: Weights) -> list[Scores]:
    """An order only: its scores are n, n - 1, …, 1."""
    first, *others = part.members
    found = _named(first, _answers(first, requests, ask, weights))
    orders = [trec_order(run_of(request, answer)) for request, answer in zip(requests, found, strict=True)]
    diagnostics = [dict(answer.diagnostics) for answer in found]
    for member, stage in zip(others, part.entry.cascade or (), strict=False):
        asked: Sequence[Request] = [
            narrowed(request, order[: stage.keep]) for request, order in zip(requests, orders, strict=True)
        ]
        if all(map(operator.is_, asked, requests)):
            asked = requests
        answered = _named(member, _answers(member, asked, ask, weights))
        for place, (request, answer) in enumerate(zip(asked, answered, strict=True)):
            orders[place] = trec_order(run_of(request, answer)) + orders[place][stage.keep :]
            diagnostics[place] |= answer.diagnostics
    return [
        Scores(_places(request, order), told)
        for request, order, told in zip(requests, orders, diagnostics, strict=True)
    ]


def _places(request: Request, order: Sequence[str]) -> tuple[float, ...]:
    scores = {id_: float(len(order) - place) for place, id_ in enumerate(order)}
    return tuple(scores[document.id] for document in request.candidates)


def _named(member: Part, given: Sequence[Scores]) -> list[Scores]:
    return [
        Scores(one.values, {f"{member.name} {name}": value for name, value in one.diagnostics.items()}, one.ranked_by)
        for one in given
    ]
