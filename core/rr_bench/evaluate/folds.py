"""k-fold cross-validation: the results of the folds, each an ordinary data set, as one result of them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from statistics import fmean
from typing import TypeVar

from rr.files import fingerprint
from rr_bench.evaluate.merging import common, diagnostics, findings, merged
from rr_bench.evaluate.results import DatasetResult, Fold, Row
from rr_bench.evaluate.significance import t_interval
from rr_bench.evaluate.validity import pooled_figures, pooled_places

T = TypeVar("T")


def pooled(results: Sequence[DatasetResult]) -> DatasetResult:
    """One result of at least two folds: every query is tested in exactly one of them, so the values of a query are
    simply put one after the other; a metric is the mean over the folds, with the t interval of their means.

    What failed in one fold has failed: there is no mean over fewer folds.
    """
    first, sizes = results[0], [len(result.query_ids) for result in results]
    return DatasetResult(
        name=first.name,
        fingerprint=fingerprint([result.fingerprint for result in results]),
        documents=first.documents,
        queries={"test": sum(sizes)},
        retriever=first.retriever,
        protocol=first.protocol,
        mean_candidates=_mean([result.mean_candidates for result in results], sizes),
        recall_ceiling=_mean([result.recall_ceiling for result in results], sizes),
        notes=(
            f"{len(results)} folds by query; mean and 95 % t interval over folds",
            *merged(_parts([result.notes for result in results])),
        ),
        query_ids=tuple(chain.from_iterable(result.query_ids for result in results)),
        populations={
            name: tuple(chain.from_iterable(result.populations[name] for result in results))
            for name in first.populations
        },
        folds=tuple(Fold(result.fingerprint, result.queries) for result in results),
        unanswerable=tuple(chain.from_iterable(result.unanswerable for result in results)),
        validity=pooled_figures([result.validity for result in results], sizes),
        truth_places=pooled_places(result.truth_places for result in results),
        faults=merged(_parts([result.faults for result in results])),
        rows=tuple(_row(rows, sizes) for rows in zip(*(result.rows for result in results), strict=True)),
    )


def _row(rows: Sequence[Row], sizes: Sequence[int]) -> Row:
    """One reranker's rows of all folds as one; `sizes`: test queries a fold."""
    for number, row in enumerate(rows, 1):
        if row.failure:
            return Row(row.reranker, failure=f"fold {number} of {len(rows)}: {row.failure}", traceback=row.traceback)
        if row.skipped:
            return Row(row.reranker, skipped=row.skipped)
    first = rows[0]
    means = {name: tuple(row.metrics[name].mean for row in rows) for name in first.metrics}
    seconds = [row.ms_per_query * size / 1000 for row, size in zip(rows, sizes, strict=True)]
    pairs = sum(row.pairs_per_second * spent for row, spent in zip(rows, seconds, strict=True))
    trainings = [row.train_seconds for row in rows if row.train_seconds is not None]
    prices = [row.dollars for row in rows if row.dollars is not None]
    return Row(
        **common(rows),
        notes=merged(_parts([row.notes for row in rows])),
        metrics={name: t_interval(values) for name, values in means.items()},
        diagnostics=diagnostics(rows, sizes),
        train_seconds=sum(trainings) if trainings else None,
        ms_per_query=_mean([row.ms_per_query for row in rows], sizes),
        pairs_per_second=pairs / sum(seconds) if sum(seconds) else 0.0,
        per_query={name: tuple(chain.from_iterable(row.per_query[name] for row in rows)) for name in first.per_query},
        folds=means,
        findings=findings(_parts(rows)),
        ms_p95=_mean([row.ms_p95 for row in rows], sizes),
        dollars=_mean(prices, sizes) if len(prices) == len(rows) else None,
        validity=pooled_figures([row.validity for row in rows], sizes),
        faults=merged(_parts([row.faults for row in rows])),
    )


def _parts(of_folds: Sequence[T]) -> dict[str, T]:
    return {f"fold {number}": one for number, one in enumerate(of_folds, 1)}


def _mean(values: Iterable[float], sizes: Sequence[int]) -> float:
    """Over the queries of all folds."""
    return fmean(values, weights=sizes)
