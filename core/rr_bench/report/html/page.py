"""The page: a part a data set, and what is said of all of them."""

from __future__ import annotations

import base64
import hashlib

from rr_bench.evaluate.results import BenchResult, DatasetResult, Row
from rr_bench.report import compact, sections
from rr_bench.report.answers import Answers
from rr_bench.report.html import plots
from rr_bench.report.html.elements import Cell, cut, details, items, table, text
from rr_bench.report.html.look import SCRIPT, STYLE
from rr_bench.report.html.queries import QUERIES, worst
from rr_bench.report.html.training import trainings
from rr_bench.report.stored import Stored
from rr_bench.report.table import cells, explanation, title

MOST_NOTES, LONGEST_NOTE, MOST_GROUPS = 30, 4000, 24
"""Of one row, for a plugin may give thousands; letters of a line; tables of a data set, for a field may have thousands
of values."""


def html_page(stored: Stored) -> str:
    """The whole page. Nothing is loaded, and no script runs but the one whose hash the page names.

    Raises:
        RerankError: a part of the run is damaged.
    """
    result = stored.result
    names = [dataset.name for dataset in result.datasets]
    heading = f"rr bench: {', '.join(names)}" if len(names) < 4 else f"rr bench: {len(names)} data sets"
    rows = sum(bool(row.metrics) for dataset in result.datasets for row in dataset.rows)
    each = max(1, min(QUERIES, QUERIES * 60 // max(rows, 1)))  # so that a page of many rows can still be sent around
    answers = Answers(stored.run)
    parts = [_dataset(place, dataset, result, answers, each) for place, dataset in enumerate(result.datasets, 1)]
    contents = items(f'<a href="#data-{place}">{text(name)}</a>' for place, name in enumerate(names, 1))
    suite = "".join(map(_section, sections.of_suite(result)))
    contents = f'<nav aria-label="Contents">{contents}</nav>' if len(names) > 1 else ""
    suite = f"<section><h2>All data sets</h2>{suite}</section>" if suite else ""
    script_hash = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script_hash}'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{text(heading)}</title>'
        f"<style>{STYLE}</style></head><body><header><h1>{text(heading)}</h1>{_about(stored)}"
        f"{contents}</header><main>{suite}{''.join(parts)}</main>"
        f"<footer><h2>How to read this</h2><p>{text(explanation(result))}</p>{_environment(result)}</footer>"
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _about(stored: Stored) -> str:
    result, run = stored.result, stored.run
    told = [f"Profile {result.profile}, baseline {result.baseline}"]
    if run is not None:
        told.append(f"run {run.id}, {run.about['at']}: <code>{text(run.about['command'])}</code>")
        return f"<p>{text(told[0])}; {told[1]}</p>"
    return f"<p>{text(told[0])}. Its run is not in this store: queries are shown by their ids alone.</p>"


def _dataset(place: int, dataset: DatasetResult, result: BenchResult, answers: Answers, each: int) -> str:
    head = f'<section id="data-{place}"><h2>{text(dataset.name)}</h2>'
    if dataset.failure:
        return f'{head}<p><span class="badge FAILED">FAILED</span> {text(dataset.failure)}</p></section>'
    about = title(dataset).removeprefix(f"{dataset.name}: ")
    pictures = plots.intervals(dataset, result) + plots.pareto(dataset, result)
    return (
        f"{head}<p>{text(about)}</p>{_table(dataset, result)}"
        f'<p class="quiet">{text(compact.legend(result, dataset))}</p>{_notes(dataset, result)}'
        f'<div class="figures">{pictures}</div>{_differences(dataset, result)}{_reliability(dataset)}'
        f"{trainings(dataset)}"
        f"{worst(dataset, result.metrics[0], answers, each)}"
        f"{_groups(dataset, result)}</section>"
    )


def _table(dataset: DatasetResult, result: BenchResult) -> str:
    names = [*compact.columns(result, dataset)]
    rows = [[_cell(name, row, result) for name in names] for row in dataset.rows]
    return table(f"{dataset.name}: {len(rows)} rerankers", names, rows, sortable=True)


def _cell(name: str, row: Row, result: BenchResult) -> Cell:
    shown = compact.cells(row, result).get(name, "")
    if name == compact.STATE:
        if not row.metrics:
            return Cell("", badge=shown)
        return Cell(row.state, badge=row.worst if row.worst in compact.MARKS else "")
    return Cell(shown, _key(name, row) if shown else None, compact.best(row, result).get(name, False))


def _key(name: str, row: Row) -> float | None:
    """What a column is sorted by."""
    if name in row.metrics:
        return row.metrics[name].mean
    found: dict[str, float | None] = {
        compact.DELTA: row.difference.mean if row.difference else None,
        compact.MS: row.ms_per_query,
        "p95": row.ms_p95,
        "memory": row.memory,
        "params": row.parameters,
        "$/1k": row.dollars,
        "train s": row.train_seconds,
        "size": row.size,
        "pairs/s": row.pairs_per_second,
        "trained": row.trainable,
    }
    return found.get(name)


def _notes(dataset: DatasetResult, result: BenchResult) -> str:
    """Failures and faults are told at once; what is merely worth knowing is folded up."""
    loud: list[str] = []
    others: list[str] = []
    for row in dataset.rows:
        told = [row.failure or row.skipped] if not row.metrics else []
        if row.metrics and (notes := cells(row, result)[-1]):
            told = notes.split("; ")
        if not told:
            continue
        left = f"; {len(told) - MOST_NOTES} more left out" if len(told) > MOST_NOTES else ""
        line = f"<b>{text(row.reranker)}</b>: {cut('; '.join(told[:MOST_NOTES]), LONGEST_NOTE)}{left}"
        (loud if row.failure or row.worst in compact.MARKS else others).append(line)
    of_data = items(map(text, dataset.notes))
    folded = items(others) + of_data
    number = len(others) + len(dataset.notes)
    return items(loud) + (details(f"Notes ({number})", folded) if folded else "")


def _differences(dataset: DatasetResult, result: BenchResult) -> str:
    leading = result.metrics[0]
    baseline = next((row for row in dataset.rows if row.reranker == dataset.baseline and row.metrics), None)
    if baseline is None:
        return ""
    others = [row for row in dataset.rows if row.metrics and row is not baseline]
    drawn = "".join(plots.differences(row, baseline, leading) for row in others)
    if not drawn:
        return ""
    heading = f"<h3>{text(f'{leading} less that of {baseline.reranker}, query by query')}</h3>"
    return f'{heading}<div class="figures">{drawn}</div>'


def _reliability(dataset: DatasetResult) -> str:
    drawn = "".join(
        plots.reliability(row, kind)
        for row in dataset.rows
        for kind, table in row.calibration.items()
        if table["pairs"]
    )
    if not drawn:
        return ""
    return f'<h3>Scores as probabilities: what is said, and what is relevant</h3><div class="figures">{drawn}</div>'


def _groups(dataset: DatasetResult, result: BenchResult) -> str:
    found = list(sections.of_dataset(dataset, result))
    if not found:
        return ""
    left = len(found) - MOST_GROUPS
    more = f"<p>{left} more groups are left out; groups.csv of rr bench --out has all.</p>" if left > 0 else ""
    return f"<h3>Groups of queries</h3>{''.join(map(_section, found[:MOST_GROUPS]))}{more}"


def _section(section: sections.Section) -> str:
    rows = [[Cell(shown) for shown in row] for row in section.rows]
    return table(section.title, section.header, rows) + items(map(text, section.notes))


def _environment(result: BenchResult) -> str:
    rows = [[Cell(key), Cell(value)] for key, value in result.environment.items()]
    return table("Environment", ("what", "value"), rows)
