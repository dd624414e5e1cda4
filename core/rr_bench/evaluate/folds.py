"""k-fold cross-validation: the results of the folds, each an ordinary data set, as one result of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain, zip_longest
from statistics import fmean

from rr.files import fingerprint
from rr.progress import Progress
from rr_bench.doctor.diagnosis import WORST_FIRST
from rr_bench.evaluate.probabilities import pooled_tables
from rr_bench.evaluate.results import DatasetResult, Fold, Row
from rr_bench.evaluate.significance import t_interval
from rr_bench.evaluate.validity import pooled_figures, pooled_places


@dataclass(frozen=True)
class Prefixed(Progress):
    """Says before every description what larger piece of work it is part of."""

    progress: Progress
    prefix: str

    def task(self, description: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        return self.progress.task(f"{self.prefix}{description}", total)

    def status(self, text: str) -> None:
        self.progress.status(text)


def pooled(results: Sequence[DatasetResult]) -> DatasetResult:
    """One result of at least two folds: every query is tested in exactly one of them, so the values of a query are
    simply put one after the other; a metric is the mean over the folds, with the t interval of their means.

    What failed in one fold has failed: there is no mean over fewer folds.
    """
    first, sizes = results[0], [len(result.query_ids) for result in results]
    return DatasetResult(
        name=first.name,
        fingerprint=fingerprint([result.fingerprint for result in results]),
        documents=first.documents,
        queries={"test": sum(sizes)},
        retriever=first.retriever,
        protocol=first.protocol,
        mean_candidates=_mean([result.mean_candidates for result in results], sizes),
        recall_ceiling=_mean([result.recall_ceiling for result in results], sizes),
        notes=(
            f"{len(results)} folds by query; mean and 95 % t interval over folds",
            *_merged([result.notes for result in results]),
        ),
        query_ids=tuple(chain.from_iterable(result.query_ids for result in results)),
        populations={
            name: tuple(chain.from_iterable(result.populations[name] for result in results))
            for name in first.populations
        },
        folds=tuple(Fold(result.fingerprint, result.queries) for result in results),
        unanswerable=tuple(chain.from_iterable(result.unanswerable for result in results)),
        validity=pooled_figures([result.validity for result in results], sizes),
        truth_places=pooled_places(result.truth_places for result in results),
        faults=_merged([result.faults for result in results]),
        rows=tuple(_row(rows, sizes) for rows in zip(*(result.rows for result in results), strict=True)),
    )


def _row(rows: Sequence[Row], sizes: Sequence[int]) -> Row:
    """One reranker's rows of all folds as one; `sizes`: test queries a fold."""
    for number, row in enumerate(rows, 1):
        if row.failure:
            return Row(row.reranker, failure=f"fold {number} of {len(rows)}: {row.failure}", traceback=row.traceback)
        if row.skipped:
            return Row(row.reranker, skipped=row.skipped)
    first = rows[0]
    means = {name: tuple(row.metrics[name].mean for row in rows) for name in first.metrics}
    seconds = [row.ms_per_query * size / 1000 for row, size in zip(rows, sizes, strict=True)]
    pairs = sum(row.pairs_per_second * spent for row, spent in zip(rows, seconds, strict=True))
    trainings = [row.train_seconds for row in rows if row.train_seconds is not None]
    diagnostics = sorted({name for row in rows for name in row.diagnostics})
    return Row(
        reranker=first.reranker,
        state=", ".join(dict.fromkeys(row.state for row in rows)),
        notes=_merged([row.notes for row in rows]),
        metrics={name: t_interval(values) for name, values in means.items()},
        diagnostics={name: _mean([row.diagnostics.get(name, 0.0) for row in rows], sizes) for name in diagnostics},
        train_seconds=sum(trainings) if trainings else None,
        train_timed_on=_conditions([row.train_timed_on for row in rows]),
        ms_per_query=_mean([row.ms_per_query for row in rows], sizes),
        pairs_per_second=pairs / sum(seconds) if sum(seconds) else 0.0,
        timed_on=_conditions([row.timed_on for row in rows]),
        parameters=first.parameters,
        trainable=first.trainable,
        weights=tuple(chain.from_iterable(row.weights for row in rows)),
        scores_from_store=all(row.scores_from_store for row in rows),
        per_query={name: tuple(chain.from_iterable(row.per_query[name] for row in rows)) for name in first.per_query},
        folds=means,
        verdict=min((row.verdict for row in rows if row.verdict), key=WORST_FIRST.index, default=""),
        findings=_findings(rows),
        chosen=tuple(map(sum, zip_longest(*(row.chosen for row in rows), fillvalue=0))),
        validity=pooled_figures([row.validity for row in rows], sizes),
        faults=_merged([row.faults for row in rows]),
        calibration=pooled_tables([row.calibration for row in rows]),
    )


def _findings(rows: Sequence[Row]) -> tuple[Mapping[str, str], ...]:
    """Those of all folds, the worst first; each says of which it is."""
    found = [
        {**one, "evidence": f"fold {number}: {one['evidence']}"}
        for number, row in enumerate(rows, 1)
        for one in row.findings
    ]
    return tuple(sorted(found, key=lambda one: WORST_FIRST.index(one["verdict"])))


def _mean(values: Iterable[float], sizes: Sequence[int]) -> float:
    """Over the queries of all folds."""
    return fmean(values, weights=sizes)


def _conditions(timed_on: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What the folds were timed on; where that differs, each of it once."""
    names = dict.fromkeys(chain.from_iterable(timed_on))
    return {name: " / ".join(dict.fromkeys(one[name] for one in timed_on if name in one)) for name in names}


def _merged(notes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The notes of all folds, each once; those that are not of every fold say of which."""
    merged = []
    for note in dict.fromkeys(chain.from_iterable(notes)):
        having = [str(number) for number, of_fold in enumerate(notes, 1) if note in of_fold]
        where = "" if len(having) == len(notes) else f"fold{'s' * (len(having) > 1)} {', '.join(having)}: "
        merged.append(where + note)
    return tuple(merged)
