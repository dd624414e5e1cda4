"""Score every candidate once and sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rr.errors import ScoringError
from rr.protocols import ModelInfo, Scorer
from rr.rerank.untouched import untouched
from rr.types import Ranking, Request, Scores, checked_scores, float32, lost_in_32_bits


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
    with untouched(asked):
        answers = list(scorer.score(asked)) if asked else []
    if len(answers) != len(asked):
        raise ScoringError(f"the scorer gave {len(answers)} answers to {len(asked)} requests")
    checked = iter([with_ties(checked_scores(request, answer)) for request, answer in zip(asked, answers, strict=True)])
    return [next(checked) if request.candidates else Scores(()) for request in requests]


def with_ties(scores: Scores) -> Scores:
    """The scores with diagnostics of their ties: `tied`, 1 where two candidates have the same score as 32-bit floats;
    `constant`, 1 where all have; and, where it happened, `lost_in_32_bits`, 1: some of those are different numbers.
    Taken from what the scorer said, before windows make an order of it."""
    distinct = len(set(float32(scores.keys)))
    tied = {"tied": float(distinct < len(scores.keys)), "constant": float(distinct == 1 < len(scores.keys))}
    if lost_in_32_bits(scores.keys):
        tied["lost_in_32_bits"] = 1.0
    return replace(scores, diagnostics={**scores.diagnostics, **tied})
