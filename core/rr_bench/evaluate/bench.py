"""The bench: every reranker on every data set, the same candidates in the same order, the same metrics."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

from rr.errors import DataError, NotApplicableError, RerankError, nearest, summary
from rr.files import home
from rr.files.kept import anew
from rr.measures import metric, population
from rr.progress import SILENT, Progress
from rr.registry.plugins import Plugins, installed_plugins
from rr.registry.schema import Price
from rr.types import Dataset
from rr_bench import arguments
from rr_bench.arguments import opened
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.view import shown
from rr_bench.entries import Failure, chosen_entries, failing_datasets
from rr_bench.environment import Conditions, conditions
from rr_bench.evaluate.conclusions import concluded
from rr_bench.evaluate.first_stage import stored_retrieval
from rr_bench.evaluate.folds import Prefixed, pooled
from rr_bench.evaluate.measured import Bench, measured_row
from rr_bench.evaluate.pareto import with_front
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.significance import difference
from rr_bench.explain import explaining
from rr_bench.members import Part
from rr_bench.registry import Registry, Suite


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
        if not suite.meant(name):
            raise RerankError(f"suite {chosen.suite!r} has no data set {name!r}{nearest(name, list(suite.datasets))}")
    entries = chosen_entries(registry, plugins, profile, names)
    if baseline is not None:
        if baseline not in entries:
            raise RerankError(f"baseline {baseline!r} is not benched here{nearest(baseline, list(entries))}")
        suite = suite.model_copy(update={"baseline": baseline})
    asked = [one for name in datasets for one in suite.meant(name)] or list(suite.datasets)
    failing = {name: entry.reason for name, entry in entries.items() if isinstance(entry, Failure)}
    failing |= {name: reason for name, reason in failing_datasets(plugins, suite).items() if name in asked}
    for name, reason in failing.items():  # now rather than after all that goes before
        logging.getLogger("rr").warning("%s FAILED: %s", name, reason)
    with anew() if fresh else nullcontext():
        results = [
            _bench_dataset(name, suite, registry, plugins, entries, chosen.price, folds, progress) for name in asked
        ]
    return BenchResult(
        profile or registry.default_profile, suite.baseline, suite.metrics, concluded(results), _environment()
    )


def _bench_dataset(
    name: str,
    suite: Suite,
    registry: Registry,
    plugins: Plugins,
    entries: Mapping[str, Part | Failure],
    price: Price | None,
    folds: int | None,
    progress: Progress,
) -> DatasetResult:
    asked = registry.dataset(name)
    try:
        if folds is None:
            dataset = load_dataset(name, asked, progress)
            result = _dataset_result(dataset, suite, plugins, entries, price, progress)
        else:
            dataset, *others = load_folds(name, asked, folds, progress)
            result = pooled(_fold_results([dataset, *others], suite, plugins, entries, price, progress))
        retrieval = stored_retrieval(asked.candidates, dataset, plugins)
    except Exception as error:  # noqa: BLE001 - it is kept, as a FAILED data set, and the others go on
        _strict(error)
        return DatasetResult(name, failure=_reason(error), traceback=traceback.format_exc())
    baseline, rows = _baseline(result.rows, suite), with_front(_compared(result.rows, suite), suite.metrics[0])
    order, notes = asked.candidates.order, (*result.notes, *_no_difference(rows, baseline))
    first_stage = asdict(retrieval) if retrieval else {}
    return replace(
        result,
        order=order,
        baseline=baseline,
        rows=rows,
        notes=notes,
        first_stage_timed_on=first_stage.pop("timed_on", {}),
        first_stage=first_stage,
    )


def _fold_results(
    datasets: Sequence[Dataset],
    suite: Suite,
    plugins: Plugins,
    entries: Mapping[str, Part | Failure],
    price: Price | None,
    progress: Progress,
) -> list[DatasetResult]:
    results: list[DatasetResult] = []
    left = dict(entries)
    for number, dataset in enumerate(datasets, 1):
        fold = f"fold {number} of {len(datasets)}"
        try:
            results.append(_dataset_result(dataset, suite, plugins, left, price, Prefixed(progress, f"{fold}, ")))
        except DataError as error:
            raise DataError(f"{fold}: {error}") from error
        # what failed in one fold is FAILED in all: nothing more is spent on it
        left |= {row.reranker: Failure(row.failure, row.traceback) for row in results[-1].rows if row.failure}
    return results


def _dataset_result(
    dataset: Dataset,
    suite: Suite,
    plugins: Plugins,
    entries: Mapping[str, Part | Failure],
    price: Price | None,
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
        rows=_rows(entries, Bench(dataset, view, measures, price, plugins, progress)),
    )


def _rows(parts: Mapping[str, Part | Failure], bench: Bench) -> tuple[Row, ...]:
    """Those that are made of others come last: what is wrong with a member is known by then."""
    rows: dict[str, Row] = {}
    for label, part in sorted(parts.items(), key=lambda one: isinstance(one[1], Part) and bool(one[1].members)):
        rows[label] = _row(label, part, bench, rows)
    return tuple(rows[label] for label in parts)


def _row(label: str, part: Part | Failure, bench: Bench, rows: Mapping[str, Row]) -> Row:
    if isinstance(part, Failure):
        return Row(label, failure=part.reason, traceback=part.traceback)
    for row in (rows[one.name] for one in part.parts if one.name in rows):
        if row.failure:
            return Row(label, failure=f"member {row.reranker!r}: {row.failure}", traceback=row.traceback)
        if row.skipped:
            return Row(label, skipped=f"member {row.reranker!r}: {row.skipped}")
    try:
        return measured_row(part, bench)
    except NotApplicableError as error:
        return Row(label, skipped=str(error))
    except Exception as error:  # noqa: BLE001 - it is kept, as a FAILED row, and the others go on
        _strict(error)
        return Row(label, failure=_reason(error), traceback=traceback.format_exc())


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
