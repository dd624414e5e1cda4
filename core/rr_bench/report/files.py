"""The result of a bench as files: Markdown, CSV, JSON, and the traceback of everything that failed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rr.files import write_atomic
from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.report import comparisons, escape, sections
from rr_bench.report.table import bad_findings, bold, cells, explanation, header, populations, sizes, title
from rr_bench.report.times import conditions_text

MARKDOWN, CSV, JSON = "bench.md", "bench.csv", "bench.json"
FILES = (MARKDOWN, CSV, JSON, *comparisons.FILES)
FAILURES = "failures"
LONGEST = 200
"""Bytes of a file's name, which on most systems has 255 with the suffixes that are yet to come."""


def write_result(result: BenchResult, out: Path) -> list[Path]:
    """Writes `FILES` and `failures/DATASET/*.txt` under `out`; the paths written. The failures that an earlier result
    there had are removed, and nothing else that is there.

    Raises:
        OSError: a file cannot be written.
    """
    traces = {out / name: trace for name, trace in _traces(asdict(result)).items()}
    _remove(set(_earlier(out)) - set(traces))
    files = {
        out / MARKDOWN: markdown(result),
        out / CSV: csv_text(result),
        out / JSON: escape.json_text(asdict(result), indent=1) + "\n",
        out / comparisons.COMPARISONS: comparisons.comparisons_csv(result),
        out / comparisons.GROUPS: comparisons.groups_csv(result),
        out / comparisons.SUITE: comparisons.suite_csv(result),
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
        for row in dataset.rows:
            marked = zip(cells(row, result), bold(row, result), strict=True)
            texts = ((escape.markdown_cell(text), best) for text, best in marked)
            lines.append(_joined([f"**{text}**" if best else text for text, best in texts]))
        lines += ["", *(f"- {escape.markdown(note)}" for note in dataset.notes), *([""] if dataset.notes else [])]
        for section in sections.of_dataset(dataset, result):
            lines += _section(section)
    for section in sections.of_suite(result):
        lines += _section(section)
    return "\n".join([*lines, escape.markdown(explanation(result)), ""])


def _section(section: sections.Section) -> list[str]:
    lines = [f"**{escape.markdown(section.title)}**", "", _line(section.header)]
    lines.append(_line(["---", *["---:"] * (len(section.header) - 1)]))
    lines += map(_line, section.rows)
    return [*lines, "", *(f"- {escape.markdown(note)}" for note in section.notes), *([""] if section.notes else [])]


def _line(values: Sequence[str]) -> str:
    return _joined(list(map(escape.markdown_cell, values)))


def _joined(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


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
        *("best", "letters", "baseline", *comparisons.DIFFERENCE),
        *("seeds", *(f"{name} sd of {part}" for name in result.metrics for part in ("seeds", "queries"))),
        *("train_seconds", "ms_per_query", "ms_p95", "timed_queries", "pairs_per_second", "pareto", "dollars_per_1k"),
        *("memory_bytes", "device_memory_bytes", "size_bytes", "parameters", "trained_parameters", "scores_from_store"),
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
        *("first_stage_ms_per_query", "first_stage_ms_p95"),
        *("populations", "folds"),
        *("timed_on", "train_timed_on", "notes", "dataset_notes", "failure"),
    )
    return comparisons.written(columns, ([line.get(column, "") for column in columns] for line in lines))


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
        found |= dict(zip(comparisons.DIFFERENCE, comparisons.figures(gap), strict=True))
    for name, spread in row.spread.items():
        found |= {f"{name} sd of seeds": spread.seeds, f"{name} sd of queries": spread.queries}
    if row.train_seconds is not None:
        found["train_seconds"] = row.train_seconds
    return {
        **found,
        "best": _listed(row.best),
        "letters": row.letters,
        "seeds": _listed([str(one.seed) for one in row.seeds]),
        "ms_per_query": row.ms_per_query,
        "ms_p95": row.ms_p95,
        "timed_queries": row.timed_queries,
        "pairs_per_second": row.pairs_per_second,
        "pareto": str(row.pareto).lower(),
        "dollars_per_1k": "" if row.dollars is None else row.dollars,
        "memory_bytes": "" if row.memory is None else row.memory,
        "device_memory_bytes": row.device_memory,
        "size_bytes": row.size,
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
        "first_stage_ms_per_query": dataset.first_stage.get("ms_per_query", ""),
        "first_stage_ms_p95": dataset.first_stage.get("ms_p95", ""),
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
