"""The trial of a checkpoint before it is published: it is there, loads, and scores otherwise than without it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rr.errors import PluginError, RerankError
from rr.measures import evaluate, metric, population
from rr.protocols import ModelInfo
from rr.rerank import compose
from rr.rerank.gate import checked_info
from rr.types import Dataset, Ranking, Request
from rr_bench.loading import Checked, load_component
from rr_bench.resolve import Resolved
from rr_bench.train.events import DevFigures

QUERIES, ORDERS = 4, 32
"""How many dev queries are compared: so many by their scores, so many where only the order of a score counts, which an
honest training may leave alone for some."""


class UnchangedError(PluginError):
    """A checkpoint scores as its component does without one."""


class UnbetteredError(RerankError):
    """A checkpoint scores so since its training began with all of dev right: its beginning is its best evaluation."""


def tried(resolved: Resolved, dataset: Dataset, folder: Path, files: Collection[str], dev: DevFigures) -> ModelInfo:
    """Loads what a trainer has written into `folder` (the names of its `files`) as its users will, and tells what is
    known of the loaded model. `dataset`: with the dev split that the training selects on; `dev`: what it told of that.

    Raises:
        PluginError: nothing was written.
        UnchangedError: on the dev split it scores as the component does without a checkpoint.
        UnbetteredError: so it does, and no order of the candidates would be better than that.
    """
    if not files:
        raise PluginError(
            f"the trainer of {resolved.name!r} wrote nothing; it must write what its scorer loads into out"
        )
    requests = [request for request in dataset.requests("dev") if len(request.candidates) > 1][:ORDERS]
    info, trained = _answers(resolved, requests, folder)
    try:
        _, untrained = _answers(resolved, requests, None)
    except RerankError:  # there is no model without a checkpoint, and nothing to be mistaken for
        return info
    if trained and all(_same(*pair) for pair in zip(trained, untrained, strict=True)):
        many = f"{len(trained)} dev queries"
        seen = f"the checkpoint of {resolved.name!r} scores {many} exactly as the untrained model does"
        raise _explained(seen, dataset, dev)
    return info


def _explained(seen: str, dataset: Dataset, dev: DevFigures) -> RerankError:
    """Whose fault it is that the checkpoint is the untrained model, so far as the dev figures tell."""
    saves = "see that its trainer saves the weights that it changes, that its scorer loads them, and that the learning"
    if dev.before is None or dev.best is None or not dev.best <= dev.before:
        return UnchangedError(f"{seen}: {saves} rate is not 0")
    figures = f"{dev.before:.4f} before the first step, {dev.best:.4f} at best after it"
    seen += f", and nothing was better: dev {dev.metric or 'figure'} {figures}"
    if dev.before < _highest(dataset, dev.metric) - 1e-9:
        mend = "or give it more dev queries, or no training (checkpoint: none)"
        return UnchangedError(f"{seen}; {saves} rate is neither 0 nor too high; {mend}")
    mend = "give it more or harder dev queries, or no training (checkpoint: none)"
    return UnbetteredError(f"{seen}; no order of their candidates is better, whatever its trainer does: {mend}")


def _highest(dataset: Dataset, name: str | None) -> float:
    """What the best order of the dev candidates reaches: less than 1 where the first stage has missed something. Of a
    metric that its trainer alone knows, 1."""
    try:
        measure = metric(name or "")
        queries = population(dataset, "dev", measure)
    except RerankError:
        return 1.0
    run = {q: {id_: float(dataset.qrels[q].get(id_, 0)) for id_ in dataset.candidates[q]} for q in queries}
    return fmean(evaluate(run, dataset.qrels, queries, measure))


def _answers(
    resolved: Resolved, requests: Sequence[Request], checkpoint: Path | None
) -> tuple[ModelInfo, Sequence[Ranking]]:
    """In one window, so that scores stay scores."""
    component = load_component(resolved, checkpoint)
    info = checked_info(component.info)
    asked = requests if info.scale == "rank" else requests[:QUERIES]
    if resolved.entry.reranker is not None:
        return info, Checked(component).rerank(asked)
    return info, compose(component).rerank([_cut(request, info.max_candidates) for request in asked])


def _cut(request: Request, limit: int | None) -> Request:
    first_stage = None if request.first_stage is None else request.first_stage[:limit]
    return replace(request, candidates=request.candidates[:limit], first_stage=first_stage)


def _same(trained: Ranking, untrained: Ranking) -> bool:
    before = untrained.scores
    return all(math.isclose(score, before[id_], rel_tol=1e-6, abs_tol=1e-9) for id_, score in trained.scores.items())
