"""The comparison table in a terminal: all columns where they fit side by side or are asked for; else those that matter
most, in few letters, and the notes as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rr_bench.evaluate.results import BenchResult, DatasetResult
from rr_bench.report import compact, sections
from rr_bench.report.escape import terminal
from rr_bench.report.table import bold, cells, explanation, header, title

ONE_TABLE = 210
"""Columns that all cells side by side take."""
ALL_CELLS = 280
"""Columns that they are given where they are asked for in a narrower terminal: it folds the lines."""
BETWEEN = 2
"""Blanks between two columns of the compact table."""


def print_result(result: BenchResult, console: Console, wide: bool = False) -> None:
    """`wide`: all columns, however wide the terminal is."""
    if wide and console.width < ONE_TABLE:
        console.width = ALL_CELLS
    for dataset in result.datasets:
        console.print()
        if dataset.failure:
            console.print(Text(terminal(f"{dataset.name}: FAILED"), "bold red"), Text(terminal(dataset.failure)))
            continue
        console.print(Text(terminal(title(dataset)), "bold"))
        if console.width >= ONE_TABLE:
            console.print(_table(dataset, result))
        else:
            _print_compact(dataset, result, console)
        for note in dataset.notes:
            console.print(Text(terminal(f"note: {note}"), "dim"))
        for section in sections.of_dataset(dataset, result):
            _print_section(section, console)
    for section in sections.of_suite(result):
        _print_section(section, console)
    console.print(Text(terminal(explanation(result)), "dim"))


def _table(dataset: DatasetResult, result: BenchResult) -> Table:
    table = _empty(header(result, dataset))
    for row in dataset.rows:
        styles = ["bold" if best else "" for best in bold(row, result)]
        texts = (Text(terminal(text), style) for text, style in zip(cells(row, result), styles, strict=True))
        table.add_row(*texts, style="red" if row.failure else None)
    return table


def _print_compact(dataset: DatasetResult, result: BenchResult, console: Console) -> None:
    names, rows = compact.columns(result, dataset), [compact.cells(row, result) for row in dataset.rows]
    shown = _fitting(names, rows, compact.importance(result), console.width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, BETWEEN - 1, 0, 0))
    for name in shown:
        text = name in (compact.NAME, compact.STATE)
        folds = name == compact.NAME and len(shown) == 1
        table.add_column(Text(terminal(name)), justify="left" if text else "right", no_wrap=not folds, overflow="fold")
    for row, texts in zip(dataset.rows, rows, strict=True):
        best = compact.best(row, result)
        cells_ = (Text(terminal(texts.get(name, "")), "bold" if best.get(name) else "") for name in shown)
        table.add_row(*cells_, style="red" if row.failure or row.worst == "fault" else None)
    console.print(table)
    if missing := [name for name in names if name not in shown]:
        console.print(Text(terminal(f"no room for {', '.join(missing)}; --wide shows all"), "dim"))
    console.print(Text(terminal(compact.legend(result, dataset)), "dim"))
    for row in dataset.rows:
        if notes := cells(row, result)[-1]:
            console.print(Text(terminal(f"{row.reranker}: {notes}"), "red" if row.failure else ""))


def _fitting(
    names: Sequence[str], rows: Sequence[Mapping[str, str]], importance: Sequence[str], width: int
) -> list[str]:
    """Those of the columns that there is room for, the important ones before others: one that does not fit ends it."""
    kept: set[str] = set()
    for name in (one for one in importance if one in names):
        width -= max(cell_len(terminal(text)) for text in (name, *(row.get(name, "") for row in rows)))
        width -= BETWEEN if kept else 2  # the outer edges of the box
        if width < 0 and kept:
            break
        kept.add(name)
    return [name for name in names if name in kept]


def _empty(columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        text = name in ("reranker", "state", "notes")
        table.add_column(Text(terminal(name)), justify="left" if text else "right", overflow="fold")
    return table


def _print_section(section: sections.Section, console: Console) -> None:
    table = _empty(section.header)
    for row in section.rows:
        table.add_row(*(Text(terminal(text)) for text in row))
    console.print(Text(terminal(section.title), "bold"))
    console.print(table)
    for note in section.notes:
        console.print(Text(terminal(f"note: {note}"), "dim"))
