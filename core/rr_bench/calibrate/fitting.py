"""A calibration of a reranker, fitted on the dev split of a data set, and judged by pairs that it was not fitted on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from statistics import NormalDist

import numpy as np

from rr.data.collection import members
from rr.errors import RerankError
from rr.types import Dataset, Ranking, Request, Scale
from rr_bench.calibrate.figures import (
    Floats,
    Labels,
    auroc,
    brier,
    equal_mass,
    expected_error,
    reliability,
    sigmoid,
)
from rr_bench.calibrate.fit import FITS, Method, coordinate
from rr_bench.calibrate.kept import Calibration, Figures, belonging
from rr_bench.calibrate.probable import are_places
from rr_bench.parts import parts
from rr_bench.resolve import Resolved
from rr_bench.train.checkpoints import Checkpoint

FEWEST = 10
"""Relevant pairs, and other ones, below which nothing is fitted."""
FOLDS, SEED = 5, 13
"""Of the cross-fitting; queries are dealt out with the seed."""
DIGITS = 4
"""Of a threshold, so that the one that is printed is the one that was tried."""


def calibrated(
    rerank: Callable[[Sequence[Request]], Sequence[Ranking]],
    resolved: Resolved,
    checkpoint: Checkpoint | None,
    scale: Scale,
    dataset: Dataset,
    method: Method,
    precision: float,
    advance: Callable[[int], None] = lambda queries: None,
) -> Calibration:
    """Asks `rerank` about the dev split, never about test. `dataset`: as rerankers are shown it.

    A pair is a dev query and one of its candidates; it is relevant if it is judged so. The threshold is the smallest
    probability, of four digits, from which on the 95 % Wilson interval of the share of relevant pairs on dev lies
    wholly above `precision`: below it, by its point estimate alone, one threshold in two would promise too much.

    Raises:
        RerankError: the scores are ranks, dev holds too few pairs of either class, or all of one class are in one
            group of queries, or higher scores are not more often relevant.
        ScoringError: an answer that cannot be ranked.
    """
    name = resolved.name
    if scale == "rank":
        raise RerankError(f"{name!r} gives ranks, of which only the order is meaningful: they have no probability")
    requests = dataset.requests("dev")
    scores, labels, queries = _pairs(rerank, requests, dataset, name, advance)
    positives = int(labels.sum())
    for count, what in ((positives, "relevant"), (len(labels) - positives, "other")):
        if count < FEWEST:
            raise RerankError(
                f"{name!r}: the {len(requests)} dev queries of {dataset.name!r} have {count} {what} candidates, too "
                f"few to calibrate on ({FEWEST} at least); give dev more queries (split: dev)"
            )
    x = coordinate(scores, scale)
    folds = _dealt(queries, dataset, labels, name)
    crossed = np.empty_like(x)
    for fold in range(max(folds) + 1):
        held = folds == fold
        crossed[held] = FITS[method].fit(x[~held], labels[~held])(x[held])
    fitted = FITS[method].fit(x, labels)
    threshold, found = chosen_threshold(fitted(x), labels, precision)
    raw = as_probabilities(scores, scale)
    return Calibration(
        reranker=name,
        belongs=belonging(resolved, checkpoint),
        scale=scale,
        method=method,
        map=asdict(fitted),
        data={"name": dataset.name, "fingerprint": dataset.fingerprint},
        queries=len(set(queries)),
        pairs=len(labels),
        positives=positives,
        precision=precision,
        threshold=threshold,
        found=found,
        before={"auroc": auroc(x, labels)} if raw is None else figures(raw, labels),
        after=figures(crossed, labels),
        notes=tuple(_notes(dataset, scale, checkpoint)),
    )


def as_probabilities(scores: Floats, scale: Scale) -> Floats | None:
    """Scores read as probabilities where they claim to be some: a probability as it is, a logit by the sigmoid."""
    if scale == "probability":
        return np.clip(scores, 0, 1)
    return sigmoid(scores) if scale == "logit" else None


def figures(probabilities: Floats, labels: Labels) -> Figures:
    return {
        "auroc": auroc(probabilities, labels),
        "brier": brier(probabilities, labels),
        "ece": expected_error(reliability(probabilities, labels)),
        "ece_mass": expected_error(reliability(probabilities, labels, equal_mass(probabilities))),
    }


def chosen_threshold(probabilities: Floats, labels: Labels, precision: float) -> tuple[float | None, dict[str, float]]:
    """The threshold (see `calibrated`), and what is found from it on. Where there is none: None, and the one whose
    lower bound is the highest."""
    unit = 10**DIGITS
    best: tuple[float, dict[str, float]] | None = None
    for step in sorted({math.floor(p * unit) for p in probabilities.tolist()}):
        kept = probabilities >= step / unit
        hits, count = int(labels[kept].sum()), int(kept.sum())
        found = {
            "threshold": step / unit,
            "kept": float(count),
            "precision": hits / count,
            "low": wilson_low(hits, count),
            "recall": hits / int(labels.sum()),
        }
        if found["low"] >= precision:
            return step / unit, found
        if best is None or found["low"] > best[0]:
            best = (found["low"], found)
    return None, best[1] if best else {}


def wilson_low(hits: int, count: int) -> float:
    """The lower end of the 95 % Wilson score interval of a share (Wilson 1927)."""
    share, z = hits / count, NormalDist().inv_cdf(0.975)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, (share + z * z / (2 * count) - reach) / (1 + z * z / count))


def _pairs(
    rerank: Callable[[Sequence[Request]], Sequence[Ranking]],
    requests: Sequence[Request],
    dataset: Dataset,
    name: str,
    advance: Callable[[int], None],
) -> tuple[Floats, Labels, list[str]]:
    """Of every pair its score, whether it is relevant, and its query."""
    scores: list[float] = []
    labels: list[bool] = []
    queries: list[str] = []
    for part in parts(requests):
        for ranking in rerank(part):
            if are_places(ranking):
                raise RerankError(
                    f"{name!r}: query {ranking.query.id!r} has more candidates than fit at once, and gets places, not "
                    "scores; calibrate on a data set with fewer (candidates: depth)"
                )
            relevant = dataset.relevant(ranking.query.id)
            scores += (item.score for item in ranking.items)
            labels += (item.document.id in relevant for item in ranking.items)
            queries += [ranking.query.id] * len(ranking.items)
        advance(len(part))
    return np.array(scores, dtype=np.float64), np.array(labels, dtype=np.bool_), queries


def _dealt(
    queries: Sequence[str], dataset: Dataset, labels: Labels, name: str
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The fold of each pair: whole groups of queries, those with relevant pairs first, each to the next fold.

    Raises:
        RerankError: a fit would see but one class.
    """
    with_relevant = {query for query, label in zip(queries, labels.tolist(), strict=True) if label}
    groups = members(list(dict.fromkeys(queries)), dataset.groups)
    order = sorted(groups)
    random.Random(SEED).shuffle(order)
    order.sort(key=lambda group: with_relevant.isdisjoint(groups[group]))
    of_query = {query: number % FOLDS for number, group in enumerate(order) for query in groups[group]}
    folds = np.array([of_query[query] for query in queries], dtype=np.int64)
    for fold in set(of_query.values()):
        others = labels[folds != fold]
        if not others.any() or others.all():
            raise RerankError(
                f"{name!r}: all relevant, or all other, candidates of dev of {dataset.name!r} are those of one group "
                "of queries: nothing tells whether a calibration holds for others; give dev more queries (split: dev)"
            )
    return folds


def _notes(dataset: Dataset, scale: Scale, checkpoint: Checkpoint | None) -> list[str]:
    notes = []
    if scale == "logit":
        notes.append("before: the sigmoid of the logit")
    if dataset.protocol == "oracle":
        notes.append(
            "protocol oracle puts the truth among the candidates: where a first stage may miss it, these are too high"
        )
    if checkpoint is not None and checkpoint.record["data"]["name"] == dataset.name:
        notes.append(
            "the checkpoint was selected on this dev split: its scores there are a little better than elsewhere"
        )
    return notes
