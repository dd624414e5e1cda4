"""Runs against judgements: the metrics of the bench with their intervals, and paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rr.errors import DataError
from rr.measures import Metric, evaluate, metric
from rr.types import trec_order
from rr_bench.evaluate.corrections import holm
from rr_bench.evaluate.significance import Difference, Interval, difference, interval
from rr_bench.judge.files import RunFile

LOOKED_AT = 10
"""Documents of a query that are looked at for judgements."""


@dataclass(frozen=True)
class Judged:
    """One run. `per_query`: metric → one value a judged query, in the order of `queries`; a query that the run does not
    hold counts 0. `warnings`: what a reader of the figures must know, one line each."""

    name: str
    queries: tuple[str, ...]
    metrics: Mapping[str, Interval]
    per_query: Mapping[str, Sequence[float]]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """The judged run minus another, a metric: wins, ties and losses are queries."""

    other: str
    metric: str
    difference: Difference
    wins: int
    ties: int
    losses: int


def judge(run: RunFile, name: str, qrels: Mapping[str, Mapping[str, int]], metrics: Sequence[str]) -> Judged:
    """
    Raises:
        DataError: the run holds none of the judged queries, or a metric is over a population.
        RegistryError: there is no such metric.
    """
    queries, measures = tuple(qrels), checked_metrics(metrics)
    if not any(query in run.scores for query in queries):
        raise DataError(
            f"{run.path}: none of its {len(run.scores)} queries is judged: it has {next(iter(run.scores), '')!r}, the "
            f"judgements {queries[0]!r}; give the judgements of these queries"
        )
    values = {one.name: evaluate(run.scores, qrels, queries, one) for one in measures}
    return Judged(
        name,
        queries,
        {one: interval(found) for one, found in values.items()},
        values,
        (*run.warnings, *_warnings(run, qrels)),
    )


def checked_metrics(names: Sequence[str]) -> list[Metric]:
    """
    Raises:
        DataError: one is over a population.
        RegistryError: there is no such metric.
    """
    measures = [metric(name) for name in names]
    for one in measures:
        if one.population is not None:
            told = "name it in the metrics of the data set's suite and run 'rr bench' (rr.bench)"
            raise DataError(
                f"metric {one.name!r} is over what a first stage found, which neither 'rr eval' nor rr.evaluate asks: "
                f"{told}, or take ':{one.population}' off"
            )
    return measures


def compared(run: Judged, others: Sequence[Judged]) -> list[Compared]:
    """The run against each of the others, a metric at a time; Holm's p is among all of them."""
    found = []
    for other in others:
        for name, values in run.per_query.items():
            gap = difference(values, other.per_query[name])
            found.append(Compared(other.name, name, gap, gap.wins, gap.ties, gap.losses))
    corrected = holm([one.difference.p for one in found])
    return [replace(one, difference=replace(one.difference, p_holm=p)) for one, p in zip(found, corrected, strict=True)]


def _warnings(run: RunFile, qrels: Mapping[str, Mapping[str, int]]) -> list[str]:
    found = []
    missing = [query for query in qrels if query not in run.scores]
    if missing:
        found.append(
            f"{len(missing)} of {len(qrels)} judged queries are not in the run, and count 0; first {missing[0]!r}"
        )
    unknown = [query for query in run.scores if query not in qrels]
    if unknown:
        found.append(f"{len(unknown)} queries of the run are not judged, and left out; first {unknown[0]!r}")
    empty = [query for query, judged in qrels.items() if not any(grade > 0 for grade in judged.values())]
    if empty:
        found.append(f"{len(empty)} judged queries have no relevant document, and count 0; first {empty[0]!r}")
    shown = [(q, id_) for q, scores in run.scores.items() if q in qrels for id_ in trec_order(scores)[:LOOKED_AT]]
    unjudged = sum(id_ not in qrels[query] for query, id_ in shown)
    if unjudged:
        found.append(
            f"{unjudged / len(shown):.1%} of the first {LOOKED_AT} documents are not judged, and count as not relevant"
        )
    return found
