"""The figures of the same rows over groups of queries: those that share one value of a field (easy, hard)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rr.errors import RegistryError, nearest
from rr.types import Dataset
from rr_bench.evaluate.results import DatasetResult, Group, Row
from rr_bench.evaluate.significance import MEANS, Interval, few_queries, limits

MOST = 50
"""Groups of one field: a table a group is for values that many queries share."""


def check_fields(dataset: Dataset, fields: Sequence[str]) -> None:
    """Before anything is scored.

    Raises:
        RegistryError: the queries of the data set have no such field, or it has a value for almost each.
    """
    for field in fields:
        if field not in dataset.facets:
            near = nearest(field, list(dataset.facets))
            raise RegistryError(f"data set {dataset.name!r}: group_by: its queries have no field {field!r}{near}")
        if (count := len(set(dataset.facets[field].values()))) > MOST:
            raise RegistryError(
                f"data set {dataset.name!r}: group_by: {field!r} has {count} values, which are no groups; name a field "
                f"with at most {MOST}"
            )


def grouped(
    result: DatasetResult, metrics: Sequence[str], fields: Sequence[str], facets: Mapping[str, Mapping[str, str]]
) -> tuple[Group, ...]:
    """One for each value of each of the fields, in the order of the values, that test queries have."""
    return tuple(
        _group(result, metrics, field, value, facets[field])
        for field in fields
        for value in sorted({facets[field].get(id_, "") for id_ in result.query_ids}, key=_order)
    )


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers by size, then texts; what has no value last."""
    number = float(value) if value.removeprefix("-").isdecimal() else float("inf")
    return not value, number, value


def _group(result: DatasetResult, metrics: Sequence[str], field: str, value: str, values: Mapping[str, str]) -> Group:
    places = {}
    for metric in metrics:
        ids = enumerate(result.queries_of(metric))
        places[metric] = np.array([place for place, id_ in ids if values.get(id_, "") == value], dtype=int)
    counts = {metric: len(of_metric) for metric, of_metric in places.items()}
    found = {
        row.reranker: {metric: _interval(row, metric, places[metric]) for metric in metrics if counts[metric]}
        for row in result.rows
        if row.metrics
    }
    return Group(field, value, counts, found, few_queries(counts[metrics[0]]))


def _interval(row: Row, metric: str, places: np.ndarray[tuple[int], np.dtype[np.int_]]) -> Interval:
    values = np.array(row.per_query[metric])[places]
    seeds = [tuple(float(np.array(seed.per_query[metric])[places].mean()) for seed in row.seeds)] if row.seeds else []
    low, high = limits(values, MEANS, seeds)
    return Interval(float(values.mean()), float(low), float(high))
