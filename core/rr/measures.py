"""Ranking metrics, defined as trec_eval defines them and tested against it, and two of retrieval-augmented generation.

A run is read as trec_eval reads it: scores as 32-bit floats, ties by descending document id, whatever order the
documents came in. A query that the run does not hold counts 0. Relevant documents that are no candidates count as
missed (the ideal ranking and the recall's denominator come from the judgements).

A name may end with the population that its mean is over, as LlamaRec (https://arxiv.org/abs/2311.02089) reports two:
`valid-retrieval`, the queries whose relevant document is among the candidates; and `all-users`, where the others keep
the retriever's ranking. As what it missed stands nowhere among them, that has the value of the plain metric.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rr.errors import DataError, RegistryError, ScoringError, nearest
from rr.types import Dataset, Qrels, Run, trec_order

__all__ = ["METRICS", "Metric", "evaluate", "metric", "population"]

Gains = Sequence[int]
"""The grades of the ranked documents, best rank first; 0 where not relevant or not judged."""
Population = Literal["all-users", "valid-retrieval"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of one ranking, between 0 and 1: `compute(gains, judged grades, cutoff)`; and the population that it is
    a mean over, which none names where that is simply every query."""

    name: str
    compute: Callable[[Gains, Sequence[int], int | None], float]
    cutoff: int | None
    population: Population | None = None

    def per_query(self, scores: Mapping[str, float], judgements: Mapping[str, int]) -> float:
        """The metric of one query: document id → score against document id → grade. Raises ScoringError where a score
        is NaN or infinite."""
        if not all(math.isfinite(score) for score in scores.values()):
            raise ScoringError(f"{self.name}: a score is NaN or infinite")
        gains = [max(judgements.get(id_, 0), 0) for id_ in trec_order(scores)]
        return self.compute(gains, [grade for grade in judgements.values() if grade > 0], self.cutoff)


def ndcg(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """Σ gain / log₂(rank + 1) over the first `cutoff` ranks, divided by that of the ideal ranking; the gain is the
    grade (Järvelin & Kekäläinen 2002, as in trec_eval's ndcg_cut)."""

    def dcg(grades: Gains) -> float:
        return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades[:cutoff], 1))

    ideal = dcg(sorted(judged, reverse=True))
    return dcg(gains) / ideal if ideal else 0.0


def reciprocal_rank(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """1 / the rank of the first relevant document among the first `cutoff`, else 0 (trec_eval's recip_rank)."""
    return next((1 / rank for rank, gain in enumerate(gains[:cutoff], 1) if gain > 0), 0.0)


def average_precision(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """The precisions at the ranks of the relevant documents, summed and divided by how many are judged relevant
    (trec_eval's map, map_cut)."""
    ranks = [rank for rank, gain in enumerate(gains[:cutoff], 1) if gain > 0]
    return sum(found / rank for found, rank in enumerate(ranks, 1)) / len(judged) if judged else 0.0


def context_precision(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """As `average_precision`, divided by how many relevant ones were found: what was missed does not count. ragas' own
    (https://docs.ragas.io/en/stable/concepts/metrics/available_metrics/context_precision/), from judgements."""
    found = sum(gain > 0 for gain in gains[:cutoff])
    return average_precision(gains, [1] * found, cutoff)


def recall(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """The share of the relevant documents that is among the first `cutoff` (trec_eval's recall)."""
    return sum(gain > 0 for gain in gains[:cutoff]) / len(judged) if judged else 0.0


def hit(gains: Gains, judged: Sequence[int], cutoff: int | None) -> float:
    """1 if a relevant document is among the first `cutoff`, else 0 (trec_eval's success)."""
    return float(any(gain > 0 for gain in gains[:cutoff]))


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
    `nDCG@10:valid-retrieval`. Raises RegistryError: no such metric, or no such population."""
    measure, colon, asked = name.partition(":")
    match = re.fullmatch(r"(\w+?)(?:@([1-9]\d*))?", measure)
    if match is None or match[1] not in METRICS:
        raise RegistryError(f"no metric is called {name!r}{nearest(measure.partition('@')[0], list(METRICS))}, @cutoff")
    populations: dict[str, Population] = {known: known for known in get_args(Population)}
    if colon and asked not in populations:
        raise RegistryError(f"metric {name!r}: no population is called {asked!r}{nearest(asked, [*populations])}")
    return Metric(name, METRICS[match[1]], int(match[2]) if match[2] else None, populations.get(asked))


def evaluate(run: Run, qrels: Qrels, query_ids: Sequence[str], measure: Metric) -> list[float]:
    """One value a query, in the order of `query_ids`; a query missing from the run counts 0."""
    return [measure.per_query(run.get(query_id, {}), qrels[query_id]) for query_id in query_ids]


def population(dataset: Dataset, split: str, measure: Metric) -> tuple[str, ...]:
    """The ids of those queries of the split, in its order. Raises DataError: the data set cannot tell what its first
    stage found, or it found nothing."""
    queries = dataset.splits[split]
    if measure.population is None:
        return queries
    if dataset.protocol == "oracle":
        mend = "set candidates.protocol: end-to-end, or take the population off the metric"
        why = f"what the first stage found, and protocol oracle puts the relevant documents in; {mend}"
        raise DataError(f"metric {measure.name!r} is about {why}")
    if measure.population == "all-users":
        return queries
    valid = tuple(q for q in queries if any(dataset.qrels[q].get(id_, 0) > 0 for id_ in dataset.candidates[q]))
    if not valid:
        found = f"{dataset.retriever} put a relevant document among the candidates of none of the {len(queries)}"
        mend = "raise candidates.depth, or take another retriever"
        raise DataError(f"metric {measure.name!r} has no queries: {found} {split} queries; {mend}")
    return valid
