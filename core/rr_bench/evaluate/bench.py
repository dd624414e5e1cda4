"""The bench: every reranker on every data set, the same candidates in the same order, the same metrics."""

from __future__ import annotations

import functools
import logging
import os
import traceback
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rr.errors import DataError, NotApplicableError, RerankError, nearest, summary
from rr.files import home
from rr.files.kept import anew
from rr.measures import Metric, evaluate_all, metric, population
from rr.progress import SILENT, Progress
from rr.protocols import Reranker
from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.resolve import resolve
from rr.registry.schema import RerankerEntry
from rr.types import Dataset
from rr_bench import arguments
from rr_bench.arguments import opened
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.view import shown
from rr_bench.doctor.diagnosis import listed
from rr_bench.entries import Failure, chosen_entries, failing_datasets
from rr_bench.environment import Conditions, conditions
from rr_bench.evaluate.conclusions import concluded
from rr_bench.evaluate.cost import stored_cost
from rr_bench.evaluate.diagnosed import chosen_places, diagnosed
from rr_bench.evaluate.folds import Prefixed, pooled
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row, Weights
from rr_bench.evaluate.significance import difference, interval
from rr_bench.evaluate.store import Scored, score
from rr_bench.explain import explaining
from rr_bench.keys import reranker_key
from rr_bench.loading import load_reranker
from rr_bench.registry import Registry, Suite
from rr_bench.train.checkpoints import Choice
from rr_bench.train.training import entry_checkpoint


@explaining()
def bench(
    names: Sequence[str] = (),
    *,
    profile: str | None = None,
    datasets: Sequence[str] = (),
    baseline: str | None = None,
    folds: int | None = None,
    fresh: bool = False,
    registry: Path | str | Registry | None = None,
    plugins: Plugins | None = None,
    progress: Progress = SILENT,
) -> BenchResult:
    """Benches the named rerankers (all of the profile, and every component that no entry names, if none is given) on
    the named data sets (all of the profile's suite if none is given). `baseline`: the one that the others' differences
    are taken from, the suite's own if none is given. `folds`: cross-validates by query instead of using the data sets'
    own splits (`rr_bench.evaluate.folds`). `fresh`: all that was kept for these is made anew and replaced: prepared
    data, checkpoints that the bench trains, vectors, exports, scores and times.

    What fails becomes a FAILED row or data set with its reason; the others stand. `RR_STRICT=1` raises instead.

    Raises:
        RegistryError: the registry is malformed, or a name does not exist.
        PluginError: a metric of the suite cannot be imported, or needs what is not installed.
        TypeError: an argument is of a wrong type.
    """
    names, datasets = arguments.texts("names", names), arguments.texts("datasets", datasets)
    for argument, value in {"profile": profile, "baseline": baseline}.items():
        arguments.of_type(argument, value, str)
    arguments.of_type("folds", folds, int)
    arguments.of_type("plugins", plugins, Plugins)
    if folds is not None and folds < 2:
        raise RerankError(f"a cross-validation has at least 2 folds, not {folds}")
    home()  # which must be a folder before anything is worked out
    registry = opened(registry)
    plugins = plugins or installed_plugins()
    chosen = registry.profile(profile)
    suite = registry.suite(chosen.suite)
    for name in datasets:
        if name not in suite.datasets:
            raise RerankError(f"suite {chosen.suite!r} has no data set {name!r}{nearest(name, list(suite.datasets))}")
    entries = chosen_entries(registry, plugins, profile, names)
    if baseline is not None:
        if baseline not in entries:
            raise RerankError(f"baseline {baseline!r} is not benched here{nearest(baseline, list(entries))}")
        suite = suite.model_copy(update={"baseline": baseline})
    for name in suite.metrics:
        _ = metric(name).function  # or what cannot be computed would be told after the work
    asked = datasets or list(suite.datasets)
    failing = {name: entry.reason for name, entry in entries.items() if isinstance(entry, Failure)}
    failing |= {name: reason for name, reason in failing_datasets(plugins, suite).items() if name in asked}
    for name, reason in failing.items():  # now rather than after all that goes before
        logging.getLogger("rr").warning("%s FAILED: %s", name, reason)
    with anew() if fresh else nullcontext():
        results = [_bench_dataset(name, suite, registry, plugins, entries, folds, progress) for name in asked]
    return BenchResult(
        profile or registry.default_profile, suite.baseline, suite.metrics, concluded(results), _environment()
    )


def _bench_dataset(
    name: str,
    suite: Suite,
    registry: Registry,
    plugins: Plugins,
    entries: Mapping[str, RerankerEntry | Failure],
    folds: int | None,
    progress: Progress,
) -> DatasetResult:
    try:
        if folds is None:
            dataset = load_dataset(name, registry.dataset(name), progress)
            result = _dataset_result(dataset, suite, plugins, entries, progress)
        else:
            datasets = load_folds(name, registry.dataset(name), folds, progress)
            result = pooled(_fold_results(datasets, suite, plugins, entries, progress))
    except Exception as error:  # noqa: BLE001 - it is kept, as a FAILED data set, and the others go on
        _strict(error)
        return DatasetResult(name, failure=_reason(error), traceback=traceback.format_exc())
    baseline, rows = _baseline(result.rows, suite), tuple(_compared(result.rows, suite))
    order, notes = registry.dataset(name).candidates.order, (*result.notes, *_no_difference(rows, baseline))
    return replace(result, order=order, baseline=baseline, rows=rows, notes=notes)


def _fold_results(
    datasets: Sequence[Dataset],
    suite: Suite,
    plugins: Plugins,
    entries: Mapping[str, RerankerEntry | Failure],
    progress: Progress,
) -> list[DatasetResult]:
    results: list[DatasetResult] = []
    left = dict(entries)
    for number, dataset in enumerate(datasets, 1):
        fold = f"fold {number} of {len(datasets)}"
        try:
            results.append(_dataset_result(dataset, suite, plugins, left, Prefixed(progress, f"{fold}, ")))
        except DataError as error:
            raise DataError(f"{fold}: {error}") from error
        # what failed in one fold is FAILED in all: nothing more is spent on it
        left |= {row.reranker: Failure(row.failure, row.traceback) for row in results[-1].rows if row.failure}
    return results


def _dataset_result(
    dataset: Dataset,
    suite: Suite,
    plugins: Plugins,
    entries: Mapping[str, RerankerEntry | Failure],
    progress: Progress,
) -> DatasetResult:
    """All rerankers on one data set, not compared yet."""
    measures = {measure: population(dataset, "test", measure) for measure in map(metric, suite.metrics)}
    test, view = dataset.splits["test"], shown(dataset)
    return DatasetResult(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        documents=len(dataset.documents),
        queries={split: len(query_ids) for split, query_ids in dataset.splits.items()},
        retriever=dataset.retriever,
        protocol=dataset.protocol,
        mean_candidates=sum(len(dataset.candidates[q]) for q in test) / len(test),
        recall_ceiling=dataset.recall_ceiling("test"),
        notes=dataset.notes,
        query_ids=test,
        populations={measure.population: ids for measure, ids in measures.items() if measure.population},
        rows=tuple(_row(label, entry, dataset, view, measures, plugins, progress) for label, entry in entries.items()),
    )


def _row(
    label: str,
    entry: RerankerEntry | Failure,
    dataset: Dataset,
    view: Dataset,
    measures: Mapping[Metric, Sequence[str]],
    plugins: Plugins,
    progress: Progress,
) -> Row:
    if isinstance(entry, Failure):
        return Row(label, failure=entry.reason, traceback=entry.traceback)
    try:
        return _measured(label, entry, dataset, view, measures, plugins, progress)
    except NotApplicableError as error:
        return Row(label, skipped=str(error))
    except Exception as error:  # noqa: BLE001 - it is kept, as a FAILED row, and the others go on
        _strict(error)
        return Row(label, failure=_reason(error), traceback=traceback.format_exc())


def _measured(
    label: str,
    entry: RerankerEntry,
    dataset: Dataset,
    view: Dataset,
    measures: Mapping[Metric, Sequence[str]],
    plugins: Plugins,
    progress: Progress,
) -> Row:
    """`view`: what the reranker is shown of the data set. `measures`: each metric with the test queries that it is a
    mean over."""
    resolved = resolve(plugins, label, entry)
    choice = entry_checkpoint(plugins, resolved, dataset, progress)

    @functools.cache
    def loaded() -> Reranker:
        return load_reranker(resolved, choice.folder)

    requests = view.requests("test")
    key = [
        reranker_key(resolved),
        choice.fingerprint(),
        dataset.fingerprint,
        "test",
    ]
    with progress.task(f"{dataset.name}: {label}", len(requests)) as advance:
        scored = score(loaded, key, requests, advance)
        loaded.cache_clear()  # two of a large model may not fit
        cost = stored_cost(lambda: load_reranker(resolved, choice.folder), key, requests, scored.answers)
    runs = {query_id: answer.scores for query_id, answer in scored.answers.items()}
    values = _values(runs, view, measures)
    checkpoint = choice.checkpoint
    diagnostics, chosen = _diagnostics(scored), chosen_places(requests, runs)
    diagnosis = diagnosed(resolved, dataset, choice, diagnostics, chosen, plugins)
    return Row(
        reranker=label,
        state=scored.info.state,
        notes=(*scored.info.notes, *choice.notes),
        metrics={name: interval(one) for name, one in values.items()},
        diagnostics=diagnostics,
        train_seconds=checkpoint.seconds if checkpoint else None,
        train_timed_on=checkpoint.timed_on if checkpoint else {},
        ms_per_query=cost.ms_per_query,
        pairs_per_second=cost.pairs_per_second,
        timed_on=cost.timed_on,
        parameters=scored.info.parameters,
        trainable=checkpoint.trained(scored.info) if checkpoint else 0,
        weights=weights_from(choice),
        scores_from_store=scored.stored,
        per_query={name: tuple(one) for name, one in values.items()},
        verdict=diagnosis.verdict,
        findings=tuple(listed(diagnosis)),
        chosen=chosen,
    )


def _values(
    runs: Mapping[str, Mapping[str, float]], view: Dataset, measures: Mapping[Metric, Sequence[str]]
) -> dict[str, list[float]]:
    """The name of each metric → one value for each query of its population; rankings are read and sorted once."""
    test = view.splits["test"]
    found = evaluate_all(runs, view.qrels, test, list(measures))
    place = {query_id: number for number, query_id in enumerate(test)}
    return {one.name: found[one.name][[place[query_id] for query_id in ids]].tolist() for one, ids in measures.items()}


def weights_from(choice: Choice) -> tuple[Weights, ...]:
    """The checkpoint that was chosen, if one was, and what it was trained on."""
    if choice.checkpoint is None:
        return ()
    one, data = choice.checkpoint, choice.checkpoint.record["data"]
    return (Weights(one.folder.absolute().name, one.fingerprint(), data["name"], data["fingerprint"]),)


def _diagnostics(scored: Scored) -> dict[str, float]:
    """Means over the queries; what a query does not report counts 0."""
    rows = [answer.diagnostics for answer in scored.answers.values()]
    names = sorted({name for row in rows for name in row})
    return {name: sum(row.get(name, 0.0) for row in rows) / len(rows) for name in names}


def _compared(rows: Sequence[Row], suite: Suite) -> list[Row]:
    """The rows with their paired difference from the baseline, where both have figures."""
    leading = suite.metrics[0]
    baseline = next((row for row in rows if row.reranker == _baseline(rows, suite) and row.metrics), None)
    if baseline is None:
        return list(rows)
    return [
        row
        if not row.metrics or row is baseline
        else replace(row, difference=difference(row.per_query[leading], baseline.per_query[leading]))
        for row in rows
    ]


def _baseline(rows: Sequence[Row], suite: Suite) -> str:
    """The suite's baseline, or its `oracle_baseline` where that one has no order to be compared with."""
    skipped = any(row.reranker == suite.baseline and row.skipped for row in rows)
    return suite.oracle_baseline if skipped else suite.baseline


def _no_difference(rows: Sequence[Row], baseline: str) -> tuple[str, ...]:
    """Why no row has a difference, where it is for want of a baseline."""
    of_baseline = next((row for row in rows if row.reranker == baseline), None)
    if of_baseline is None:
        return (f"no Δ: the baseline {baseline!r} is not among these rows; name it too, or another with --baseline",)
    return () if of_baseline.metrics else (f"no Δ: the baseline {baseline!r} has no figures",)


def _strict(error: Exception) -> None:
    if os.environ.get("RR_STRICT") == "1":
        raise error


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, RerankError) else summary(error)


def _environment() -> Conditions:
    """Of this run; what was stored before says for itself what it was timed on (`Row.timed_on`)."""
    with conditions() as found:
        return found()
