"""A run as files that others read: its result, the values of every query, TREC runs and judgements."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rr.files import write_atomic
from rr.types import trec_order
from rr_bench.evaluate.results import BenchResult
from rr_bench.outputs import as_file_name
from rr_bench.report import escape
from rr_bench.report.files import write_result
from rr_bench.runs.database import Run

PER_QUERY = "per_query.csv"


def export(run: Run, out: Path) -> list[Path]:
    """Writes `bench.md`, `bench.csv`, `bench.json`, `per_query.csv`, `runs/DATASET/RERANKER.trec` (of several seeds one
    a training) and `qrels/DATASET.qrels` under `out`; the paths written. Ids are those that the rerankers were shown
    (under protocol oracle drawn by lot), so that judging a run by these judgements gives the figures of the table.

    Raises:
        OSError: a file cannot be written.
        RerankError: a part of the run is damaged.
    """
    result = run.result
    files = {out / PER_QUERY: per_query(result)}
    for path, content in files.items():
        write_atomic(path, content)
    return [*write_result(result, out), *files, *export_trec(run, out)]


def export_trec(run: Run, out: Path) -> list[Path]:
    """Of these the TREC runs and judgements alone.

    Raises:
        OSError: a file cannot be written.
        RerankError: a part of the run is damaged.
    """
    files: dict[Path, str] = {}
    for dataset, rows in run.about["rows"].items():
        lists: dict[str, Any] = {}
        for label, row in rows.items():
            for one in row["runs"]:
                for name in ("candidates", "qrels"):
                    if one[name] not in lists:
                        lists[one[name]] = run.json(one[name])
            repeated = _repetitions(row["runs"])
            for number, of_seed in enumerate(repeated, 1):
                name = f"{label}-training-{number}" if len(repeated) > 1 else label
                path = out / "runs" / as_file_name(dataset) / f"{as_file_name(name)}.trec"
                files[path] = "".join(_trec(run, of_seed, lists, "-".join(name.split())))
            files[out / "qrels" / f"{as_file_name(dataset)}.qrels"] = "".join(_qrels(row, lists))
    for path, content in files.items():
        write_atomic(path, content)
    return list(files)


def per_query(result: BenchResult) -> str:
    """CSV: one line a data set, reranker, metric and query."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["dataset", "reranker", "metric", "query", "value"])
    for dataset in result.datasets:
        for row in dataset.rows:
            for metric, values in row.per_query.items():
                for query, value in zip(dataset.queries_of(metric), values, strict=True):
                    writer.writerow(map(escape.csv_cell, (dataset.name, row.reranker, metric, query, value)))
    return out.getvalue()


def _repetitions(runs: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The runs of a row by training: those of folds are of different queries and make one, those of seeds are not."""
    found: list[list[Mapping[str, Any]]] = []
    for one in runs:
        for of_training in found:
            if one["candidates"] not in {other["candidates"] for other in of_training}:
                of_training.append(one)
                break
        else:
            found.append([one])
    return found


def _trec(run: Run, runs: Sequence[Mapping[str, Any]], lists: Mapping[str, Any], tag: str) -> Iterator[str]:
    for one in runs:
        scores = iter(run.numbers(one["scores"]))
        for query, candidates in lists[one["candidates"]]:
            found = {id_: next(scores) for id_ in candidates}
            for rank, id_ in enumerate(trec_order(found), 1):
                yield f"{_column(query)} Q0 {_column(id_)} {rank} {found[id_]!r} {tag}\n"


def _qrels(row: Mapping[str, Any], lists: Mapping[str, Any]) -> Iterator[str]:
    for qrels in dict.fromkeys(one["qrels"] for one in row["runs"]):
        for query, judged in lists[qrels].items():
            for id_, grade in judged.items():
                yield f"{_column(query)} 0 {_column(id_)} {grade}\n"


def _column(id_: str) -> str:
    """An id that blanks would take apart has them as in a URL."""
    return re.sub(r"\s", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), id_)
