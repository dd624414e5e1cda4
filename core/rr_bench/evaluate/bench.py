"""The bench: every reranker on every data set, the same candidates in the same order, the same metrics."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from rr.errors import DataError, NotApplicableError, RerankError, nearest, summary
from rr.files import home
from rr.measures import metric, population
from rr.registry.plugins import Plugins, installed_plugins
from rr.types import Dataset
from rr_bench import arguments
from rr_bench.arguments import opened
from rr_bench.cache.using import using_home
from rr_bench.data.corpus import corpus_size
from rr_bench.data.load import load_dataset, load_folds
from rr_bench.data.splits import answerable
from rr_bench.data.view import shown
from rr_bench.engine.opened import checked_engine, opened_engine
from rr_bench.engine.store import shared
from rr_bench.entries import Failure, chosen_entries, chosen_entry, failing_datasets
from rr_bench.environment import Conditions, conditions
from rr_bench.evaluate.asking import Bench, Handed, Skipped
from rr_bench.evaluate.comparison import compared
from rr_bench.evaluate.conclusions import concluded
from rr_bench.evaluate.first_stage import stored_retrieval
from rr_bench.evaluate.folds import pooled
from rr_bench.evaluate.given import with_checkpoints
from rr_bench.evaluate.groups import check_fields, grouped
from rr_bench.evaluate.handing import Rows, row_key
from rr_bench.evaluate.measured import measured_row
from rr_bench.evaluate.merging import Prefixed
from rr_bench.evaluate.pareto import with_front
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.evaluate.seeds import repeated
from rr_bench.evaluate.suite import suite_means
from rr_bench.evaluate.validity import dataset_faults, dataset_figures, truth_places
from rr_bench.explain import explaining
from rr_bench.keeping import anew
from rr_bench.members import Part
from rr_bench.progress import SILENT, Progress
from rr_bench.registry import Registry, Suite
from rr_bench.runs.recording import recorded
from rr_bench.schema import Price


@explaining()
@recorded
@using_home
def bench(
    names: Sequence[str] = (),
    *,
    profile: str | None = None,
    datasets: Sequence[str] = (),
    baseline: str | None = None,
    baselines: Sequence[str] = (),
    all_pairs: bool = False,
    folds: int | None = None,
    seeds: int | None = None,
    checkpoints: Sequence[str] | Mapping[str, Path | str | Sequence[Path | str]] = (),
    fresh: bool = False,
    jobs: int | None = None,
    engine: str | None = None,
    store: str | None = None,
    registry: Path | str | Registry | None = None,
    plugins: Plugins | None = None,
    progress: Progress = SILENT,
) -> BenchResult:
    """Benches the named rerankers (all of the profile, and every component that no entry names, if none is given) on
    the named data sets (all of the profile's suite if none is given). `baseline`: the one that the others' differences
    are taken from, the suite's own if none is given; `baselines`: several, the first of which the table shows;
    `all_pairs`: each is compared with each, too. `folds`: cross-validates by query instead of using the data sets'
    own splits (`rr_bench.evaluate.folds`). `seeds`: each training is repeated with so many
    (`rr_bench.evaluate.seeds`). `checkpoints`: texts NAME=FOLDER, or a mapping of names to folders; each is a row
    `NAME@FOLDER` in the place of NAME's own (`rr_bench.evaluate.given`). `fresh`: all that was kept for these is made
    anew and replaced: prepared data, checkpoints that the bench trains, vectors, exports, scores and times. `jobs`: so
    many processes train and score; `engine`: `ray` or `ray://HOST:PORT`, a Ray cluster does (`rr_bench.engine`). What
    is found is the same. `store`: a URL (`s3://bucket/folder`, what fsspec knows) by which what is kept is shared, so
    that workers need not see this `$RR_HOME`.

    What fails becomes a FAILED row or data set with its reason; the others stand. `RR_STRICT=1` raises instead.

    Raises:
        RegistryError: the registry is malformed, or a name does not exist.
        RerankError: there is no such engine, or it is not there; the store cannot be read and written.
        PluginError: a metric of the suite cannot be imported, or needs what is not installed.
        TypeError: an argument is of a wrong type.
    """
    names, datasets = arguments.texts("names", names), arguments.texts("datasets", datasets)
    baselines = arguments.texts("baselines", baselines)
    given = arguments.named_folders("checkpoints", checkpoints)
    for argument, value in {"profile": profile, "baseline": baseline, "engine": engine, "store": store}.items():
        arguments.of_type(argument, value, str)
    for argument, number in {"folds": folds, "seeds": seeds, "jobs": jobs}.items():
        arguments.of_type(argument, number, int)
    arguments.of_type("plugins", plugins, Plugins)
    if folds is not None and folds < 2:
        raise RerankError(f"a cross-validation has at least 2 folds, not {folds}")
    if seeds is not None and seeds < 2:
        raise RerankError(f"seeds that can be compared are at least 2, not {seeds}")
    if folds is not None and seeds is not None:
        raise RerankError("folds and seeds are two repetitions of a training; ask for one of them at a time")
    checked_engine(engine, jobs)
    if plugins is not None and plugins is not installed_plugins() and (engine or jobs):
        raise RerankError("plugins that are given cannot be handed to other processes; install them, or leave jobs out")
    home()  # which must be a folder before anything is worked out
    registry = opened(registry)
    plugins = plugins or installed_plugins()
    chosen = registry.profile(profile)
    suite = registry.suite(chosen.suite)
    for name in datasets:
        if not suite.meant(name):
            raise RerankError(f"suite {chosen.suite!r} has no data set {name!r}{nearest(name, list(suite.datasets))}")
    find = partial(chosen_entry, registry, plugins, profile)
    entries = with_checkpoints(chosen_entries(registry, plugins, profile, names), given, find, plugins)
    against = list(dict.fromkeys([*([] if baseline is None else [baseline]), *baselines])) or [suite.baseline]
    for name in against if baseline is not None or baselines else ():
        if name not in entries:
            raise RerankError(f"baseline {name!r} is not benched here{nearest(name, list(entries))}")
    for name in suite.metrics:
        _ = metric(name).function  # or what cannot be computed would be told after the work
    asked = [one for name in datasets for one in suite.meant(name)] or list(suite.datasets)
    failing = {name: entry.reason for name, entry in entries.items() if isinstance(entry, Failure)}
    failing |= {name: reason for name, reason in failing_datasets(plugins, suite).items() if name in asked}
    for name, reason in failing.items():  # now rather than after all that goes before
        logging.getLogger("rr").warning("%s FAILED: %s", name, reason)
    rows = Rows(
        {name: registry.dataset(name) for name in asked}, entries, suite.metrics, folds, seeds, plugins, progress
    )
    with anew() if fresh else nullcontext(), shared(store) as stored:
        with opened_engine(engine, jobs, rows.named(), stored) as workers:
            handed = None if workers is None else rows.hand_out(workers, stored)
        plan = Plan(against, all_pairs, folds, seeds, chosen.price, handed)
        results = [_bench_dataset(name, suite, registry, plugins, entries, plan, progress) for name in asked]
    found = concluded(results)
    means = suite_means(found, suite.metrics[0])
    return BenchResult(
        profile or registry.default_profile, against[0], suite.metrics, found, _environment(), suite=means
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What rows are compared with, and what is measured several times. `price`: of entries without one of their own.
    `handed`: what became of the rows where they were handed out."""

    baselines: Sequence[str]
    all_pairs: bool
    folds: int | None
    seeds: int | None
    price: Price | None
    handed: Handed | None


def _bench_dataset(
    name: str,
    suite: Suite,
    registry: Registry,
    plugins: Plugins,
    entries: Mapping[str, Part | Failure],
    plan: Plan,
    progress: Progress,
) -> DatasetResult:
    entry = registry.dataset(name)
    try:
        if plan.folds is None:
            if entry.split.all == "train":
                raise DataError(
                    f"data set {name!r} is all train, and nothing of it is tested; 'rr train NAME --dataset {name}' "
                    "trains on it, and another data set is benched"
                )
            datasets = [load_dataset(name, entry, progress)]
        else:
            datasets = load_folds(name, entry, plan.folds, progress)
        check_fields(datasets[0], entry.group_by)
        if plan.folds is None:
            result = _dataset_result(datasets[0], suite, plugins, entries, plan, progress)
        else:
            result = pooled(_fold_results(datasets, suite, plugins, entries, plan, progress))
        retrieval = stored_retrieval(entry.candidates, datasets[0], plugins)
    except Exception as error:  # noqa: BLE001 - it is kept, as a FAILED data set, and the others go on
        _strict(error)
        return DatasetResult(name, failure=_reason(error), traceback=traceback.format_exc())
    first_stage = asdict(retrieval) if retrieval else {}
    result = _compared(replace(result, order=entry.candidates.order), suite, plan)
    return replace(
        result,
        rows=tuple(with_front(result.rows, suite.metrics[0])),
        groups=grouped(result, suite.metrics, entry.group_by, datasets[0].facets),
        first_stage_timed_on=first_stage.pop("timed_on", {}),
        first_stage=first_stage,
    )


def _fold_results(
    datasets: Sequence[Dataset],
    suite: Suite,
    plugins: Plugins,
    entries: Mapping[str, Part | Failure],
    plan: Plan,
    progress: Progress,
) -> list[DatasetResult]:
    results: list[DatasetResult] = []
    left = dict(entries)
    for number, dataset in enumerate(datasets, 1):
        fold = f"fold {number} of {len(datasets)}"
        try:
            results.append(_dataset_result(dataset, suite, plugins, left, plan, Prefixed(progress, f"{fold}, ")))
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
    plan: Plan,
    progress: Progress,
) -> DatasetResult:
    """All rerankers on one data set, not compared yet."""
    test, view = dataset.splits["test"], shown(dataset)
    asked = tuple(query_id for query_id in test if answerable(dataset.qrels, query_id))
    answered = set(asked)
    measures = {
        measure: tuple(query_id for query_id in population(dataset, "test", measure) if query_id in answered)
        for measure in map(metric, suite.metrics)
    }
    figures = dataset_figures(dataset)
    faults = dataset_faults(dataset, figures)
    asking = Bench(dataset, view, view.requests("test"), measures, faults, plan.price, plugins, progress, plan.handed)
    return DatasetResult(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        documents=corpus_size(dataset),
        queries={split: len(query_ids) for split, query_ids in dataset.splits.items()},
        retriever=dataset.retriever,
        protocol=dataset.protocol,
        mean_candidates=sum(len(dataset.candidates[q]) for q in test) / len(test),
        recall_ceiling=dataset.recall_ceiling("test"),
        notes=dataset.notes,
        query_ids=asked,
        populations={measure.population: ids for measure, ids in measures.items() if measure.population},
        rows=_rows(entries, asking, plan.seeds),
        unanswerable=tuple(query_id for query_id in test if query_id not in answered),
        validity=figures,
        truth_places=truth_places(dataset),
        faults=faults,
    )


def _rows(parts: Mapping[str, Part | Failure], bench: Bench, seeds: int | None) -> tuple[Row, ...]:
    """Those that are made of others come last: what is wrong with a member is known by then."""
    rows: dict[str, Row] = {}
    for label, part in sorted(parts.items(), key=lambda one: isinstance(one[1], Part) and bool(one[1].members)):
        rows[label] = _row(label, part, bench, rows, seeds)
    return tuple(rows[label] for label in parts)


def _row(label: str, part: Part | Failure, bench: Bench, rows: Mapping[str, Row], seeds: int | None) -> Row:
    if isinstance(part, Failure):
        return Row(label, failure=part.reason, traceback=part.traceback)
    for row in (rows[one.name] for one in part.parts if one.name in rows):
        if row.failure:
            return Row(label, failure=f"member {row.reranker!r}: {row.failure}", traceback=row.traceback)
        if row.skipped:
            return Row(label, skipped=f"member {row.reranker!r}: {row.skipped}")
    return repeated(part, bench, _measured, seeds)


def _measured(part: Part, bench: Bench) -> Row:
    handed, key = bench.handed or Handed(), row_key(bench.dataset, part) if bench.handed else ""
    met = handed.met.get(key)
    if isinstance(met, Skipped):
        return Row(part.name, skipped=met.reason)
    if met is not None:
        _strict(RerankError(met.reason))
        return Row(part.name, failure=met.reason, traceback=met.traceback)
    try:
        row = measured_row(part, bench)
        return replace(row, scores_from_store=False) if key in handed.computed else row
    except NotApplicableError as error:
        return Row(part.name, skipped=str(error))
    except Exception as error:  # noqa: BLE001 - it is kept, as a FAILED row, and the others go on
        _strict(error)
        return Row(part.name, failure=_reason(error), traceback=traceback.format_exc())


def _compared(result: DatasetResult, suite: Suite, plan: Plan) -> DatasetResult:
    """The result with its rows in order and compared."""
    baselines = _baselines(result.rows, suite, plan.baselines)
    found = compared(result, suite.metrics, baselines, all_pairs=plan.all_pairs)
    notes = (*result.notes, *_no_difference(result.rows, baselines))
    return replace(found, baseline=baselines[0], notes=notes)


def _baselines(rows: Sequence[Row], suite: Suite, against: Sequence[str]) -> list[str]:
    """Those that are asked for, and the suite's `oracle_baseline` in the place of what has no order to be compared
    with."""
    skipped = {row.reranker for row in rows if row.skipped}
    return list(dict.fromkeys(suite.oracle_baseline if name in skipped else name for name in against))


def _no_difference(rows: Sequence[Row], baselines: Sequence[str]) -> list[str]:
    """Why no row has a difference from one of these, where it is for want of that."""
    figures = {row.reranker: bool(row.metrics) for row in rows}
    return [
        f"no Δ: the baseline {name!r} has no figures"
        if name in figures
        else f"no Δ: the baseline {name!r} is not among these rows; name it too, or another with --baseline"
        for name in baselines
        if not figures.get(name)
    ]


def _strict(error: Exception) -> None:
    if os.environ.get("RR_STRICT") == "1":
        raise error


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, RerankError) else summary(error)


def _environment() -> Conditions:
    """Of this run; what was stored before says for itself what it was timed on (`Row.timed_on`)."""
    with conditions() as found:
        return found()
