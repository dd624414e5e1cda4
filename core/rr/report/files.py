"""The result of a bench as files: Markdown, CSV, JSON, and the traceback of everything that failed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

from rr.artefacts import write_atomic
from rr.evaluate.results import BenchResult, Row
from rr.report.table import cells, explanation, header, title

LEADING_COLUMNS = ("dataset", "fingerprint", "reranker", "state")
TRAILING_COLUMNS = (
    *("delta", "delta low", "delta high", "p", "p_holm"),
    *("train_seconds", "ms_per_query", "pairs_per_second", "parameters", "trained_parameters", "notes", "failure"),
)


def write_result(result: BenchResult, out: Path) -> list[Path]:
    """Writes `bench.md`, `bench.csv`, `bench.json` and `failures/DATASET/*.txt` under `out`; the paths written."""
    files = {
        out / "bench.md": markdown(result),
        out / "bench.csv": csv_text(result),
        out / "bench.json": json.dumps(asdict(result), ensure_ascii=False, indent=1) + "\n",
    }
    for dataset in result.datasets:
        folder = out / "failures" / _file_name(dataset.name)
        if dataset.failure:
            files[folder / "data.txt"] = dataset.traceback
        failed = [row for row in dataset.rows if row.failure]
        files.update({folder / f"{_file_name(row.reranker)}.txt": row.traceback for row in failed})
    for path, content in files.items():
        write_atomic(path, content)
    return list(files)


def _file_name(name: str) -> str:
    """The name with what a path would take apart escaped, so that two names never share a file."""
    return name.replace("%", "%25").replace("/", "%2F")


def markdown(result: BenchResult) -> str:
    lines = []
    for dataset in result.datasets:
        if dataset.failure:
            lines += [f"**{dataset.name}: FAILED** {dataset.failure}", ""]
            continue
        names = header(result, dataset)
        lines += [f"**{dataset.name}**{title(dataset).removeprefix(dataset.name)}", "", _line(names)]
        lines.append(_line(["---" if name in ("reranker", "state", "notes") else "---:" for name in names]))
        lines += [_line(cells(row, result)) for row in dataset.rows]
        lines += ["", *(f"- {note}" for note in dataset.notes), *([""] if dataset.notes else [])]
    return "\n".join([*lines, explanation(result), ""])


def csv_text(result: BenchResult) -> str:
    """One line a reranker and data set, figures unrounded; a failed one has its reason and empty figures."""
    out = io.StringIO()
    measures = [f"{name}{part}" for name in result.metrics for part in ("", " low", " high")]
    writer = csv.writer(out)
    writer.writerow([*LEADING_COLUMNS, *measures, *TRAILING_COLUMNS])
    for dataset in result.datasets:
        for row in dataset.rows or [Row("", failure=dataset.failure)]:
            state = "skipped" if row.skipped else row.state
            writer.writerow([dataset.name, dataset.fingerprint, row.reranker, state, *_figures(row, result)])
    return out.getvalue()


def _figures(row: Row, result: BenchResult) -> list[object]:
    if not row.metrics:
        return [*[""] * (3 * len(result.metrics) + len(TRAILING_COLUMNS) - 2), row.skipped, row.failure]
    intervals = [row.metrics[name] for name in result.metrics]
    gap = row.difference
    return [
        *(value for one in intervals for value in (one.mean, one.low, one.high)),
        *((gap.mean, gap.low, gap.high, gap.p, "" if gap.p_holm is None else gap.p_holm) if gap else [""] * 5),
        "" if row.train_seconds is None else row.train_seconds,
        row.ms_per_query,
        row.pairs_per_second,
        row.parameters,
        row.trainable,
        "; ".join(row.notes),
        "",
    ]


def _line(values: list[str]) -> str:
    return "| " + " | ".join(" ".join(value.split()).replace("|", "\\|") for value in values) + " |"
