"""What is left to ir_measures (https://ir-measur.es), and to the tools that it asks."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from rr.measures import UNJUDGED, Rankings
from rr_measures.settings import OfIrMeasures


def calculated(rankings: Rankings, settings: OfIrMeasures) -> NDArray[np.float64]:
    """Source: ir_measures, https://ir-measur.es/en/latest/measures.html

    It is given documents that are called by their ranks, so that its tools, which differ in what they do with equal
    scores, have none to order."""
    import ir_measures

    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    measure = ir_measures.measures.registry[settings.measure](**given)
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for row, length in enumerate(rankings.lengths.tolist()):
        if not length or rankings.judged[row].max(initial=-1) < 0:  # it is 0, and some would never come to an end
            continue
        there = np.isfinite(rankings.ranks[row])
        ranks, grades = rankings.ranks[row, there].astype(int).tolist(), rankings.grades[row, there].tolist()
        missed = Counter(grade for grade in rankings.judged[row].tolist() if grade != UNJUDGED) - Counter(grades)
        run[str(row)] = {f"d{rank}": float(length - rank + 1) for rank in range(1, length + 1)}
        qrels[str(row)] = {f"d{rank}": grade for rank, grade in zip(ranks, grades, strict=True)}
        qrels[str(row)] |= {f"missed{number}": grade for number, grade in enumerate(missed.elements())}
    values = np.zeros(len(rankings.lengths))
    for found in ir_measures.iter_calc([measure], qrels, run):
        values[int(found.query_id)] = found.value
    return values
