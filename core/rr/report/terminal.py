"""The comparison table in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rr.evaluate.results import BenchResult
from rr.report.table import cells, explanation, header, title


def print_result(result: BenchResult, console: Console) -> None:
    for dataset in result.datasets:
        console.print()
        if dataset.failure:
            console.print(f"[bold red]{escape(dataset.name)}: FAILED[/] {escape(dataset.failure)}")
            continue
        table = Table(title=escape(title(dataset)), title_justify="left", title_style="bold")
        for name in header(result):
            text = name in ("reranker", "state", "notes")
            table.add_column(name, justify="left" if text else "right", overflow="fold", no_wrap=name == "reranker")
        for row in dataset.rows:
            table.add_row(*map(escape, cells(row, result)), style="red" if row.failure else None)
        console.print(table)
        for note in dataset.notes:
            console.print(f"note: {escape(note)}", style="dim")
    console.print(escape(explanation(result)), style="dim")
