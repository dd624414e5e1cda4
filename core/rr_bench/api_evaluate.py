"""`rr.evaluate`: a reranker, or what one has ranked, against judgements, for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from rr.errors import RerankError, nearest
from rr.registry.plugins import Plugins, installed_plugins
from rr.types import Dataset, Qrels, Ranking, Run
from rr_bench import arguments
from rr_bench.api import NamedReranker, find_entry, load
from rr_bench.arguments import opened
from rr_bench.data.load import load_dataset
from rr_bench.data.splits import answerable
from rr_bench.data.view import shown
from rr_bench.explain import explaining
from rr_bench.judge.given import given_qrels, given_run
from rr_bench.judge.judge import Judged, checked_metrics, judge
from rr_bench.registry import Registry, Suite


@explaining()
def evaluate(
    reranker: str | NamedReranker | None = None,
    dataset: str | None = None,
    *,
    run: Run | Iterable[Ranking] | Path | str | None = None,
    qrels: Qrels | Path | str | None = None,
    metrics: Iterable[str] | None = None,
    split: str = "test",
    checkpoint: Path | str | None = None,
    profile: str | None = None,
    registry: Path | str | Registry | None = None,
    plugins: Plugins | None = None,
) -> Judged:
    """Metrics with 95 % intervals, and one value a query: of a reranker on a split of a data set, over the candidates
    that `rr bench` shows it; or of a `run`.

    A reranker is the name of an entry, which is loaded (where it is trained, with the checkpoint of this data set;
    nothing is trained here), or a loaded one. A run is a mapping query → document → score, rankings, or the path of a
    file. It is judged by `qrels`, a mapping query → document → grade or the path of a file, or by those of the data
    set's split. `metrics`: those of the data set's suite if not given, but for those over a population, which
    `rr.bench` tells.

    Raises:
        RerankError: a name, a metric or a split does not exist; a metric is over a population; a file is missing or
            malformed; the run holds none of the judged queries; not exactly one of `reranker` and `run` is given, or of
            `dataset` and `qrels`.
        TypeError: an argument is of a wrong type.
    """
    for name, value in {"dataset": dataset, "split": split, "profile": profile}.items():
        arguments.of_type(name, value, str)
    arguments.of_type("reranker", reranker, str, NamedReranker)
    arguments.of_type("checkpoint", checkpoint, str, Path)
    arguments.of_type("plugins", plugins, Plugins)
    asked = () if metrics is None else tuple(dict.fromkeys(arguments.texts("metrics", metrics)))
    checked_metrics(asked)  # before anything is loaded or ranked
    if (reranker is None) == (run is None):
        raise RerankError("give a reranker, or run=, what one has ranked: one of them")
    if (dataset is None) == (qrels is None):
        raise RerankError("give a data set, or qrels=, judgements of your own: one of them")
    if reranker is not None and dataset is None:
        raise RerankError("a reranker is judged on a data set, which has candidates for it; qrels= goes with run=")
    if checkpoint is not None and not isinstance(reranker, str):
        raise RerankError("checkpoint= goes with the name of a reranker")
    if dataset is None:
        own, warnings = given_qrels(qrels)
        found = given_run(run)
        found.warnings[:0] = warnings
        return judge(found, str(found.path), own, asked or Suite.model_fields["metrics"].default)
    registry, plugins = opened(registry), plugins or installed_plugins()
    entry = registry.dataset(dataset)
    told = asked or next(suite.metrics for suite in registry.suites.values() if dataset in suite.datasets)
    measures = [one for one in told if asked or ":" not in one]
    if run is not None:
        found = given_run(run)
        return judge(
            found, str(found.path), _judgements(load_dataset(dataset, entry, plugins=plugins), split), measures
        )
    view = shown(load_dataset(dataset, entry, plugins=plugins))
    judgements = _judgements(view, split)
    if not isinstance(reranker, NamedReranker):
        reranker = _loaded(str(reranker), dataset, checkpoint, profile, registry, plugins)
    rankings = reranker.rerank_all([one for one in view.requests(split) if one.query.id in judgements])
    return judge(given_run(rankings, reranker.name), reranker.name, judgements, measures)


def _judgements(dataset: Dataset, split: str) -> dict[str, Mapping[str, int]]:
    """Of the queries of a split that have an answer: those that a bench asks."""
    if split not in dataset.splits:
        raise RerankError(f"data set {dataset.name!r} has no split {split!r}{nearest(split, list(dataset.splits))}")
    found = {q: dataset.qrels[q] for q in dataset.splits[split] if answerable(dataset.qrels, q)}
    if not found:
        raise RerankError(f"data set {dataset.name!r} has no query with a relevant document in its split {split!r}")
    return found


def _loaded(
    name: str,
    dataset: str,
    checkpoint: Path | str | None,
    profile: str | None,
    registry: Registry,
    plugins: Plugins,
) -> NamedReranker:
    """With the weights that the data set asks for, where it does."""
    entry = find_entry(registry, plugins, name, profile)
    asks = entry.has_weights_of_data or entry.composed is not None or checkpoint is not None
    return load(
        name,
        checkpoint=checkpoint,
        dataset=dataset if asks else None,
        profile=profile,
        registry=registry,
        plugins=plugins,
    )
