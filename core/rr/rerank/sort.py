"""Score every candidate once and sort."""

from __future__ import annotations

from collections.abc import Sequence

from rr.errors import ScoringError
from rr.gate import within_scale
from rr.protocols import ModelInfo, Scorer
from rr.types import Ranking, Request, Scores, checked_scores, float32


class Sort:
    """For scorers into which all candidates fit."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    @property
    def info(self) -> ModelInfo:
        return self._scorer.info

    def rerank(self, requests: Sequence[Request]) -> list[Ranking]:
        return [
            Ranking.from_scores(request, scores)
            for request, scores in zip(requests, score_all(self._scorer, requests), strict=True)
        ]


def score_all(scorer: Scorer, requests: Sequence[Request]) -> list[Scores]:
    """Checked scores for every request; the scorer never sees an empty candidate list.

    Raises:
        ScoringError: not one answer a request, or an answer that cannot be ranked.
    """
    asked = [request for request in requests if request.candidates]
    answers = list(scorer.score(asked)) if asked else []
    if len(answers) != len(asked):
        raise ScoringError(f"the scorer gave {len(answers)} answers to {len(asked)} requests")
    found = [checked_scores(request, answer) for request, answer in zip(asked, answers, strict=True)]
    info = scorer.info
    for request, scores in zip(asked, found, strict=True):
        within_scale(request, scores.values, info)
    checked = iter(map(with_ties, found))
    return [next(checked) if request.candidates else Scores(()) for request in requests]


def with_ties(scores: Scores) -> Scores:
    """The scores with two more diagnostics: `tied`, 1 where two candidates have the same score as 32-bit floats, and
    `constant`, 1 where all have. Taken from what the scorer said, before windows make an order of it."""
    distinct = len({float32(value) for value in scores.values})
    tied = {"tied": float(distinct < len(scores.values)), "constant": float(distinct == 1 < len(scores.values))}
    return Scores(scores.values, {**scores.diagnostics, **tied})
