"""Several runs of one query as one, as ranx has it (https://github.com/AmenRa/ranx), with whom the tests agree to 1e-9.

Reciprocal rank fusion: Cormack, Clarke & Büttcher 2009. CombSUM and CombMNZ: Fox & Shaw 1993. Normalisations: Lee 1997
(min-max), Montague & Aslam 2001 (sum, zmuv).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rr.types import trec_order
from rr_bench.schema import Normalisation, RerankerEntry

Run = Mapping[str, float]
"""Of one query: document id → score."""
SMALLEST = 1e-9
"""What is divided by is no less: all scores may be equal."""


def fused(runs: Sequence[Run], entry: RerankerEntry, weights: Sequence[float]) -> dict[str, float]:
    """Document id → score of the fusion that the entry asks for, over runs of the same documents. `weights`: one a run,
    of method `weighted`."""
    if entry.method == "rrf":
        return summed([_reciprocal(run, entry.k) for run in runs], [1.0] * len(runs))
    given = [normalised(run, entry.normalisation) for run in runs]
    if entry.method == "weighted":
        return summed(given, weights)
    # every member ranks every candidate: CombMNZ multiplies all by the same
    return summed(given, [float(len(runs)) if entry.method == "combmnz" else 1.0] * len(runs))


def normalised(run: Run, how: Normalisation) -> dict[str, float]:
    """`min-max`: (s - min) / (max - min); `sum`: (s - min) / Σ (s - min); `zmuv`: (s - mean) / standard deviation, of
    the population; `rank`: 1 - (rank - 1) / n; `none`: as it is."""
    if not run or how == "none":
        return dict(run)
    if how == "rank":
        return {id_: 1 - place / len(run) for place, id_ in enumerate(trec_order(run))}
    values = list(run.values())
    low, mean = min(values), math.fsum(values) / len(values)
    if how == "zmuv":
        spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
        return {id_: (value - mean) / max(spread, SMALLEST) for id_, value in run.items()}
    whole = max(values) - low if how == "min-max" else math.fsum(value - low for value in values)
    return {id_: (value - low) / max(whole, SMALLEST) for id_, value in run.items()}


def summed(runs: Sequence[Run], weights: Sequence[float]) -> dict[str, float]:
    """Document id → weighted sum of its scores."""
    # fsum: the order of the members decides no tie
    return {id_: math.fsum(w * run[id_] for w, run in zip(weights, runs, strict=True)) for id_ in runs[0]}


def _reciprocal(run: Run, k: int) -> dict[str, float]:
    return {id_: 1 / (k + rank) for rank, id_ in enumerate(trec_order(run), 1)}
