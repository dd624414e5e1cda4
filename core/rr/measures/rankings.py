"""Rankings as arrays, sorted once for all measures, and read as trec_eval reads a run (`rr.types.trec_order`): 32-bit
scores, ties by descending document id. A query that the run does not hold counts 0. Relevant documents that are no
candidates count as missed: they stand among the judgements alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rr.errors import ScoringError
from rr.measures.names import Metric
from rr.types import Qrels, Run

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
UNJUDGED = -(2**63)
"""In place of the grade of a document that nobody has judged, and behind the last one of a row."""
BLOCK = 2**17  # candidates, or judgements, that are held at a time
FEW = 8  # judgements of a query


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
        """Of these queries, all at once. Raises ScoringError: a score is NaN or infinite."""
        runs, judged = [run.get(id_, {}) for id_ in query_ids], [qrels[id_] for id_ in query_ids]
        lengths, counts = np.array([*map(len, runs)], np.int64), np.array([*map(len, judged)], np.int64)
        scores = _rows(np.fromiter(chain.from_iterable(one.values() for one in runs), float), lengths, np.nan)
        if counts.sum() * scores.shape[1] <= FEW * BLOCK:  # few are found by their scores: of ties the ids are asked
            grades, pairs = np.full(scores.shape, UNJUDGED), list(zip(runs, judged, strict=True))
            found = [(row, one[i], g) for row, (one, known) in enumerate(pairs) for i, g in known.items() if i in one]
            if found:
                rows, values, known = map(np.array, zip(*found, strict=True))
                grades[rows, (scores[rows] == values[:, None]).argmax(axis=1)] = known
        else:
            asked = (map(known.get, one, repeat(UNJUDGED)) for one, known in zip(runs, judged, strict=True))
            grades = _rows(np.fromiter(chain.from_iterable(asked), np.int64), lengths, UNJUDGED)
        ordered = np.sort(_float32(scores), axis=1)
        for row in np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1)):  # NaN equals nothing
            ids = sorted(runs[row], reverse=True)
            scores[row, : len(ids)] = [runs[row][id_] for id_ in ids]
            grades[row, : len(ids)] = [judged[row].get(id_, UNJUDGED) for id_ in ids]
        every = _rows(np.fromiter(chain.from_iterable(one.values() for one in judged), np.int64), counts, UNJUDGED)
        return cls.of_arrays(scores, grades, every, lengths)

    @classmethod
    def of_arrays(
        cls, scores: NDArray[Any], grades: Ints, judged: Ints | None = None, lengths: Ints | None = None
    ) -> "Rankings":
        """Of scores and grades (queries, candidates), equal scores in the order of the columns. `judged`: the grades of
        all that is judged, if not all of it is a candidate. `lengths`: how many of a row's columns count, if not all.
        Raises ScoringError: a score is NaN or infinite."""
        width = scores.shape[1]
        lengths = np.full(len(scores), width) if lengths is None else lengths
        beyond = np.arange(width) >= lengths[:, None]
        if not (np.isfinite(scores) | beyond).all():
            raise ScoringError("a score is NaN or infinite")
        bits = (_float32(scores) + np.float32(0)).view(np.int32)  # -0.0 is 0.0
        falling = (~(bits ^ (bits >> 31 & 0x7FFFFFFF))).astype(np.int64)  # whole numbers, the best one's the least
        falling[beyond] = 2**31 - 1
        order = np.sort(falling << 32 | np.arange(width), axis=1) & 0xFFFFFFFF
        ranked = np.take_along_axis(grades, order, axis=1)
        known = (ranked != UNJUDGED) & ~beyond
        counts = np.count_nonzero(known, axis=1)
        places = np.broadcast_to(np.arange(1.0, width + 1), known.shape)
        ranks, grades = _rows(places[known], counts, np.inf), _rows(ranked[known], counts, UNJUDGED)
        best = np.sort(grades if judged is None else judged, axis=1)[:, ::-1]
        return cls(ranks, grades, lengths, best[:, : np.count_nonzero(best != UNJUDGED, axis=1).max(initial=0)])

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
    for rankings in blocks(run, qrels, query_ids):
        for measure in measures:
            found[measure.name].append(measure.values(rankings))
    return {name: np.concatenate(values) for name, values in found.items()}


def blocks(run: Run, qrels: Qrels, query_ids: Sequence[str]) -> Iterator[Rankings]:
    """As many queries at a time as memory should hold."""
    step = max(BLOCK // max((max(len(run.get(id_, ())), len(qrels[id_]), 1) for id_ in query_ids), default=1), 1)
    for start in range(0, len(query_ids), step):
        yield Rankings.of(run, qrels, query_ids[start : start + step])


def _rows(values: NDArray[Any], lengths: Ints, fill: float) -> NDArray[Any]:
    """Values (of all rows) → (rows, the longest), filled up."""
    rows = np.full((len(lengths), lengths.max(initial=0)), fill, values.dtype)
    if len(values) == rows.size:
        return values.reshape(rows.shape)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = values
    return rows


def _float32(scores: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond the range of 32 bits it is infinite
        return scores.astype(np.float32)
