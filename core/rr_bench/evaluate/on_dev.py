"""How a checkpoint stands on the dev split that it was selected on, beside its base and the first stage: by one metric,
on the same queries and candidates. The test split is not looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from rr.data import with_dev_share
from rr.errors import RerankError
from rr.measures import evaluate, metric, population
from rr.training import DEV_METRIC
from rr.types import Dataset
from rr_bench.data.view import shown, without_test
from rr_bench.evaluate.pairs import Pairs
from rr_bench.evaluate.store import score
from rr_bench.keys import reranker_key
from rr_bench.loading import load_reranker
from rr_bench.progress import SILENT, Progress
from rr_bench.resolve import Resolved
from rr_bench.train.checkpoints import Checkpoint

OfRun = Callable[[dict[str, dict[str, float]]], float]
"""The figure of query id → document id → score."""


@dataclass(frozen=True)
class OnDev:
    """`base`: without the checkpoint; `first_stage`: of the order that the candidates came in. Where there is no figure
    there is the reason."""

    metric: str
    queries: int
    trained: float
    base: float | str
    first_stage: float | str

    def __str__(self) -> str:
        """`on dev, nDCG@10 over 20 queries: trained 0.6321, base 0.4512, first stage 0.5023`."""
        told = [f"trained {self.trained:.4f}", f"base {_told(self.base)}", f"first stage {_told(self.first_stage)}"]
        return f"on dev, {self.metric} over {self.queries} queries: {', '.join(told)}"


def on_dev(resolved: Resolved, checkpoint: Checkpoint, dataset: Dataset, progress: Progress = SILENT) -> OnDev:
    """By the metric that the training selected by; by nDCG@10 where that is no measure of rankings (a trainer's own).
    What the record of the training or the stores hold is not computed again.

    Raises:
        RerankError: the checkpoint cannot be asked.
    """
    record, data = checkpoint.record, without_test(shown(dataset))
    if (share := record.get("dev_share")) is not None:
        data = with_dev_share(data, *share)
    reload = record.get("reload") or {}
    name = reload["metric"] if _measures_rankings(reload.get("metric")) else DEV_METRIC
    measure = metric(name)
    asked = population(data, "dev", measure)
    requests = data.requests("dev")

    def of_run(run: dict[str, dict[str, float]]) -> float:
        return fmean(evaluate(run, data.qrels, asked, measure))

    def of_weights(trained: Checkpoint | None) -> float:
        weights = [reranker_key(resolved), trained.fingerprint() if trained else ""]
        key = [*weights, data.fingerprint, "dev", *([] if share is None else [list(share)])]
        pairs = Pairs.of(weights, resolved.entry, data)
        who = f"{data.name}: {resolved.name}{'' if trained else ', its base'} on dev"
        with progress.task(who, len(requests)) as advance:
            found = score(
                lambda: load_reranker(resolved, trained.folder if trained else None), key, requests, advance, pairs
            )
        return of_run({query_id: dict(answer.scores) for query_id, answer in found.answers.items()})

    known = name == reload.get("metric") and measure.population is None
    trained = float(reload["found"]) if known else of_weights(checkpoint)
    try:
        base = reload["base"] if known and reload.get("base") is not None else of_weights(None)
    except RerankError as error:
        base = f"none ({error})"
    return OnDev(name, len(asked), trained, base, _first_stage(data, of_run))


def _first_stage(data: Dataset, of_run: OfRun) -> float | str:
    if data.protocol == "oracle":
        return "none (protocol oracle puts the truth among its candidates)"
    runs = {}
    for query_id in data.splits["dev"]:
        scores = data.first_stage.get(query_id)
        if scores is None:
            return "none (the candidates came without scores)"
        runs[query_id] = dict(zip(data.candidates[query_id], scores, strict=True))
    return of_run(runs)


def _measures_rankings(name: str | None) -> bool:
    try:
        metric(name or "")
    except RerankError:
        return False
    return True


def _told(figure: float | str) -> str:
    return figure if isinstance(figure, str) else f"{figure:.4f}"
