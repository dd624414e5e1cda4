"""The result of a bench as files: Markdown, CSV, JSON, and the traceback of everything that failed."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rr.files import write_atomic
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.report import escape
from rr_bench.report.table import bad_findings, cells, explanation, header, populations, sizes, title
from rr_bench.report.times import conditions_text

FILES = MARKDOWN, CSV, JSON = "bench.md", "bench.csv", "bench.json"
FAILURES = "failures"
LONGEST = 200
"""Bytes of a file's name, which on most systems has 255 with the suffixes that are yet to come."""


def write_result(result: BenchResult, out: Path) -> list[Path]:
    """Writes `bench.md`, `bench.csv`, `bench.json` and `failures/DATASET/*.txt` under `out`; the paths written. The
    failures that an earlier result there had are removed, and nothing else that is there.

    Raises:
        OSError: a file cannot be written.
    """
    traces = {out / name: trace for name, trace in _traces(asdict(result)).items()}
    _remove(set(_earlier(out)) - set(traces))
    files = {
        out / MARKDOWN: markdown(result),
        out / CSV: csv_text(result),
        out / JSON: escape.json_text(asdict(result), indent=1) + "\n",
        **{path: escape.visible(trace) for path, trace in traces.items()},
    }
    for path, content in files.items():
        write_atomic(path, content)
    return list(files)


def _traces(result: Mapping[str, Any]) -> dict[str, str]:
    """Of a result as JSON has it: path below its folder → traceback, for everything that failed."""
    traces = {}
    for dataset in result["datasets"]:
        folder = f"{FAILURES}/{_file_name(dataset['name'])}"
        if dataset["failure"]:
            traces[f"{folder}/data.txt"] = dataset["traceback"]
        for row in dataset["rows"]:
            if row["failure"]:
                traces[f"{folder}/{_file_name(row['reranker'])}.txt"] = row["traceback"]
    return traces


def _earlier(out: Path) -> list[Path]:
    """The failures of the result that is in the folder now, none where there is none that can be read."""
    try:
        return [out / name for name in _traces(json.loads((out / JSON).read_text(encoding="utf-8")))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def _remove(paths: set[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
        for folder in (path.parent, path.parent.parent):
            with contextlib.suppress(OSError):  # there is more in it, or it is gone
                folder.rmdir()


def _file_name(name: str) -> str:
    """The name with what a path would take apart escaped, so that two names never share a file and none leads out of
    its folder; a long one ends in its hash."""
    safe = re.sub(r'^\.|[%/\\\x00-\x1f\x7f:*?"<>|\ud800-\udfff]', lambda found: f"%{ord(found[0]):02X}", name)
    content = safe.encode()
    if len(content) <= LONGEST:
        return safe
    return f"{content[: LONGEST - 20].decode(errors='ignore')}%{hashlib.sha256(content).hexdigest()[:16]}"


def markdown(result: BenchResult) -> str:
    lines = []
    for dataset in result.datasets:
        if dataset.failure:
            lines += [f"**{escape.markdown(dataset.name)}: FAILED** {escape.markdown(dataset.failure)}", ""]
            continue
        names = header(result, dataset)
        about = escape.markdown(title(dataset).removeprefix(dataset.name))
        lines += [f"**{escape.markdown(dataset.name)}**{about}", "", _line(names)]
        lines.append(_line(["---" if name in ("reranker", "state", "notes") else "---:" for name in names]))
        lines += [_line(cells(row, result)) for row in dataset.rows]
        lines += ["", *(f"- {escape.markdown(note)}" for note in dataset.notes), *([""] if dataset.notes else [])]
    return "\n".join([*lines, escape.markdown(explanation(result)), ""])


def _line(values: Sequence[str]) -> str:
    return "| " + " | ".join(map(escape.markdown_cell, values)) + " |"


def csv_text(result: BenchResult) -> str:
    """One line a reranker and data set, figures unrounded, with all that the table says of both; a failed one has its
    reason and empty figures."""
    lines = [
        {**_of_dataset(dataset), **_of_row(dataset, row, result), "failure": row.failure or dataset.failure}
        for dataset in result.datasets
        for row in dataset.rows or [Row("")]
    ]
    diagnostics = sorted(
        {name for dataset in result.datasets for row in dataset.rows for name in _figures(dataset, row)}
    )
    columns = (
        *("dataset", "fingerprint", "reranker", "state"),
        *(f"{name}{part}" for name in result.metrics for part in ("", " low", " high")),
        *("baseline", "delta", "delta low", "delta high", "p", "p_holm"),
        *("train_seconds", "ms_per_query", "pairs_per_second", "parameters", "trained_parameters", "scores_from_store"),
        *(
            "fault",
            "verdict",
            "findings",
            "checkpoint",
            "checkpoint_fingerprint",
            "trained_on",
            "trained_on_fingerprint",
        ),
        *(f"diagnostic {name}" for name in diagnostics),
        *("documents", "queries", "candidates", "retriever", "order", "protocol", "recall_ceiling"),
        *("populations", "folds"),
        *("timed_on", "train_timed_on", "notes", "dataset_notes", "failure"),
    )
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(map(escape.csv_cell, columns))
    writer.writerows([escape.csv_cell(line.get(column, "")) for column in columns] for line in lines)
    return out.getvalue()


def _figures(dataset: DatasetResult, row: Row) -> dict[str, float]:
    """All diagnostics of a row that has figures, those of its data set too."""
    return {**row.diagnostics, **row.validity, **dataset.validity} if row.metrics else {}


def _of_row(dataset: DatasetResult, row: Row, result: BenchResult) -> dict[str, object]:
    """Column → value; a column that is not there is empty."""
    if not row.metrics:
        return {"reranker": row.reranker, "state": "skipped" if row.skipped else "", "notes": row.skipped}
    found: dict[str, object] = {"reranker": row.reranker, "state": row.state, "notes": _listed(row.notes)}
    found["fault"] = _listed(row.faults)
    for name in result.metrics:
        one = row.metrics[name]
        found |= {name: one.mean, f"{name} low": one.low, f"{name} high": one.high}
    if (gap := row.difference) is not None:
        found |= {"delta": gap.mean, "delta low": gap.low, "delta high": gap.high, "p": gap.p}
        found["p_holm"] = "" if gap.p_holm is None else gap.p_holm
    if row.train_seconds is not None:
        found["train_seconds"] = row.train_seconds
    return {
        **found,
        "ms_per_query": row.ms_per_query,
        "pairs_per_second": row.pairs_per_second,
        "parameters": row.parameters,
        "trained_parameters": row.trainable,
        "scores_from_store": str(row.scores_from_store).lower(),
        "verdict": row.verdict,
        "findings": _listed([f"{one['verdict']}: {one['check']}: {one['evidence']}" for one in bad_findings(row)]),
        "checkpoint": _listed([one.checkpoint for one in row.weights]),
        "checkpoint_fingerprint": _listed([one.fingerprint for one in row.weights]),
        "trained_on": _listed([one.dataset for one in row.weights]),
        "trained_on_fingerprint": _listed([one.data_fingerprint for one in row.weights]),
        **{f"diagnostic {name}": value for name, value in _figures(dataset, row).items()},
        "timed_on": conditions_text(row.timed_on),
        "train_timed_on": conditions_text(row.train_timed_on),
    }


def _of_dataset(dataset: DatasetResult) -> dict[str, object]:
    if dataset.failure:
        return {"dataset": dataset.name}
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "documents": dataset.documents,
        "queries": sizes(dataset),
        "candidates": dataset.mean_candidates,
        "retriever": dataset.retriever,
        "order": dataset.order,
        "protocol": dataset.protocol,
        "recall_ceiling": dataset.recall_ceiling,
        "populations": populations(dataset),
        "folds": len(dataset.folds) or "",
        "baseline": dataset.baseline,
        "dataset_notes": _listed(dataset.notes),
    }


def _listed(texts: Sequence[str]) -> str:
    return "; ".join(texts)
