"""Rankings as arrays, read and sorted once for all measures.

A run is read as trec_eval reads it (`rr.types.trec_order`): scores as 32-bit floats, ties by descending document id,
whatever order the documents came in. A query that the run does not hold counts 0. Relevant documents that are no
candidates count as missed: they stand among the judgements alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rr.errors import ScoringError
from rr.measures.metric import Metric
from rr.types import Qrels, Run

Floats, Ints = NDArray[np.float64], NDArray[np.int64]
UNJUDGED = -(2**63)
"""In place of the grade of a document that nobody has judged, and behind the last one of a row."""
BLOCK = 2**19  # candidates, or judgements, that are held at a time


@dataclass(frozen=True)
class Rankings:
    """Judged rankings, a row a query: all that a measure may depend on, read-only. `ranks`: of the candidates that are
    judged, from 1, best first; infinite behind the last one. `grades`: theirs. `lengths`: how many candidates are
    ranked, judged or not. `judged`: the grades of all that is judged, found or not, highest first. A grade above 0 is
    relevant; `UNJUDGED` fills rows up."""

    ranks: Floats
    grades: Ints
    lengths: Ints
    judged: Ints

    def __post_init__(self) -> None:
        for array in (self.ranks, self.grades, self.lengths, self.judged):
            array.setflags(write=False)

    @classmethod
    def of(cls, run: Run, qrels: Qrels, query_ids: Sequence[str]) -> "Rankings":
        """Of these queries, all at once; `evaluate` takes them block by block. Raises ScoringError: a score is NaN or
        infinite."""
        runs, judged = [run.get(query_id, {}) for query_id in query_ids], [qrels[query_id] for query_id in query_ids]
        lengths, counts = np.array([*map(len, runs)], np.int64), np.array([*map(len, judged)], np.int64)
        given = np.fromiter(chain.from_iterable(one.values() for one in runs), float)
        if (bad := np.flatnonzero(~np.isfinite(given))).size:
            place = np.searchsorted(lengths.cumsum(), bad[0], "right")
            raise ScoringError(f"query {query_ids[place]!r}: a score is NaN or infinite")
        found = (map(grades.get, one, repeat(UNJUDGED)) for one, grades in zip(runs, judged, strict=True))
        grades = _rows(np.fromiter(chain.from_iterable(found), np.int64), lengths, UNJUDGED)
        scores = _rows(given, lengths, np.nan)
        ordered = np.sort(_float32(scores), axis=1)
        for row in np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1)):  # NaN equals nothing
            ids = list(runs[row])
            order = sorted(range(len(ids)), key=ids.__getitem__, reverse=True)
            scores[row, : len(ids)], grades[row, : len(ids)] = scores[row, order], grades[row, order]
        every = np.fromiter(chain.from_iterable(one.values() for one in judged), np.int64)
        return cls.of_arrays(scores, grades, _rows(every, counts, UNJUDGED), lengths)

    @classmethod
    def of_arrays(
        cls, scores: NDArray[Any], grades: Ints, judged: Ints | None = None, lengths: Ints | None = None
    ) -> "Rankings":
        """Of scores and grades (queries, candidates), equal scores in the order of the columns; `UNJUDGED` where there
        is no grade. `judged`: the grades of all that is judged, if not all of it is a candidate. `lengths`: how many of
        a row's columns count, if not all. Raises ScoringError: a score is NaN or infinite."""
        width = scores.shape[1]
        lengths = np.full(len(scores), width) if lengths is None else lengths
        beyond = np.arange(width) >= lengths[:, None]
        if not (np.isfinite(scores) | beyond).all():
            raise ScoringError("a score is NaN or infinite")
        bits = (_float32(scores) + np.float32(0)).view(np.uint32)  # -0.0 is 0.0
        falling = np.where(bits >> 31, bits, bits ^ 0x7FFFFFFF).astype(np.uint64)  # whole numbers, the best's the least
        falling[beyond] = 2**32 - 1
        order = np.sort(falling << 32 | np.arange(width, dtype=np.uint64), axis=1) & 0xFFFFFFFF
        ranked = np.take_along_axis(np.where(beyond, UNJUDGED, grades), order.astype(np.int64), axis=1)
        known = ranked != UNJUDGED
        counts = np.count_nonzero(known, axis=1)
        ranks, grades = _rows(np.nonzero(known)[1] + 1.0, counts, np.inf), _rows(ranked[known], counts, UNJUDGED)
        return cls(ranks, grades, lengths, np.sort(grades if judged is None else judged, axis=1)[:, ::-1])

    def condensed(self) -> "Rankings":
        """Without the candidates that nobody has judged (Sakai & Kando 2008)."""
        lengths = np.count_nonzero(np.isfinite(self.ranks), axis=1)
        ranks = np.where(np.isfinite(self.ranks), np.arange(1.0, self.ranks.shape[1] + 1), np.inf)
        return Rankings(ranks, self.grades, lengths, self.judged)


def evaluate(run: Run, qrels: Qrels, query_ids: Sequence[str], measure: Metric) -> list[float]:
    """One value a query, in the order of `query_ids`; a query missing from the run counts 0."""
    return evaluate_all(run, qrels, query_ids, [measure])[measure.name].tolist()  # type: ignore[no-any-return]


def evaluate_all(run: Run, qrels: Qrels, query_ids: Sequence[str], measures: Sequence[Metric]) -> dict[str, Floats]:
    """The name of each measure → one value a query, in the order of `query_ids`. Raises ScoringError: a score is NaN or
    infinite; PluginError: see `Metric.values`."""
    found: dict[str, list[Floats]] = {measure.name: [np.zeros(0)] for measure in measures}
    widest = max((max(len(run.get(id_, ())), len(qrels[id_])) for id_ in query_ids), default=1)
    step = max(BLOCK // max(widest, 1), 1)
    for start in range(0, len(query_ids), step):
        rankings = Rankings.of(run, qrels, query_ids[start : start + step])
        for measure in measures:
            found[measure.name].append(measure.values(rankings))
    return {name: np.concatenate(values) for name, values in found.items()}


def _rows(values: NDArray[Any], lengths: Ints, fill: float) -> NDArray[Any]:
    """Values (of all rows) → (rows, the longest), filled up."""
    rows = np.full((len(lengths), lengths.max(initial=0)), fill, values.dtype)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = values
    return rows


def _float32(scores: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond the range of 32 bits it is infinite
        return scores.astype(np.float32)
