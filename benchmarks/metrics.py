"""What measures cost: ours against pytrec_eval and ranx, on a CPU and one thread.

    OMP_NUM_THREADS=1 python benchmarks/metrics.py [--queries N] [--rounds N] [--json FILE]

100,000 queries with 100 candidates each, five measures. Few: three judged documents a query, one of them no candidate;
many: all candidates are judged, half of them with grade 0. From dicts, each is given a run and judgements as dicts of
dicts, and builds from them what it needs; from arrays, ours is given scores and grades. ranx is compiled before. Each
turn asks all of them one after the other; seconds are those of the process's own CPU time, and goals are of the median
of the turns' own ratios. What all of them find must
be one thing (ranx where no scores are equal, as here). Exits 0 only where every goal holds.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np
import pytrec_eval
import ranx
from figures import Line, report
from numpy.typing import NDArray

from rr.measures import UNJUDGED, Rankings, evaluate_all, metric

MEASURES = {
    "nDCG@10": ("ndcg_cut_10", "ndcg@10"),
    "RR@10": ("recip_rank", "mrr@10"),
    "AP": ("map", "map"),
    "R@20": ("recall_20", "recall@20"),
    "Success@1": ("success_1", "hit_rate@1"),
}
"""Ours, pytrec_eval's (which has no RR@10, and is asked for RR), ranx's."""
CANDIDATES = 100
ARRAYS, DICTS, RANX = 1 / 10, 1 / 1.8, 1 / 10
AT_ONCE = 1_024
"""Queries that arrays are taken of at a time, as `evaluate_all` does."""
Table = dict[str, dict[str, Any]]


class Data:
    """One run and its judgements, as dicts and as arrays; no two scores of a query are equal in 32 bits."""

    def __init__(self, queries: int, many: bool) -> None:
        generator = np.random.default_rng(0)
        steps = generator.integers(1, 2_000, size=(queries, CANDIDATES)).cumsum(axis=1)
        order = generator.permuted(np.tile(np.arange(CANDIDATES), (queries, 1)), axis=1)
        self.scores = np.take_along_axis(steps, order, axis=1) / 2.0**18
        if many:
            self.grades = generator.integers(-3, 4, size=(queries, CANDIDATES)).clip(0)
        else:
            self.grades = np.full((queries, CANDIDATES), UNJUDGED)
            for places in generator.permuted(np.tile(np.arange(CANDIDATES), (queries, 1)), axis=1)[:, :2].T:
                self.grades[np.arange(queries), places] = generator.integers(1, 4, size=queries)
        missed = np.full((queries, 1), 1)
        found = self.grades[self.grades != UNJUDGED].reshape(queries, -1)
        self.judged = np.hstack([found, missed])  # the grades of all that is judged, in whatever order
        documents = generator.integers(0, 10**7, size=(queries, CANDIDATES + 1)) * 128 + np.arange(CANDIDATES + 1)
        self.run: Table = {}
        self.qrels: Table = {}
        width = len(str(queries))  # ranx sorts queries by their names
        for row in range(queries):
            name = f"q{row:0{width}}"
            ids = [f"d{number}" for number in documents[row].tolist()]
            self.run[name] = dict(zip(ids, self.scores[row].tolist(), strict=False))
            pairs = zip(ids, [*self.grades[row].tolist(), 1], strict=True)
            self.qrels[name] = {id_: grade for id_, grade in pairs if grade != UNJUDGED}

    def from_arrays(self) -> dict[str, NDArray[np.float64]]:
        found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in MEASURES}
        measures = [*map(metric, MEASURES)]
        for start in range(0, len(self.scores), AT_ONCE):
            block = slice(start, start + AT_ONCE)
            rankings = Rankings.of_arrays(self.scores[block], self.grades[block], self.judged[block])
            for measure in measures:
                found[measure.name].append(measure.values(rankings))
        return {name: np.concatenate(values) for name, values in found.items()}

    def from_dicts(self) -> dict[str, NDArray[np.float64]]:
        return evaluate_all(self.run, self.qrels, list(self.qrels), [*map(metric, MEASURES)])

    def by_pytrec_eval(self) -> dict[str, NDArray[np.float64]]:
        evaluator = pytrec_eval.RelevanceEvaluator(self.qrels, {trec for trec, _ in MEASURES.values()})
        found = evaluator.evaluate(self.run)
        return {name: np.array([found[q][trec] for q in self.qrels]) for name, (trec, _) in MEASURES.items()}

    def by_ranx(self) -> dict[str, NDArray[np.float64]]:
        names = [theirs for _, theirs in MEASURES.values()]
        found = ranx.evaluate(ranx.Qrels(self.qrels), ranx.Run(self.run), names, return_mean=False, threads=1)
        return {name: found[theirs] for name, (_, theirs) in MEASURES.items()}


def timed(call: Callable[[], dict[str, NDArray[np.float64]]]) -> tuple[float, dict[str, NDArray[np.float64]]]:
    gc.collect()
    started = time.process_time()
    found = call()
    return time.process_time() - started, found


def measured(kind: str, data: Data, rounds: int) -> list[Line]:
    calls = {
        "arrays": data.from_arrays,
        "dicts": data.from_dicts,
        "pytrec_eval": data.by_pytrec_eval,
        "ranx": data.by_ranx,
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    furthest = 0.0
    for turn in range(rounds):
        found = {}
        for name in list(calls) if turn % 2 == 0 else reversed(calls):
            spent, found[name] = timed(calls[name])
            seconds[name].append(spent)
        for name in MEASURES:
            ours = found["dicts"][name]
            others = [found["arrays"][name], found["ranx"][name]]
            others += [] if name == "RR@10" else [found["pytrec_eval"][name]]
            furthest = max(furthest, *(float(np.abs(ours - other).max()) for other in others))

    def ratio(ours: str, theirs: str) -> float:
        return statistics.median(one / other for one, other in zip(seconds[ours], seconds[theirs], strict=True))

    return [
        Line(f"{kind}: from arrays / pytrec_eval", ratio("arrays", "pytrec_eval"), ARRAYS, at_least=False),
        Line(f"{kind}: from dicts / pytrec_eval", ratio("dicts", "pytrec_eval"), DICTS, at_least=False),
        Line(f"{kind}: from dicts / ranx", ratio("dicts", "ranx"), RANX, at_least=False),
        Line(f"{kind}: largest difference of a value", furthest, 1e-9, at_least=False),
        *(Line(f"  {kind}: seconds, {name}", statistics.median(spent)) for name, spent in seconds.items()),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=100_000, help="fewer for a quick look")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    Data(2, many=False).by_ranx()  # which compiles
    lines = []
    for kind, many in (("few judged", False), ("many judged", True)):
        lines += measured(kind, Data(options.queries, many), options.rounds)
    return report(lines, options.json)


if __name__ == "__main__":
    sys.exit(main())
