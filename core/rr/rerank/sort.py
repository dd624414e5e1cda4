"""Score every candidate once and sort."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import replace
from itertools import islice
from typing import Any

from rr.border import plugin_code
from rr.errors import ScoringError
from rr.protocols import ModelInfo, Scorer
from rr.rerank.gate import within_scale
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
    # the whole of it: an answer may be computed as it is read
    with plugin_code("score failed", shown=asked):
        given = scorer.score(list(asked)) if asked else ()  # a list that it may empty
        answers = one_each(given, len(asked), "scorer", "answers to")
        found = [checked_scores(request, answer) for request, answer in zip(asked, answers, strict=True)]
    info = scorer.info
    for request, scores in zip(asked, found, strict=True):
        within_scale(request, scores.values, info)
    checked = iter(map(with_ties, found))
    return [next(checked) if request.candidates else Scores(()) for request in requests]


def one_each(given: object, count: int, who: str, what: str) -> list[Any]:
    """What a plugin gave for `count` requests, read no further than it takes to see that there are too many.

    Raises:
        ScoringError: it is no sequence, or one of another length.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ScoringError(f"the {who} gave {type(given).__name__}, not a list of {what.split()[0]}")
    items = list(islice(given, count + 1))  # which may have no end
    if len(items) != count:
        found = len(given) if isinstance(given, Sized) else len(items) if len(items) < count else f"more than {count}"
        raise ScoringError(f"the {who} gave {found} {what} {count} requests")
    return items


def with_ties(scores: Scores) -> Scores:
    """The scores with diagnostics of their ties: `tied`, 1 where two candidates have the same score as 32-bit floats;
    `constant`, 1 where all have; and, where it happened, `lost_in_32_bits`, 1: some of those are different numbers.
    Taken from what the scorer said, before windows make an order of it."""
    distinct = len(set(float32(scores.keys)))
    tied = {"tied": float(distinct < len(scores.keys)), "constant": float(distinct == 1 < len(scores.keys))}
    if lost_in_32_bits(scores.keys):
        tied["lost_in_32_bits"] = 1.0
    return replace(scores, diagnostics={**scores.diagnostics, **tied})
