"""What may be concluded from a whole bench: p-values corrected for all its comparisons, and notes where intervals and
p rest on too little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from rr_bench.evaluate.results import DatasetResult, Row
from rr_bench.evaluate.significance import MEANS, caution, few_queries, holm


def concluded(datasets: Sequence[DatasetResult]) -> tuple[DatasetResult, ...]:
    """The results of all data sets of a bench, compared already. All differences, of every row of every data set, are
    one family; what has no figures is not of it."""
    gaps = [row.difference for dataset in datasets for row in dataset.rows if row.difference]
    corrected = iter(holm([gap.p for gap in gaps]))
    return tuple(
        replace(
            dataset,
            notes=(*dataset.notes, *_few(dataset)),
            rows=tuple(_row(row, corrected) for row in dataset.rows),
        )
        for dataset in datasets
    )


def _row(row: Row, corrected: Iterator[float]) -> Row:
    notes = (*row.notes, *_cautions(row))
    if row.difference is None:
        return replace(row, notes=notes)
    return replace(row, notes=notes, difference=replace(row.difference, p_holm=next(corrected)))


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
