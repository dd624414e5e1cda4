"""The comparison table in a terminal: one table where it is wide enough, else three and the notes as lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rr_bench.evaluate.results import BenchResult, DatasetResult
from rr_bench.report import sections
from rr_bench.report.escape import terminal
from rr_bench.report.table import COST, SIZES, TIMES, bold, cells, explanation, header, title

ONE_TABLE = 210
"""Columns that all cells side by side take."""


def print_result(result: BenchResult, console: Console) -> None:
    for dataset in result.datasets:
        console.print()
        if dataset.failure:
            console.print(Text(terminal(f"{dataset.name}: FAILED"), "bold red"), Text(terminal(dataset.failure)))
            continue
        console.print(Text(terminal(title(dataset)), "bold"))
        names = header(result, dataset)
        if console.width >= ONE_TABLE:
            console.print(_table(dataset, result, names))
        else:
            difference = names[3]
            console.print(_table(dataset, result, [n for n in names if n not in (*COST, difference, "notes")]))
            console.print(_table(dataset, result, ["reranker", difference, *(n for n in names if n in TIMES)]))
            console.print(_table(dataset, result, ["reranker", *SIZES]))
            for row in dataset.rows:
                name, *_, notes = cells(row, result)
                if notes:
                    console.print(Text(terminal(f"{name}: {notes}"), "red" if row.failure else ""))
        for note in dataset.notes:
            console.print(Text(terminal(f"note: {note}"), "dim"))
        for section in sections.of_dataset(dataset, result):
            _print_section(section, console)
    for section in sections.of_suite(result):
        _print_section(section, console)
    console.print(Text(terminal(explanation(result)), "dim"))


def _table(dataset: DatasetResult, result: BenchResult, columns: Sequence[str]) -> Table:
    table = _empty(columns)
    for row in dataset.rows:
        names, styles = header(result, dataset), ["bold" if best else "" for best in bold(row, result)]
        values = {
            name: Text(terminal(text), style)
            for name, text, style in zip(names, cells(row, result), styles, strict=True)
        }
        table.add_row(*(values[name] for name in columns), style="red" if row.failure else None)
    return table


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
