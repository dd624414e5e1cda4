"""A checkpoint as its users will load it, asked about the dev split twice: it must be what was selected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rr.border import plugin_code
from rr.errors import RerankError
from rr.measures import evaluate, metric
from rr.protocols import Requalifies
from rr.rerank import compose
from rr.training import DEV_METRIC
from rr.types import Dataset, Ranking
from rr_bench.loading import Checked, load_component
from rr_bench.resolve import Resolved
from rr_bench.train.events import DevFigures


def reloaded(resolved: Resolved, trainer: Any, dataset: Dataset, folder: Path, dev: DevFigures) -> dict[str, Any]:
    """`dataset`: with the dev split that the training selects on; `dev`: what it has told of it.

    `metric` and `found`: what the trainer selects by (nDCG@10 where nobody but it can tell it), of the checkpoint as
    it is loaded; `base`: of its component without one, as the trainer has told it or as it is asked now, null where
    there is none. `twice`: the largest difference between two scorings. `spread`: the mean standard deviation of a
    query's scores. `diagnostics`: means over the queries. `chosen`: how often the candidate at each place was ranked
    first. `queries`: how many.

    Raises:
        RerankError: it cannot be loaded, or does not score.
    """
    asks = dev.metric is not None and not _known(dev.metric) and isinstance(trainer, Requalifies)
    name = dev.metric if dev.metric is not None and (asks or _known(dev.metric)) else DEV_METRIC
    component = load_component(resolved, folder)
    first, again = _ranked(resolved, component, dataset), _ranked(resolved, component, dataset)
    base = dev.before
    if base is None or name != dev.metric:
        base = _base(resolved, trainer, dataset, name, asks)
    spreads = [_deviation(list(ranking.scores.values())) for ranking in first]
    names = {key for ranking in first for key in ranking.diagnostics}
    return {
        "metric": name,
        "found": _figure(trainer, component, dataset, name, first, asks),
        "base": base,
        "twice": max((_difference(*pair) for pair in zip(first, again, strict=True)), default=0.0),
        "spread": fmean(spreads) if spreads else 0.0,
        "diagnostics": {key: fmean(one.diagnostics.get(key, 0.0) for one in first) for key in sorted(names)},
        "chosen": _chosen(dataset, first),
        "queries": len(first),
    }


def _base(resolved: Resolved, trainer: Any, dataset: Dataset, name: str, asks: bool) -> float | None:
    try:
        bare = load_component(resolved, None)
    except RerankError:  # there is no model without a checkpoint
        return None
    return _figure(trainer, bare, dataset, name, _ranked(resolved, bare, dataset), asks)


def _known(name: str) -> bool:
    """Whether it is a metric of `rr.measures`."""
    try:
        metric(name)
    except RerankError:
        return False
    return True


def _figure(
    trainer: Any, component: Any, dataset: Dataset, name: str, rankings: Sequence[Ranking], asks: bool
) -> float:
    if asks:
        with plugin_code("the trainer's quality() broke"):
            return float(trainer.quality(component, dataset))
    run = {ranking.query.id: ranking.run for ranking in rankings}
    return fmean(evaluate(run, dataset.qrels, tuple(run), metric(name)))


def _ranked(resolved: Resolved, component: Any, dataset: Dataset) -> list[Ranking]:
    requests = dataset.requests("dev")
    reranker = Checked(component) if resolved.entry.reranker is not None else compose(component)
    return list(reranker.rerank(requests))


def _difference(first: Ranking, again: Ranking) -> float:
    """As a share of the scores' own size, or of 1 where that is smaller."""
    before, now = first.scores, again.scores
    return max((abs(score - now[id_]) / max(1.0, abs(score)) for id_, score in before.items()), default=0.0)


def _deviation(scores: Sequence[float]) -> float:
    if not scores:
        return 0.0
    mean = fmean(scores)
    return math.sqrt(fmean((score - mean) ** 2 for score in scores))


def _chosen(dataset: Dataset, rankings: Sequence[Ranking]) -> list[int]:
    """Place among the candidates → how many queries' best one stood there."""
    counts: list[int] = []
    for ranking in rankings:
        if ranking.items:
            place = dataset.candidates[ranking.query.id].index(ranking.items[0].document.id)
            counts += [0] * (place + 1 - len(counts))
            counts[place] += 1
    return counts
