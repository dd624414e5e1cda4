"""The formulas of measures, each of a block of queries at once. `Source` says whose definition it is.

In arrays (queries, judged candidates in their order) what fills a row up has an infinite rank, and no relevant grade.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rr import DataError
from rr.measures import Rankings
from rr_measures.settings import Binary, BinaryCut, BinaryNeedsCut, Err, Ndcg, NeedsCut, Rbp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


def ndcg(rankings: Rankings, settings: Ndcg) -> Floats:
    """Source: Järvelin & Kekäläinen 2002, https://doi.org/10.1145/582415.582418; trec_eval ndcg, ndcg_cut"""
    ranks, grades = _first(rankings, settings.cutoff)
    if settings.gains:
        ideal = np.sort(_gain(rankings.judged, settings), axis=1)[:, ::-1][:, : settings.cutoff]
    else:
        ideal = _gain(rankings.judged[:, : settings.cutoff], settings)
    best = ideal @ (1 / np.log2(np.arange(2, ideal.shape[1] + 2)))
    return _share(_summed(_gain(grades, settings), 1 / np.log2(ranks + 1)), best)


def reciprocal_rank(rankings: Rankings, settings: BinaryCut) -> Floats:
    """Source: Kantor & Voorhees 2000, https://doi.org/10.1023/A:1009902609570; trec_eval recip_rank"""
    ranks, found = _found(rankings, settings)
    best: Floats = (found / ranks).max(axis=1, initial=0.0)
    return best


def average_precision(rankings: Rankings, settings: BinaryCut) -> Floats:
    """Source: Harman 1992, TREC-1; trec_eval map, map_cut"""
    return _share(_precisions(rankings, settings), _relevant(rankings, settings))


def context_precision(rankings: Rankings, settings: BinaryCut) -> Floats:
    """Source: ragas, https://docs.ragas.io/en/stable/concepts/metrics/available_metrics/context_precision/"""
    return _share(_precisions(rankings, settings), _found(rankings, settings)[1].sum(axis=1))


def recall(rankings: Rankings, settings: BinaryCut) -> Floats:
    """Source: trec_eval recall"""
    return _share(_found(rankings, settings)[1].sum(axis=1), _relevant(rankings, settings))


def precision(rankings: Rankings, settings: BinaryNeedsCut) -> Floats:
    """Source: trec_eval P"""
    return np.asarray(np.count_nonzero(_found(rankings, settings)[1], axis=1) / settings.cutoff)


def success(rankings: Rankings, settings: BinaryCut) -> Floats:
    """Source: trec_eval success"""
    return np.asarray(np.any(_found(rankings, settings)[1], axis=1), np.float64)


def r_precision(rankings: Rankings, settings: Binary) -> Floats:
    """Source: trec_eval Rprec"""
    relevant = _relevant(rankings, settings)
    found = (rankings.grades >= settings.rel) & (rankings.ranks <= relevant[:, None])
    return _share(found.sum(axis=1), relevant)


def bpref(rankings: Rankings, settings: Binary) -> Floats:
    """Source: Buckley & Voorhees 2004, https://doi.org/10.1145/1008992.1009000; trec_eval bpref"""
    relevant = _relevant(rankings, settings)
    other = ((rankings.judged >= 0) & (rankings.judged < settings.rel)).sum(axis=1)
    above = ((rankings.grades >= 0) & (rankings.grades < settings.rel)).cumsum(axis=1)
    lost = np.minimum(above, relevant[:, None]) / np.maximum(np.minimum(relevant, other), 1)[:, None]
    return _share(((1 - lost) * (rankings.grades >= settings.rel)).sum(axis=1), relevant)


def expected_reciprocal_rank(rankings: Rankings, settings: Err) -> Floats:
    """Source: Chapelle et al. 2009, https://doi.org/10.1145/1645953.1646033; TREC's gdeval"""
    ranks, grades = _first(rankings, settings.cutoff)
    if (highest := rankings.judged.max(initial=0)) > settings.max_rel:
        raise DataError(f"a document has grade {highest}; write ERR(max_rel={highest})")
    satisfied = (np.exp2(np.maximum(grades, 0)) - 1) / 2.0**settings.max_rel
    looked = np.cumprod(np.hstack([np.ones((len(ranks), 1)), 1 - satisfied]), axis=1)[:, :-1]
    return _summed(satisfied * looked, 1 / ranks)


def rank_biased_precision(rankings: Rankings, settings: Rbp) -> Floats:
    """Source: Moffat & Zobel 2008, https://doi.org/10.1145/1416950.1416952; cwl_eval RBP"""
    ranks, grades = _first(rankings, settings.cutoff)
    if settings.rel is None:
        highest = rankings.judged.max(axis=1, initial=1)
        gained = np.maximum(grades, 0) / np.maximum(highest, 1)[:, None]
    else:
        gained = (grades >= settings.rel).astype(np.float64)
    return _summed(gained, (1 - settings.p) * settings.p ** (ranks - 1))


def judged(rankings: Rankings, settings: NeedsCut) -> Floats:
    """Source: ir_measures, https://ir-measur.es/en/latest/measures.html"""
    return _share((rankings.ranks <= settings.cutoff).sum(axis=1), np.minimum(rankings.lengths, settings.cutoff))


def _first(rankings: Rankings, cutoff: int | None) -> tuple[Floats, Ints]:
    """Ranks and grades of the first ranks alone; of those beyond, which may share a row, the ranks are infinite."""
    if cutoff is None:
        return rankings.ranks, rankings.grades
    ranks = rankings.ranks[:, :cutoff]  # of the first ranks there are no more
    return np.where(ranks <= cutoff, ranks, np.inf), rankings.grades[:, :cutoff]


def _found(rankings: Rankings, settings: BinaryCut | BinaryNeedsCut) -> tuple[Floats, Mask]:
    """Ranks, and which of them are those of relevant documents."""
    ranks, grades = _first(rankings, settings.cutoff)
    return ranks, (grades >= settings.rel) & np.isfinite(ranks)


def _relevant(rankings: Rankings, settings: Binary) -> Ints:
    return np.asarray(np.count_nonzero(rankings.judged >= settings.rel, axis=1))


def _precisions(rankings: Rankings, settings: BinaryCut) -> Floats:
    """The precisions at the ranks of the relevant documents, summed."""
    ranks, found = _found(rankings, settings)
    return _summed(found.cumsum(axis=1, dtype=np.float64), found / ranks)


def _gain(grades: Ints, settings: Ndcg) -> Floats:
    gained = grades
    for grade, gain in (settings.gains or {}).items():
        gained = np.where(grades == grade, gain, gained)
    gained = np.maximum(gained, 0)
    return np.exp2(gained) - 1 if settings.dcg == "exp-log2" else gained.astype(np.float64)


def _summed(values: Floats, weights: Floats) -> Floats:
    """Over the ranks."""
    return np.asarray(np.einsum("qr,qr->q", values, weights))


def _share(part: NDArray[np.float64] | Ints, whole: NDArray[np.float64] | Ints) -> Floats:
    """0 where there is nothing."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0))
