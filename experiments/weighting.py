"""Does weighting the hard negatives help? The same head, data, seeds and schedule, trained with three losses:

    python -m experiments.weighting -d DATASET [--registry FILE] --out FOLDER

`unweighted`: every weight is 1. `weighted`: the weight multiplies the exponential. `similarity × weight`: the weight
multiplies the similarity inside it, which is the recipe's original mistake; it exists in this file only.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any

import torch
import typer
from scipy import stats
from torch import Tensor

from rr import Dataset, RerankError
from rr.data import folded
from rr.files import write_atomic
from rr.registry.plugins import installed_plugins
from rr_bench.data.load import load_dataset
from rr_bench.evaluate.significance import Difference, difference, t_interval
from rr_bench.registry import load_registry
from rr_bench.report.table import p_value
from rr_bench.resolve import resolve
from rr_bench.train.trainers import training_settings
from rr_head.batches import Batch, Row, training_rows
from rr_head.listings import ListingTask
from rr_head.scorer import HeadScorer
from rr_head.settings import HeadSettings, HeadTraining
from rr_head.trainer import Trained, info_nce, train_head
from rr_torch.encoding import FrozenEncoder

UNWEIGHTED, WEIGHTED, WRONG = "unweighted", "weighted", "similarity × weight"
VARIANTS = (UNWEIGHTED, WEIGHTED, WRONG)
RATES = (2e-4, 5e-4, 1e-3, 2e-3, 5e-3)
NOT_SHOWN = ("R@1", "nDCG@10")


def multiplied_similarity(batch: Batch, temperature: Tensor) -> Tensor:
    """The original's mistake: s = w · cosine / τ for a hard negative. A negative of negative cosine is then pushed
    all the less the heavier it is, and a light one of high cosine hardly at all."""
    rows = torch.arange(len(batch.queries), device=batch.queries.device)
    hidden = batch.same.clone()
    hidden[rows, rows] = False
    in_batch = batch.queries @ batch.positives.T / temperature
    losses = []
    for anchor, logits, masked in ((batch.queries, in_batch, hidden), (batch.positives, in_batch.T, hidden.T)):
        hard = torch.einsum("id,ikd->ik", anchor, batch.negatives) * batch.weights / temperature
        terms = [logits.masked_fill(masked, -torch.inf), hard.masked_fill(batch.weights == 0, -torch.inf)]
        losses.append(torch.logsumexp(torch.cat(terms, dim=1), dim=1) - logits[rows, rows])
    return torch.stack(losses).mean()


Values = dict[str, list[float]]


@dataclass(frozen=True)
class Mean:
    """A mean over seeds with its 95 % t interval; None where there is one value only."""

    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    """Two-sided, of the mean being 0."""


def mean_over_seeds(values: Sequence[float]) -> Mean:
    if len(values) < 2:
        return Mean(fmean(values))
    found, error = t_interval(values), stdev(values) / math.sqrt(len(values))
    p = 2 * stats.t.sf(abs(found.mean) / error, len(values) - 1) if error else found.mean == 0
    return Mean(found.mean, found.low, found.high, float(p))


@dataclass
class Experiment:
    """The data, the encoder, and the settings that all variants share."""

    dataset: Dataset
    encoder: FrozenEncoder
    scorer_settings: HeadSettings
    training: HeadTraining

    def train(self, variant: str, seed: int, rate: float) -> Trained:
        training = self.training.model_copy(update={"seed": seed, "lr": rate})
        rows = training_rows(self.dataset, training.num_hard_negatives)
        if variant == UNWEIGHTED:
            rows = [_unweighted(row) for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            return train_head(
                self.encoder,
                rows,
                self.dataset,
                training,
                self.scorer_settings.model_copy(update={"seed": seed}),
                lambda event: None,
                Path(folder),
                multiplied_similarity if variant == WRONG else info_nce,
            )

    def dev(self, rate: float) -> float:
        """How well the unweighted and the weighted head do on the dev split, on average, with seed 0."""
        heads = [self.train(variant, 0, rate) for variant in (UNWEIGHTED, WEIGHTED)]
        return fmean(head.metrics[self.training.dev_metric] for head in heads)

    def test(self, variant: str, seed: int, rate: float) -> Values:
        head = self.train(variant, seed, rate).head
        return ListingTask(self.dataset, "test").values(HeadScorer.of(self.encoder, head).embed)


def check_splits(dataset: Dataset) -> str:
    """
    Returns:
        What is left of a test positive in the training, in words.

    Raises:
        RerankError: a positive of the test or dev split is one of the train split.
    """
    texts = {
        split: {folded(dataset.documents[id_].content) for q in query_ids for id_ in dataset.relevant(q)}
        for split, query_ids in dataset.splits.items()
    }
    for split in ("dev", "test"):
        if shared := texts[split] & texts["train"]:
            raise RerankError(f"{len(shared)} positives of the {split} split are positives of train; split by group")
    negatives = {
        folded(dataset.documents[n.document_id].content)
        for q in dataset.splits["train"]
        for n in dataset.hard_negatives.get(q, ())
    }
    return (
        f"{len(texts['test'])} distinct positives of test: 0 of them are positives of train, "
        f"{len(texts['test'] & negatives)} are hard negatives of train"
    )


def main(
    name: Annotated[str, typer.Option("--dataset", "-d", help="Data set with named, weighted hard negatives.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for weighting.md and weighting.json.")],
    registry: Annotated[Path | None, typer.Option("--registry", help="registry.yaml to read.")] = None,
    reranker: Annotated[str, typer.Option("--reranker", help="Entry whose settings and training are used.")] = "head",
    seeds: Annotated[int, typer.Option("--seeds", min=2)] = 5,
    rates: Annotated[
        list[float] | None, typer.Option("--lr", help="Learning rates to choose from on the dev split (repeat).")
    ] = None,
) -> None:
    """Compare the weighted loss with the unweighted one and with the original's mistake, over several seeds."""
    found, plugins = load_registry(registry), installed_plugins()
    resolved = resolve(plugins, reranker, found.reranker(reranker, None))
    if resolved.target is not HeadScorer or not isinstance(resolved.settings, HeadSettings):
        raise RerankError(f"{reranker!r} is no projection head; name an entry of scorer 'head' with --reranker")
    training = training_settings(plugins, resolved)
    assert isinstance(training, HeadTraining)
    dataset = load_dataset(name, found.dataset(name))
    if not dataset.hard_negatives:
        raise RerankError(f"data set {name!r} names no hard negatives; there is nothing to weigh")
    checked = check_splits(dataset)
    experiment = Experiment(dataset, FrozenEncoder(resolved.settings), resolved.settings, training)

    dev = {}
    for rate in rates or RATES:
        dev[rate] = experiment.dev(rate)
        typer.echo(f"lr {rate:g}: {training.selects_by()} on dev {dev[rate]:.4f}", err=True)
    best = max(dev, key=dev.__getitem__)
    base = ListingTask(dataset, "test").values(experiment.encoder)
    reached: dict[str, list[Values]] = {variant: [] for variant in VARIANTS}
    for variant in VARIANTS:
        for seed in range(seeds):
            reached[variant].append(experiment.test(variant, seed, best))
            typer.echo(f"{variant}, seed {seed}: MRR on test {fmean(reached[variant][-1]['MRR']):.4f}", err=True)

    shown = [measure for measure in base if measure not in NOT_SHOWN]
    results = {
        "base encoder": {measure: Mean(fmean(base[measure])) for measure in shown},
        **{v: {m: mean_over_seeds([fmean(one[m]) for one in reached[v]]) for m in shown} for v in VARIANTS},
    }
    pairs = list(zip(reached[WEIGHTED], reached[UNWEIGHTED], strict=True))
    gaps = {m: mean_over_seeds([fmean(ours[m]) - fmean(theirs[m]) for ours, theirs in pairs]) for m in shown}
    by_query = difference(*(_mean_of([one["MRR"] for one in reached[variant]]) for variant in (WEIGHTED, UNWEIGHTED)))
    facts = {
        "command": shlex.join(["python", "-m", "experiments.weighting", *sys.argv[1:]]),
        "dataset": {
            "name": name,
            "fingerprint": dataset.fingerprint,
            "queries": {s: len(q) for s, q in dataset.splits.items()},
        },
        "leakage": checked,
        "settings": resolved.settings.model_dump(mode="json"),
        "training": {**training.model_dump(mode="json", exclude={"seed", "lr"}), "lr": best},
        "seeds": seeds,
        "dev by lr": {f"{one:g}": value for one, value in dev.items()},
        "test": {v: {m: asdict(value) for m, value in row.items()} for v, row in results.items()},
        "weighted − unweighted, over seeds": {m: asdict(value) for m, value in gaps.items()},
        "weighted − unweighted, MRR over queries": asdict(by_query),
    }
    write_atomic(out / "weighting.json", json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    write_atomic(out / "weighting.md", _markdown(facts, results, gaps, by_query, training.selects_by()))
    typer.echo((out / "weighting.md").read_text(encoding="utf-8"), nl=False)


def _unweighted(row: Row) -> Row:
    return replace(row, negatives=[replace(negative, weight=1.0) for negative in row.negatives])


def _mean_of(lists: Iterable[Sequence[float]]) -> list[float]:
    return [fmean(values) for values in zip(*lists, strict=True)]


def _markdown(
    facts: Mapping[str, Any],
    results: Mapping[str, Mapping[str, Mean]],
    gaps: Mapping[str, Mean],
    by_query: Difference,
    dev_metric: str,
) -> str:
    measures = list(gaps)
    queries = facts["dataset"]["queries"]
    rows = [["", *measures], ["---", *("---:" for _ in measures)]]
    rows += [[variant, *(_interval(means[m]) for m in measures)] for variant, means in results.items()]
    rows.append(["weighted − unweighted", *(_interval(gaps[m], "+") for m in measures)])
    rows.append(["p", *("" if (p := gaps[m].p) is None else p_value(p) for m in measures)])
    caution = f" Caution: {by_query.caution}." if by_query.caution else ""
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"""# Does weighting the hard negatives help?

`{facts["command"]}`

Data set {facts["dataset"]["name"]} ({facts["dataset"]["fingerprint"][:12]}): {queries["train"]} train,
{queries["dev"]} dev and {queries["test"]} test queries. {facts["leakage"]}.

Each test query ranks its positives against its own hard negatives and the positives of the other test queries.
Accuracy: share of (positive, own hard negative) pairs in which the positive has the higher cosine; one of several
types counts under each. Means over {facts["seeds"]} seeds with their 95 % t intervals over seeds: these tell of
initialisation and order, not of which queries were asked.

{table}

MRR, weighted − unweighted, each query's mean over seeds, paired over queries, 95 % t interval and p by random signs:
{by_query.mean:+.4f} [{by_query.low:+.4f}, {by_query.high:+.4f}], p {p_value(by_query.p)}.{caution}

Learning rate {facts["training"]["lr"]:g}, the best of {", ".join(facts["dev by lr"])} by {dev_metric} on dev (seed 0,
mean of unweighted and weighted); of every training the epoch with the best {dev_metric} on dev. Settings are in
weighting.json.
"""


def _interval(value: Mean, sign: str = "") -> str:
    if value.low is None:
        return f"{value.mean:{sign}.4f}"
    return f"{value.mean:{sign}.4f} [{value.low:{sign}.4f}, {value.high:{sign}.4f}]"


if __name__ == "__main__":
    try:
        typer.run(main)
    except RerankError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
