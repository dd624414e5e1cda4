"""What may be concluded from a whole bench: p-values corrected for all its comparisons, and notes where intervals and
p rest on too little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rr_bench.evaluate.corrections import benjamini_hochberg, holm
from rr_bench.evaluate.results import Comparison, DatasetResult, Row
from rr_bench.evaluate.significance import MEANS, caution, few_queries


def concluded(datasets: Sequence[DatasetResult]) -> tuple[DatasetResult, ...]:
    """The results of all data sets of a bench, compared already. All comparisons by the leading metric, of every row of
    every data set, are one family; those by other metrics are exploratory, and another; what has no figures is of
    neither."""
    every = [one for dataset in datasets for one in dataset.comparisons]
    corrected = [
        iter(_corrected([one for one in every if one.exploratory is exploratory])) for exploratory in (False, True)
    ]
    found = []
    for dataset in datasets:
        comparisons = tuple(next(corrected[one.exploratory]) for one in dataset.comparisons)
        of_baseline = {
            one.reranker: one.difference
            for one in comparisons
            if one.baseline == dataset.baseline and not one.exploratory
        }
        rows = (replace(row, difference=of_baseline.get(row.reranker)) for row in dataset.rows)
        rows = (replace(row, notes=(*row.notes, *_cautions(row))) for row in rows)
        notes = (*dataset.notes, *_few(dataset))
        found.append(replace(dataset, comparisons=comparisons, rows=tuple(rows), notes=notes))
    return tuple(found)


def _corrected(family: Sequence[Comparison]) -> list[Comparison]:
    p_values = [one.difference.p for one in family]
    return [
        replace(one, difference=replace(one.difference, p_holm=p_holm, p_bh=p_bh))
        for one, p_holm, p_bh in zip(family, holm(p_values), benjamini_hochberg(p_values), strict=True)
    ]


def _cautions(row: Row) -> Iterator[str]:
    """Each caution once, with the metrics that it is about; an interval over folds is not one over queries."""
    found: dict[str, list[str]] = {}
    for name, values in row.per_query.items():
        if not row.folds and (text := caution(np.asarray(values, dtype=np.float64), MEANS)):
            found.setdefault(text, []).append(name)
    yield from (f"{', '.join(names)}: {text}" for text, names in found.items())
    if row.difference and row.difference.caution:
        yield f"Δ: {row.difference.caution}"


def _few(dataset: DatasetResult) -> Iterator[str]:
    """Populations differ in their number of queries."""
    counts = {len(values) for row in dataset.rows for values in row.per_query.values()}
    yield from filter(None, map(few_queries, sorted(counts)))
