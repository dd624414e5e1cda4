"""Ranking metrics, defined as trec_eval defines them and tested against it, and two of retrieval-augmented generation.

A run is read as trec_eval reads it: scores as 32-bit floats, ties by descending document id, whatever order the
documents came in. A query that the run does not hold counts 0. Relevant documents that are no candidates count as
missed (the ideal ranking and the recall's denominator come from the judgements).

A name may end with the population that the metric is a mean over (see `rr.measures.population`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rr.errors import RegistryError, ScoringError, nearest
from rr.types import trec_order

Gains = Sequence[int]
"""The grades of the ranked documents, best rank first; 0 where not relevant or not judged."""

Population = Literal["all-users", "valid-retrieval"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of one ranking, between 0 and 1: `compute(gains, judged grades, cutoff)`; and the population that it
    is a mean over, which none names where that is simply every query."""

    name: str
    compute: Callable[[Gains, Sequence[int], int | None], float]
    cutoff: int | None
    population: Population | None = None

    def per_query(self, scores: Mapping[str, float], judgements: Mapping[str, int]) -> float:
        """The metric of one query: document id → score against document id → grade.

        Raises:
            ScoringError: a score is NaN or infinite.
        """
        if not all(math.isfinite(score) for score in scores.values()):
            raise ScoringError(f"{self.name}: a score is NaN or infinite")
        order = trec_order(scores)
        gains = [max(judgements.get(id_, 0), 0) for id_ in order]
        return self.compute(gains, [grade for grade in judgements.values() if grade > 0], self.cutoff)


def ndcg(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """Σ gain / log₂(rank + 1) over the first `cutoff` ranks, divided by that of the ideal ranking; the gain is the
    grade (Järvelin & Kekäläinen 2002, as in trec_eval's ndcg_cut)."""
    ideal = _dcg(sorted(judged, reverse=True)[:cutoff])
    return _dcg(gains[:cutoff]) / ideal if ideal else 0.0


def reciprocal_rank(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """1 / the rank of the first relevant document among the first `cutoff`, else 0 (trec_eval's recip_rank)."""
    return next((1 / rank for rank, gain in enumerate(gains[:cutoff], 1) if gain > 0), 0.0)


def average_precision(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """The precisions at the ranks of the relevant documents, summed and divided by how many are judged relevant
    (trec_eval's map, map_cut)."""
    found, total = 0, 0.0
    for rank, gain in enumerate(gains[:cutoff], 1):
        if gain > 0:
            found += 1
            total += found / rank
    return total / len(judged) if judged else 0.0


def context_precision(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """The precisions at the ranks of the relevant documents among the first `cutoff`, summed and divided by how many
    those are; 0 where there is none. Unlike `average_precision` it does not ask what was missed, only how far to the
    front the found ones stand. It is ragas' context precision, with judgements in place of a model's verdicts
    (https://docs.ragas.io/en/stable/concepts/metrics/available_metrics/context_precision/)."""
    found = sum(gain > 0 for gain in gains[:cutoff])
    return average_precision(gains, [1] * found, cutoff)


def recall(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """The share of the relevant documents that is among the first `cutoff` (trec_eval's recall)."""
    return sum(gain > 0 for gain in gains[:cutoff]) / len(judged) if judged else 0.0


def hit(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """1 if a relevant document is among the first `cutoff`, else 0 (trec_eval's success)."""
    return float(any(gain > 0 for gain in gains[:cutoff]))


def _dcg(gains: Gains) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


METRICS: dict[str, Callable[[Gains, Sequence[int], int | None], float]] = {
    "nDCG": ndcg,
    "MRR": reciprocal_rank,
    "MAP": average_precision,
    "Recall": recall,
    "Hit": hit,
    "ContextPrecision": context_precision,
    "ContextRecall": recall,
}


def metric(name: str) -> Metric:
    """`nDCG@10`, `MRR@10`, `MAP`, `Recall@5`, `Hit@1` …; without a cutoff the whole ranking counts. With a population:
    `nDCG@10:valid-retrieval`.

    Raises:
        RegistryError: no such metric, or no such population.
    """
    measure, colon, asked = name.partition(":")
    match = re.fullmatch(r"(\w+?)(?:@([1-9]\d*))?", measure)
    if match is None or match[1] not in METRICS:
        raise RegistryError(f"no metric is called {name!r}{nearest(measure.partition('@')[0], list(METRICS))}, @cutoff")
    populations: tuple[Population, ...] = get_args(Population)
    population = next((known for known in populations if known == asked), None)
    if colon and population is None:
        raise RegistryError(f"metric {name!r}: no population is called {asked!r}{nearest(asked, list(populations))}")
    return Metric(name, METRICS[match[1]], int(match[2]) if match[2] else None, population)


def evaluate(
    run: Mapping[str, Mapping[str, float]],
    qrels: Mapping[str, Mapping[str, int]],
    query_ids: Sequence[str],
    measure: Metric,
) -> list[float]:
    """One value a query, in the order of `query_ids`; a query missing from the run counts 0."""
    return [measure.per_query(run.get(query_id, {}), qrels[query_id]) for query_id in query_ids]
