"""Loaded entries as the one reranker that they make, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from rr.protocols import ModelInfo, Precision, Reranker
from rr.rerank.gate import with_ties
from rr.types import Ranking, Request, Scores, State
from rr_bench.compose.answers import Ask, Weights, answers
from rr_bench.members import Part, of_member, told

STATES: tuple[State, ...] = ("trained", "untrained", "pretrained", "no weights")
"""The first of these that a member has is that of the whole."""


@dataclass(frozen=True)
class Known:
    """What is known of a member that has been loaded. `model`: a hash of its component, settings and checkpoint."""

    info: ModelInfo
    model: str
    checkpoint: str = ""
    """The name of its folder."""


class Composite:
    """A reranker that is made of loaded ones; `rerankers`: by the names of the part's leaves."""

    def __init__(
        self, part: Part, rerankers: Mapping[str, Reranker], known: Mapping[str, Known], weights: Weights
    ) -> None:
        self._part, self._ask, self._weights = part, asks(part, rerankers), weights
        self.info = composed_info(part, known)

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        found = answers(self._part, requests, self._ask, self._weights)
        return [
            Ranking.from_scores(request, with_ties(one) if request.candidates else one)
            for request, one in zip(requests, found, strict=True)
        ]


def asks(part: Part, rerankers: Mapping[str, Reranker]) -> Ask:
    """Asks the loaded rerankers of its leaves, by their names."""

    def ask(leaf: Part, requests: Sequence[Request]) -> list[Scores]:
        with of_member(leaf, part):
            rankings = rerankers[leaf.name].rerank(requests)
        return [as_scores(request, one.run, one.diagnostics) for request, one in zip(requests, rankings, strict=True)]

    return ask


def as_scores(request: Request, run: Mapping[str, float], diagnostics: Mapping[str, float]) -> Scores:
    """A run of the request's candidates as an answer to it."""
    return Scores(tuple(run[document.id] for document in request.candidates), diagnostics)


def composed_info(part: Part, known: Mapping[str, Known]) -> ModelInfo:
    """Of the whole: its scores mean an order, and depend on the other candidates; parameters are summed over its
    models, each once; its notes name its members, and say what is known of them."""
    members = {leaf.name: known[leaf.name] for leaf in part.leaves}
    models = {one.model: one.info for one in members.values()}.values()
    of = {
        name: f"{name} ({', '.join(filter(None, (one.info.state, one.checkpoint)))})" for name, one in members.items()
    }
    return ModelInfo(
        scale="rank",
        listwise=True,
        state=next(state for state in STATES if any(one.state == state for one in models)),
        parameters=sum(one.parameters for one in models),
        trainable=sum(one.trainable for one in models),
        notes=(
            told(part),
            f"members: {', '.join(of.values())}",
            *(f"{name}: {note}" for name, one in members.items() for note in one.info.notes),
        ),
        precision=max((one.precision for one in models), key=get_args(Precision).index),
    )
